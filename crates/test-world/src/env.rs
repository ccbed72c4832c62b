use std::time::Duration;

use azure::{Clock, Instant, Limits, Observer, Random, Transport, TransportError};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use rand_xoshiro::rand_core::Rng as _;
use service::log::{Line, Log};
use time::OffsetDateTime;

use super::{Fault, StorageRequest, TestWorld};

impl Transport for TestWorld {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let other = (self.other_hosts.borrow_mut())(&request);
            match other {
                Some((time, response)) => deliver(time, response, limits, observe).await,
                None => self.send_to_storage(request, limits).await,
            }
        })
    }
}

impl TestWorld {
    async fn send_to_storage(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, TransportError> {
        let summary = StorageRequest::of(&request);
        self.requests.borrow_mut().push(summary.clone());
        let fault = (self.faults.borrow_mut())(&summary);
        let half = self.latency.get() / 2;
        tokio::time::sleep(half).await;
        let outcome = match fault {
            Fault::None => Ok(self.serve(request)),
            Fault::Refused { .. } => Ok(fault.response().expect("a refusal")),
            Fault::ResponseLost => {
                self.serve(request);
                Err(TransportError::Interrupted("reset".to_owned()))
            }
            Fault::Silence => {
                tokio::time::sleep(limits.total).await;
                Err(TransportError::Timeout)
            }
            Fault::Unreachable => Err(TransportError::Connect("refused".to_owned())),
        };
        tokio::time::sleep(half).await;
        outcome
    }

    fn serve(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.azure.borrow_mut().handle(request, self.now().to_date_time())
    }
}

/// Delivers a response line by line, each after an equal part of `time`.
async fn deliver(
    time: Duration,
    response: Response<Bytes>,
    limits: Limits,
    observe: Observer<'_>,
) -> Result<Response<Bytes>, TransportError> {
    let (head, body) = response.into_parts();
    if let Some(error) = head.extensions.get::<TransportError>() {
        tokio::time::sleep(time).await;
        return Err(error.clone());
    }
    let lines: Vec<_> = body.split_inclusive(|byte| *byte == b'\n').collect();
    let pause = time / u32::try_from(lines.len().max(1)).unwrap();
    let arriving = async {
        for line in &lines {
            tokio::time::sleep(pause).await;
            observe(&head, line);
        }
        tokio::time::sleep(if lines.is_empty() { time } else { Duration::ZERO }).await;
    };
    let arrived = tokio::time::timeout(limits.total, arriving).await;
    arrived.map(|()| Response::from_parts(head, body.clone())).map_err(|_| TransportError::Timeout)
}

impl Clock for TestWorld {
    fn now(&self) -> OffsetDateTime {
        self.now().to_date_time() + self.clock_offset.get()
    }

    fn instant(&self) -> Instant {
        Instant::since_origin(self.started.elapsed())
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl Random for TestWorld {
    fn next_u64(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }
}

impl Log for TestWorld {
    fn log(&self, line: &Line) {
        self.log.borrow_mut().push((Clock::now(self).into(), line.clone()));
    }
}
