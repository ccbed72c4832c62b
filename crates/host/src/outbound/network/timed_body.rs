//! The between-bytes time-out of a response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::connect::connection_error;
use crate::outbound::OutboundError;

/// The body of a response; fails when nothing arrives for `between`.
pub(super) struct TimedBody {
    body: Incoming,
    between: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl TimedBody {
    pub(super) fn new(body: Incoming, between: Duration) -> Self {
        Self { body, between, deadline: Box::pin(tokio::time::sleep(between)) }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let deadline = Instant::now() + self.between;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(frame.map(|frame| frame.map_err(|error| connection_error(&error))))
            }
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Poll::Ready(Some(Err(OutboundError::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
