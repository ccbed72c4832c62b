//! Instances of one component: made when requests wait, reused within the limits, dropped when idle.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::app::Shared;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::log::Source;

/// Makes instances of one component.
pub(crate) struct Instances {
    pub(crate) shared: Arc<Shared>,
    pub(crate) service: ServicePre<Guest>,
}

impl HandlerState for Instances {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Use;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiration, Use>> {
        let Some(life) = self.shared.lives.begin() else {
            return Err(wasmtime::format_err!("the application was killed"));
        };
        let over: Pin<Box<dyn Future<Output = ()> + Send + Sync>> = Box::pin(life.over());
        let guest = Guest::new(&self.shared, life)?;
        let mut store = Store::new(self.shared.runtime.engine(), guest);
        let service = self.service.instantiate_async(&mut store).await?;
        let limits = self.shared.limits.clone();
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: Guest::http,
            expiration: Expiration {
                limits: limits.clone(),
                status: None,
                deadline: Box::pin(tokio::time::sleep(Duration::ZERO)),
                over,
            },
            state: Use { limits, shared: Arc::clone(&self.shared) },
        })
    }
}

/// Says when an instance is to be dropped.
pub(crate) struct Expiration {
    limits: Limits,
    /// The status at the last poll, and when it began by the caller's clock.
    status: Option<(WorkerStatus, std::time::Instant)>,
    deadline: Pin<Box<Sleep>>,
    over: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: std::time::Instant,
    ) -> Poll<()> {
        if self.over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let limit = match status {
            WorkerStatus::Idle => Some(self.limits.idle_instance_timeout),
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.limits.request_timeout,
        };
        let Some(limit) = limit else {
            self.status = Some((status, start));
            return Poll::Pending;
        };
        // `start` is the machine's time, which says nothing when tokio's is paused: the wait begins
        // when the change is seen, and that is at once.
        if self.status != Some((status, start)) {
            self.status = Some((status, start));
            self.deadline.as_mut().reset(Instant::now() + limit);
        }
        self.deadline.as_mut().poll(cx)
    }
}

/// Says how much an instance is used.
pub(crate) struct Use {
    limits: Limits,
    shared: Arc<Shared>,
}

impl WorkerState for Use {
    type StoreData = Guest;
    type RequestData = ();

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        if total_count >= self.limits.max_instance_reuse_count {
            ShouldAccept::Never
        } else if concurrent_count >= self.limits.max_instance_concurrent_reuse_count {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Guest>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        match self.limits.request_timeout {
            Some(limit) => Box::pin(tokio::time::sleep(limit)),
            None => Box::pin(std::future::pending()),
        }
    }

    fn drop(&self, store: Store<Guest>, result: Result<(), wasmtime::Error>) {
        if let Err(error) = result
            && !store.data().is_over()
        {
            self.shared.log.line(&self.shared.id, Source::Host, &format!("an instance failed: {error:#}"));
        }
    }
}
