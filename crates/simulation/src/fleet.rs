//! The instances of the two components, native or WebAssembly.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use service::body::{BodyError, RequestBody};

use crate::random::Rng;
use crate::record::{InstanceId, Role};
use crate::scenario::Index;
use crate::world::World;

/// The body of a request to a component.
pub enum Input {
    /// All of it.
    Whole(Bytes),
    /// Line by line, as the launcher sends them; stays open until the sender is dropped.
    Lines(mpsc::UnboundedReceiver<Bytes>),
}

impl RequestBody for Input {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self {
            Self::Whole(bytes) => bytes.chunk().await,
            Self::Lines(lines) => Ok(lines.next().await),
        }
    }
}

/// One running instance of a component.
pub trait Instance {
    /// Responds to a request. The future is dropped with the instance.
    fn handle(&self, request: Request<Input>) -> LocalBoxFuture<'static, Response<Bytes>>;
}

/// Starts components.
pub trait Runner {
    /// Starts the API or the worker as `instance`.
    fn start(&self, world: &Rc<World>, role: Role, instance: InstanceId) -> Rc<dyn Instance>;
}

struct Place {
    instance: InstanceId,
    component: Rc<dyn Instance>,
    busy: Rc<Cell<usize>>,
}

/// Where instances run: a fixed number of places for each role, each with one instance at a time.
pub struct Fleet {
    runner: Rc<dyn Runner>,
    apis: RefCell<Vec<Option<Place>>>,
    workers: RefCell<Vec<Option<Place>>>,
    rng: RefCell<Rng>,
}

impl Fleet {
    /// Empty places; instances start when they are first needed.
    #[must_use]
    pub fn new(runner: Rc<dyn Runner>, world: &World) -> Self {
        let knobs = world.knobs();
        Self {
            runner,
            apis: RefCell::new((0..knobs.apis).map(|_| None).collect()),
            workers: RefCell::new((0..knobs.workers * knobs.parallel).map(|_| None).collect()),
            rng: RefCell::new(Rng::fork(world.scenario.seed, 4)),
        }
    }

    fn places(&self, role: Role) -> &RefCell<Vec<Option<Place>>> {
        if role == Role::Api { &self.apis } else { &self.workers }
    }

    /// The instance at a place, started when there is none, or replaced when it has been idle for too long.
    fn at(
        &self,
        world: &Rc<World>,
        role: Role,
        index: Index,
    ) -> (InstanceId, Rc<dyn Instance>, Rc<Cell<usize>>) {
        let mut places = self.places(role).borrow_mut();
        let count = places.len().max(1);
        let Some(place) = places.get_mut(index % count) else { unreachable_place() };
        let fresh = self.rng.borrow_mut().chance(world.knobs().fresh_percent);
        let usable = place.as_ref().filter(|place| world.is_alive(place.instance));
        let idle_too_long = usable.is_some_and(|place| fresh && place.busy.get() == 0);
        match usable.filter(|_| !idle_too_long) {
            Some(place) => (place.instance, Rc::clone(&place.component), Rc::clone(&place.busy)),
            None => {
                let instance = world.start(role, index % count);
                world.note(|| format!("instance {instance} starts as {role:?}"));
                let component = self.runner.start(world, role, instance);
                let busy = Rc::new(Cell::new(0));
                *place = Some(Place { instance, component: Rc::clone(&component), busy: Rc::clone(&busy) });
                (instance, component, busy)
            }
        }
    }

    /// Kills the instance at a place, if there is one.
    pub fn kill(&self, world: &World, role: Role, index: Index, why: &str) {
        let mut places = self.places(role).borrow_mut();
        let count = places.len().max(1);
        let place = places.get_mut(index % count).and_then(Option::take);
        drop(places);
        if let Some(place) = place {
            world.crash(place.instance, why);
        }
    }

    /// Where the drains of a worker's loop run.
    #[must_use]
    pub fn place_of(world: &World, worker: Index, own: Index) -> Index {
        let knobs = world.knobs();
        (worker % knobs.workers.max(1)) * knobs.parallel + own
    }

    /// Kills every instance of a worker's host.
    pub fn kill_worker(&self, world: &World, worker: Index, why: &str) {
        for own in 0..world.knobs().parallel {
            self.kill(world, Role::Worker, Self::place_of(world, worker, own), why);
        }
    }

    /// Kills everything.
    pub fn kill_all(&self, world: &World, why: &str) {
        for role in [Role::Api, Role::Worker] {
            let count = self.places(role).borrow().len();
            for index in 0..count {
                self.kill(world, role, index, why);
            }
        }
    }

    /// Sends a request to the instance at a place. `None` if the instance crashes before it responds.
    pub async fn call(
        &self,
        world: &Rc<World>,
        role: Role,
        index: Index,
        request: Request<Input>,
    ) -> Option<Response<Bytes>> {
        let (instance, component, busy) = self.at(world, role, index);
        let (tx, rx) = oneshot::channel();
        busy.set(busy.get() + 1);
        let (world, path) = (Rc::clone(world), request.uri().path().to_owned());
        let (exec, method) = (world.exec.clone(), request.method().clone());
        exec.spawn(World::group(instance), async move {
            let response = component.handle(request).await;
            world.responded(instance, &method, &path, &response);
            busy.set(busy.get() - 1);
            // The client may have gone away.
            let _ = tx.send(response);
        });
        rx.await.ok()
    }
}

#[expect(
    clippy::panic,
    reason = "a scenario without a single place for a role is a mistake of the simulator"
)]
fn unreachable_place() -> ! {
    panic!("a scenario needs at least one instance of each role")
}
