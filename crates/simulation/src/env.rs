//! The surroundings of one simulated instance: its network, clock, random numbers and log.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use azure::{Clock, Instant, Limits, Observer, Random, Transport, TransportError};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use service::log::{Line, Log};
use time::OffsetDateTime;

use crate::mutation::Mutation;
use crate::random::Rng;
use crate::record::InstanceId;
use crate::world::World;

/// What `service` sees of the world, from one instance.
pub struct SimEnv {
    world: Rc<World>,
    instance: InstanceId,
    rng: RefCell<Rng>,
}

impl SimEnv {
    /// The surroundings of `instance`.
    #[must_use]
    pub fn new(world: &Rc<World>, instance: InstanceId) -> Self {
        let rng = Rng::fork(world.scenario.seed, 1_000 + u64::from(instance));
        Self { world: Rc::clone(world), instance, rng: RefCell::new(rng) }
    }
}

impl Transport for SimEnv {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let response = self.world.send(self.instance, request, limits).await?;
            let (head, body) = response.into_parts();
            observe(&head, &body);
            Ok(Response::from_parts(head, body))
        })
    }
}

impl Clock for SimEnv {
    fn now(&self) -> OffsetDateTime {
        self.world.wall_clock(self.instance)
    }

    fn instant(&self) -> Instant {
        Instant::since_origin(self.world.monotonic_clock(self.instance))
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let duration = match self.world.mutation {
                Some(Mutation::NeverWait) => duration.min(Duration::from_millis(1)),
                _ => duration,
            };
            self.world.exec.sleep(duration).await;
        })
    }
}

impl Random for SimEnv {
    fn next_u64(&self) -> u64 {
        self.rng.borrow_mut().bits()
    }
}

impl Log for SimEnv {
    fn log(&self, line: &Line) {
        self.world.log(self.instance, &line.to_json(self.now().into()));
    }
}
