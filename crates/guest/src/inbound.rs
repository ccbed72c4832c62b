//! Conversion of incoming requests and their responses.

use std::convert::Infallible;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use service::body::{Body, BodyError, RequestBody};
use spin_sdk::http::Request;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Response};
use spin_sdk::wasip3::http_compat::{BodyWriter, IncomingRequestBody};

/// The body of an incoming request, read on demand.
pub struct Inbound(IncomingRequestBody);

impl RequestBody for Inbound {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            match self.0.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(_)) => return Err(BodyError::Broken("the client stopped sending".to_owned())),
            }
        }
    }
}

pub(crate) fn request(request: Request) -> http::Request<Inbound> {
    request.map(Inbound)
}

/// Passes a response to the host. The body is written after the head was returned. If the client disconnects, the
/// write fails, which drops a streamed body and its source.
pub(crate) fn respond(response: http::Response<Body>, is_head: bool) -> Result<Response, ErrorCode> {
    let (mut parts, body) = response.into_parts();
    let bodyless = is_head || matches!(parts.status.as_u16(), 204 | 304);
    let body = match body {
        Body::Full(bytes) => {
            // Without a length the host sends chunks, in two segments, and the second is delayed. A response to
            // HEAD has the length that GET would have, which the API has set, and no body stream: hosts compare
            // the length only with a stream.
            if !bodyless {
                parts.headers.insert(http::header::CONTENT_LENGTH, bytes.len().into());
            } else if !is_head {
                parts.headers.remove(http::header::CONTENT_LENGTH);
            }
            Either::Left(Full::new(if bodyless { Bytes::new() } else { bytes }))
        }
        Body::Stream(_) if bodyless => Either::Left(Full::new(Bytes::new())),
        Body::Stream(stream) => {
            Either::Right(StreamBody::new(stream.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)))))
        }
    };
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let headers = Fields::from_list(&headers)
        .map_err(|_| ErrorCode::InternalError(Some("the host refuses a response header".to_owned())))?;
    let (writer, contents, trailers) = BodyWriter::new();
    let contents = (!bodyless).then_some(contents);
    let (outgoing, _sent) = Response::new(headers, contents, trailers);
    let _ = outgoing.set_status_code(parts.status.as_u16());
    spin_sdk::wasip3::spawn(async move {
        let mut body = body;
        // An error means that the client has disconnected, so no client can receive it.
        let _ = writer.send_http_body(&mut body).await;
    });
    Ok(outgoing)
}
