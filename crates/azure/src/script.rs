//! The environment of the tests: scripted responses, virtual clocks that advance to the next timer, and a fixed random
//! number.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use time::OffsetDateTime;

use crate::moment::{between, iso, parse_iso};
use crate::{Clock, Instant, Limits, Observer, Random, Transport, TransportError};

/// The scripted outcome of a request.
pub(crate) struct ScriptedResponse {
    after: Duration,
    outcome: Result<Response<Bytes>, TransportError>,
}

impl ScriptedResponse {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            after: Duration::ZERO,
            outcome: Ok(Response::builder().status(status).body(Bytes::new()).unwrap()),
        }
    }

    pub(crate) fn broken(error: TransportError) -> Self {
        Self { after: Duration::ZERO, outcome: Err(error) }
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        if let Ok(response) = &mut self.outcome {
            *response.body_mut() = Bytes::copy_from_slice(body.as_bytes());
        }
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(response) = &mut self.outcome {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        self
    }

    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.after = Duration::from_secs(seconds);
        self
    }
}

type Handler = Box<dyn FnMut(&Request<Bytes>) -> ScriptedResponse>;

pub(crate) struct Script {
    now: Cell<OffsetDateTime>,
    /// How far the wall clock is ahead of the monotonic one.
    set_by: Cell<time::Duration>,
    timers: RefCell<Vec<(OffsetDateTime, Waker)>>,
    handler: RefCell<Handler>,
    seen: RefCell<Vec<(OffsetDateTime, Request<Bytes>)>>,
    pub(crate) random: Cell<u64>,
}

pub(crate) fn start() -> OffsetDateTime {
    parse_iso("2026-11-20T10:00:00Z").unwrap()
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Script {
    pub(crate) fn new(handler: impl FnMut(&Request<Bytes>) -> ScriptedResponse + 'static) -> Rc<Self> {
        Rc::new(Self {
            now: Cell::new(start()),
            set_by: Cell::default(),
            timers: RefCell::default(),
            handler: RefCell::new(Box::new(handler)),
            seen: RefCell::default(),
            random: Cell::new(0),
        })
    }

    /// From now on, `handler` responds to requests.
    pub(crate) fn respond_with(&self, handler: impl FnMut(&Request<Bytes>) -> ScriptedResponse + 'static) {
        *self.handler.borrow_mut() = Box::new(handler);
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.now.set(self.now.get() + Duration::from_secs(seconds));
    }

    /// Sets the wall clock forwards or back. Timers do not change.
    pub(crate) fn set_clock(&self, by: time::Duration) {
        self.set_by.set(self.set_by.get() + by);
    }

    /// The requests since the last call, each as time, method and address.
    pub(crate) fn seen(&self) -> Vec<String> {
        let line = |(at, request): (OffsetDateTime, Request<Bytes>)| {
            let host =
                request.uri().host().unwrap_or_default().split('.').next().unwrap_or_default().to_owned();
            format!("{} {} {host}{}", &iso(at)[11..19], request.method(), request.uri().path())
        };
        self.requests().into_iter().map(line).collect()
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<(OffsetDateTime, Request<Bytes>)> {
        self.seen.take()
    }

    /// Runs `future` to its end. Time advances only when the future waits.
    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        loop {
            while flag.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return output;
                }
            }
            let next = self.timers.borrow().iter().map(|(at, _)| *at).min();
            self.now.set(next.expect("nothing is left that could happen").max(self.now.get()));
            let due =
                self.timers.borrow_mut().extract_if(.., |(at, _)| *at <= self.now.get()).collect::<Vec<_>>();
            for (_, waker) in due {
                waker.wake();
            }
        }
    }
}

impl Clock for Script {
    fn now(&self) -> OffsetDateTime {
        self.now.get() + self.set_by.get()
    }

    fn instant(&self) -> Instant {
        Instant::since_origin(between(start(), self.now.get()))
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let until = self.now.get() + duration;
            poll_fn(|context| {
                if self.now.get() >= until {
                    return Poll::Ready(());
                }
                self.timers.borrow_mut().push((until, context.waker().clone()));
                Poll::Pending
            })
            .await;
        })
    }
}

impl Random for Script {
    fn next_u64(&self) -> u64 {
        self.random.get()
    }
}

impl Transport for Script {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        _: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            self.seen.borrow_mut().push((self.now.get(), request.clone()));
            let response = (self.handler.borrow_mut())(&request);
            let patience = limits.total.min(limits.first_byte);
            if response.after > patience {
                self.sleep(patience).await;
                return Err(TransportError::Timeout);
            }
            self.sleep(response.after).await;
            response.outcome
        })
    }
}
