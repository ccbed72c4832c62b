//! The least that a submission can cost on a host: a component that reads the body of its request, makes the two
//! requests of a submission, one after the other, and responds with the length of what it has read.
//!
//! It signs nothing, parses nothing and logs nothing, sets no time-outs, and uses the interface of WASI without a
//! library in between. The requests have the sizes of those of a submission.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;

use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult};
use spin_sdk::wasip3::{wit_future, wit_stream};

/// Where the requests go if `STORAGE` does not name another authority. The benchmark responds there.
const STORAGE: &str = "127.0.0.1:10000";
/// Bytes of a stored document, and of a message that contains it.
const DOCUMENT_BYTES: usize = 600;
const MESSAGE_BYTES: usize = 1000;

thread_local! {
    static AUTHORITY: Rc<str> = std::env::var("STORAGE").map_or_else(|_| STORAGE.into(), Into::into);
}

struct Floor;

spin_sdk::wasip3::http::service::export!(Floor);

impl Guest for Floor {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let read = read(|consumed| Request::consume_body(request, consumed)).await;
        let storage = AUTHORITY.with(Rc::clone);
        exchange(&Method::Put, &storage, "/account/tasks/document", vec![b'x'; DOCUMENT_BYTES]).await?;
        exchange(&Method::Post, &storage, "/account/taskqueue/messages", vec![b'x'; MESSAGE_BYTES]).await?;
        let text = read.len().to_string().into_bytes();
        let headers = fields(text.len())?;
        let (mut contents, reader) = wit_stream::new();
        let (end, end_reader) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(reader), end_reader);
        let _ = response.set_status_code(202);
        spin_sdk::wasip3::spawn(async move {
            contents.write_all(text).await;
            drop(contents);
            let _ = end.write(Ok(None)).await;
        });
        Ok(response)
    }
}

fn fields(length: usize) -> Result<Fields, ErrorCode> {
    let length = ("content-length".to_owned(), length.to_string().into_bytes());
    Fields::from_list(&[length]).map_err(|_| ErrorCode::InternalError(None))
}

type Received = (StreamReader<u8>, FutureReader<Result<Option<Fields>, ErrorCode>>);

/// Reads a whole body.
async fn read(consume: impl FnOnce(FutureReader<Result<(), ErrorCode>>) -> Received) -> Vec<u8> {
    let (_consumed, reader) = wit_future::new(|| Ok(()));
    let (mut contents, _end) = consume(reader);
    let mut whole = Vec::with_capacity(4096);
    loop {
        let (result, buffer) = contents.read(whole).await;
        whole = buffer;
        if !matches!(result, StreamResult::Complete(_)) {
            return whole;
        }
        if whole.len() == whole.capacity() {
            whole.reserve(4096);
        }
    }
}

/// Sends a request with a body and reads the response.
async fn exchange(method: &Method, authority: &str, path: &str, body: Vec<u8>) -> Result<(), ErrorCode> {
    let refused = |()| ErrorCode::InternalError(None);
    let headers = fields(body.len())?;
    let (mut contents, reader) = wit_stream::new();
    let (end, end_reader) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(headers, Some(reader), end_reader, None);
    request.set_method(method).map_err(refused)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some(path)).map_err(refused)?;
    let mut write = pin!(async move {
        contents.write_all(body).await;
        drop(contents);
        let _ = end.write(Ok(None)).await;
        std::future::pending::<()>().await;
    });
    // As the product does: the request is passed to the host and its body written in the same poll.
    let response = beside(client::send(request), write.as_mut()).await?;
    let body = beside(read(|consumed| Response::consume_body(response, consumed)), write).await;
    drop(body);
    Ok(())
}

/// Runs `main` to its end, and `background` after it in each poll.
async fn beside<T>(main: impl Future<Output = T>, mut background: Pin<&mut impl Future<Output = ()>>) -> T {
    let mut main = pin!(main);
    poll_fn(|cx| {
        let polled = main.as_mut().poll(cx);
        if polled.is_pending() {
            let _ = background.as_mut().poll(cx);
        }
        polled
    })
    .await
}
