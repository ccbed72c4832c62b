//! Requests seen from their instance: whether a caller still waits, and whether the instance has used up its memory.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wasmtime::{ResourceLimiter, UpdateDeadline};
use wasmtime_wasi_http::WasiBody;

use crate::outbound::OutboundError;

/// Between two looks at an instance that computes, in milliseconds.
pub(crate) const TICK_MILLISECONDS: u64 = 10;
/// The looks after which an instance is ended that computes although no caller waits: one second of computing.
const MAX_TICKS_WITHOUT_CALLER: u32 = 100;

/// The caller of a request. Held until the response is complete or no caller waits for it.
pub(crate) struct Caller {
    _is_waiting: Arc<()>,
    instance: Arc<OnceLock<Arc<Condition>>>,
}

/// The body of a response, and its caller.
struct Awaited {
    body: WasiBody,
    caller: Caller,
    is_broken: bool,
}

impl Body for Awaited {
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) && self.caller.has_failed() && !self.is_broken {
            self.is_broken = true;
            return Poll::Ready(Some(Err(OutboundError::HttpResponseIncomplete)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the callers of an instance learn of it.
#[derive(Default)]
struct Condition {
    is_out_of_memory: AtomicBool,
    has_failed: AtomicBool,
}

/// What an instance gets with a request.
pub(crate) struct Call {
    is_waiting: Weak<()>,
    instance: Arc<OnceLock<Arc<Condition>>>,
}

impl Caller {
    pub(crate) fn new() -> (Self, Call) {
        let (is_waiting, instance) = (Arc::new(()), Arc::default());
        let call = Call { is_waiting: Arc::downgrade(&is_waiting), instance: Arc::clone(&instance) };
        (Self { _is_waiting: is_waiting, instance }, call)
    }

    /// Keeps the caller for as long as the body is read.
    pub(crate) fn awaits(self, body: WasiBody) -> WasiBody {
        Awaited { body, caller: self, is_broken: false }.boxed_unsync()
    }

    /// Returns whether the instance that took the request has failed. Its bodies then end as if they were complete.
    fn has_failed(&self) -> bool {
        self.instance.get().is_some_and(|instance| instance.has_failed.load(Ordering::Relaxed))
    }

    /// Returns whether the instance that took the request was refused memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.instance.get().is_some_and(|instance| instance.is_out_of_memory.load(Ordering::Relaxed))
    }
}

/// The requests of one instance, and its memory.
pub(crate) struct Watched {
    callers: Vec<Weak<()>>,
    ticks_without_caller: u32,
    max_memory: Option<usize>,
    condition: Arc<Condition>,
}

impl Watched {
    pub(crate) fn new(max_memory: Option<usize>) -> Self {
        Self { callers: Vec::new(), ticks_without_caller: 0, max_memory, condition: Arc::default() }
    }

    pub(crate) fn request_started(&mut self, call: Call) {
        self.callers.retain(|caller| caller.strong_count() > 0);
        self.callers.push(call.is_waiting);
        // It was empty: a call starts in one instance.
        let _ = call.instance.set(Arc::clone(&self.condition));
    }

    /// Records that the instance trapped, before its streams are closed.
    pub(crate) fn failed(&self) {
        self.condition.has_failed.store(true, Ordering::Relaxed);
    }

    /// Decides about an instance that computes at a tick: others have their turn, and an instance whose callers are all
    /// gone is ended after a second of computing.
    ///
    /// # Errors
    /// The reason for its end.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let is_awaited =
            self.callers.is_empty() || self.callers.iter().any(|caller| caller.strong_count() > 0);
        self.ticks_without_caller = if is_awaited { 0 } else { self.ticks_without_caller + 1 };
        if self.ticks_without_caller >= MAX_TICKS_WITHOUT_CALLER {
            return Err(wasmtime::format_err!("it computes although no caller waits for a response"));
        }
        Ok(UpdateDeadline::Yield(1))
    }
}

impl ResourceLimiter for Watched {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let is_allowed = self.max_memory.is_none_or(|max| desired <= max);
        if !is_allowed {
            self.condition.is_out_of_memory.store(true, Ordering::Relaxed);
        }
        Ok(is_allowed)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_without_callers_is_ended_after_a_second_of_computing() {
        let mut instance = Watched::new(None);
        let (first, call) = Caller::new();
        instance.request_started(call);
        for _ in 0..1_000 {
            assert!(instance.tick().is_ok(), "its caller waits");
        }
        drop(first);
        let until_its_end = |instance: &mut Watched| (1..1_000).find(|_| instance.tick().is_err());
        assert_eq!(until_its_end(&mut instance), Some(MAX_TICKS_WITHOUT_CALLER));
        let (_second, call) = Caller::new();
        instance.request_started(call);
        assert_eq!(until_its_end(&mut instance), None);
    }

    #[test]
    fn caller_learns_that_its_instance_was_refused_memory() {
        let mut instance = Watched::new(Some(65_536));
        let (caller, call) = Caller::new();
        instance.request_started(call);
        assert!(instance.memory_growing(0, 65_536, None).unwrap());
        assert!(!caller.is_out_of_memory());
        assert!(!instance.memory_growing(65_536, 131_072, None).unwrap());
        assert!(caller.is_out_of_memory());
    }
}
