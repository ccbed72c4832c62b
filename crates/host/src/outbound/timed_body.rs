//! The between-bytes time-out of a response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::OutboundError;

/// The body of a response; fails when nothing arrives for `between`.
pub(crate) struct TimedBody<B> {
    body: B,
    between: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl<B> TimedBody<B> {
    pub(crate) fn new(body: B, between: Duration) -> Self {
        Self { body, between, deadline: Box::pin(tokio::time::sleep(between)) }
    }
}

impl<B: Body<Data = Bytes, Error = OutboundError> + Unpin> Body for TimedBody<B> {
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
                Poll::Ready(frame)
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
