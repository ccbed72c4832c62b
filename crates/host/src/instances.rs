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
    HandlerState, Instance, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::component::RunningComponent;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::runtime::Service;
use crate::watched::Call;

/// Makes instances of one component.
pub(crate) struct Instances {
    pub(crate) component: Arc<RunningComponent>,
    pub(crate) service: Service,
}

impl HandlerState for Instances {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Usage;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiration, Usage>> {
        let Some(instance) = self.component.instances.register() else {
            return Err(wasmtime::format_err!("the application was killed"));
        };
        let ended: Pin<Box<dyn Future<Output = ()> + Send + Sync>> = Box::pin(instance.ended());
        let guest = Guest::new(&self.component, instance)?;
        let mut store = Store::new(self.service.engine(), guest);
        if self.component.limits.max_instance_memory.is_some() {
            store.limiter(|guest| &mut guest.watched);
        }
        if self.service.is_interruptible() {
            store.set_epoch_deadline(1);
            store.epoch_deadline_callback(|mut store| store.data_mut().watched.tick());
        }
        let proxy = self.service.instantiate(&mut store).await?;
        let limits = self.component.limits.clone();
        Ok(Instance {
            store,
            proxy,
            view: Guest::http,
            expiration: Expiration {
                limits,
                status: None,
                deadline: Box::pin(tokio::time::sleep(Duration::ZERO)),
                ended,
            },
            state: Usage { component: Arc::clone(&self.component), is_reused: self.service.is_reused() },
        })
    }
}

/// Decides when an instance is dropped.
pub(crate) struct Expiration {
    limits: Limits,
    /// The status at the last poll, and when it began by the caller's clock.
    status: Option<(WorkerStatus, std::time::Instant)>,
    deadline: Pin<Box<Sleep>>,
    ended: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: std::time::Instant,
    ) -> Poll<()> {
        if self.ended.as_mut().poll(cx).is_ready() {
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
        // `start` is the time of the machine, which is meaningless while tokio's is paused: the wait begins at
        // this poll, which follows the change at once.
        if self.status != Some((status, start)) {
            self.status = Some((status, start));
            self.deadline.as_mut().reset(Instant::now() + limit);
        }
        self.deadline.as_mut().poll(cx)
    }
}

/// Decides how much an instance is used.
pub(crate) struct Usage {
    component: Arc<RunningComponent>,
    is_reused: bool,
}

impl WorkerState for Usage {
    type StoreData = Guest;
    type RequestData = Call;

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        let limit = if self.is_reused { self.component.limits.max_instance_reuse_count } else { 1 };
        if total_count >= limit {
            ShouldAccept::Never
        } else if concurrent_count >= self.component.limits.max_instance_concurrent_reuse_count {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Guest>,
        call: Call,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        store.data_mut().watched.request_started(call);
        match self.component.limits.request_timeout {
            Some(limit) => Box::pin(tokio::time::sleep(limit)),
            None => Box::pin(std::future::pending()),
        }
    }

    fn drop(&self, store: Store<Guest>, result: Result<(), wasmtime::Error>) {
        if result.is_err() {
            store.data().watched.failed();
        }
        if let Err(error) = result
            && !store.data().is_ended()
        {
            self.component.log(&format!("an instance failed: {error:#}"));
        }
    }
}
