//! A value that is fetched once for all concurrent requests and kept until it expires.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::retry::jitter;
use crate::{Env, Error, ErrorKind, Instant};

/// Minimum time between two fetches of a value that the service has rejected, or that is stale.
const MIN_REFETCH_INTERVAL: Duration = Duration::from_secs(5);
/// Pause after the first failed fetch; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum pause after a failed fetch, also when the service asks for more.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// First interval at which a request polls whether the fetch of another one has ended; doubled each time.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Maximum poll interval.
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(40);

/// The current time by both clocks. Ages and pauses use the monotonic clock, dates of services the wall clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: OffsetDateTime,
    pub(crate) instant: Instant,
}

impl Now {
    pub(crate) fn of(env: &dyn Env) -> Self {
        Self { wall: env.now(), instant: env.instant() }
    }
}

/// Whether a cached value can be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Use it.
    Fresh,
    /// Fetch another value, and use this one while that is impossible.
    Stale,
    /// Do not use it.
    Expired,
}

/// Keeps one value; see [`get`](Cache::get) and [`renew`](Cache::renew).
///
/// The state is never borrowed across an await. `single_flight` lets one request fetch while the others wait for
/// what it fetches.
pub(crate) struct Cache<T> {
    single_flight: SingleFlight,
    state: RefCell<State<T>>,
}

/// Lets one request fetch at a time.
///
/// The others poll instead of being woken: in a WASI 0.3 instance one request cannot wake another. Without
/// wit-bindgen's `inter-task-wakeup` that panics, with it (0.57) wasmtime 48 and newer trap, and either kills every
/// request in flight on the instance.
#[derive(Default)]
struct SingleFlight {
    is_fetching: Cell<bool>,
}

/// Permission to fetch. Dropping it lets the next request fetch.
struct FetchPermit<'a>(&'a Cell<bool>);

impl SingleFlight {
    fn try_acquire(&self) -> Option<FetchPermit<'_>> {
        // Constructed lazily: dropping a permit that was never granted would release the holder's.
        (!self.is_fetching.replace(true)).then(|| FetchPermit(&self.is_fetching))
    }

    async fn acquire(&self, env: &dyn Env) -> FetchPermit<'_> {
        let mut interval = MIN_POLL_INTERVAL;
        loop {
            match self.try_acquire() {
                Some(permit) => return permit,
                None => env.sleep(interval).await,
            }
            interval = (interval * 2).min(MAX_POLL_INTERVAL);
        }
    }
}

impl Drop for FetchPermit<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

struct State<T> {
    value: Option<Rc<T>>,
    /// When the last fetch ended.
    fetched_at: Option<Instant>,
    failure: Option<Failure>,
}

struct Failure {
    error: Error,
    /// Failed fetches in a row before this one.
    count: u32,
    at: Instant,
    /// No fetch is made for this long after `at`.
    pause: Duration,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self {
            single_flight: SingleFlight::default(),
            state: RefCell::new(State { value: None, fetched_at: None, failure: None }),
        }
    }
}

enum Lookup<T> {
    Use(Rc<T>),
    /// `fallback` is the stale value, if there is one.
    Fetch {
        fallback: Option<Rc<T>>,
    },
}

impl<T> State<T> {
    /// Whether the last fetch ended less than `span` ago.
    fn fetched_within(&self, span: Duration, now: Instant) -> bool {
        self.fetched_at.is_some_and(|at| now.since(at) < span)
    }

    fn lookup(&self, freshness: impl Fn(&T) -> Freshness, now: Instant) -> Lookup<T> {
        match &self.value {
            None => Lookup::Fetch { fallback: None },
            Some(value) => match freshness(value) {
                Freshness::Fresh => Lookup::Use(Rc::clone(value)),
                // The last fetch brought nothing fresher.
                Freshness::Stale if self.fetched_within(MIN_REFETCH_INTERVAL, now) => {
                    Lookup::Use(Rc::clone(value))
                }
                Freshness::Stale => Lookup::Fetch { fallback: Some(Rc::clone(value)) },
                Freshness::Expired => Lookup::Fetch { fallback: None },
            },
        }
    }

    /// The error of the last fetch, while its pause lasts.
    fn error_while_paused(&self, now: Instant) -> Option<Error> {
        let failure = self.failure.as_ref()?;
        (now.since(failure.at) < failure.pause).then(|| failure.error.clone())
    }

    /// Stores what a fetch returned: the value, or the error and the pause after it.
    fn record(&mut self, fetched: Result<T, Error>, now: Instant, random: u64) -> Result<Rc<T>, Error> {
        self.fetched_at = Some(now);
        match fetched {
            Ok(value) => {
                let value = Rc::new(value);
                self.value = Some(Rc::clone(&value));
                self.failure = None;
                Ok(value)
            }
            Err(error) => {
                let count = self.failure.as_ref().map_or(0, |failure| failure.count);
                let window = FIRST_PAUSE.saturating_mul(1u32.checked_shl(count).unwrap_or(u32::MAX));
                let half = window.min(MAX_PAUSE) / 2;
                let pause = (half + jitter(half, random)).max(error.retry_after().unwrap_or_default());
                let pause = pause.min(MAX_PAUSE);
                self.failure = Some(Failure {
                    error: error.clone(),
                    count: count.saturating_add(1).min(16),
                    at: now,
                    pause,
                });
                Err(error)
            }
        }
    }
}

/// The stale value if the error is temporary. A permanent error, such as a missing role, is returned: a stale value
/// would hide it.
fn fallback_or_error<T>(fallback: Option<Rc<T>>, error: Error) -> Result<Rc<T>, Error> {
    let is_temporary = error.is_retryable() || matches!(error.kind(), ErrorKind::Unexpected(_));
    match fallback {
        Some(value) if is_temporary => Ok(value),
        _ => Err(error),
    }
}

impl<T> Cache<T> {
    /// The value, fetched if no fresh one is cached.
    ///
    /// One caller fetches; the others use a stale value, or wait. After a failed fetch every caller gets the same
    /// error, or the stale value, during a pause that grows with each failure.
    pub(crate) async fn get(
        &self,
        env: &dyn Env,
        freshness: impl Fn(&T, Now) -> Freshness,
        fetch: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<Rc<T>, Error> {
        let lookup = || {
            let now = Now::of(env);
            self.state.borrow().lookup(|value| freshness(value, now), now.instant)
        };
        let fallback = match lookup() {
            Lookup::Use(value) => return Ok(value),
            Lookup::Fetch { fallback } => fallback,
        };
        let _permit = match (self.single_flight.try_acquire(), fallback) {
            (Some(permit), _) => permit,
            (None, Some(value)) => return Ok(value),
            (None, None) => self.single_flight.acquire(env).await,
        };
        // Another caller may have fetched while this one waited.
        let fallback = match lookup() {
            Lookup::Use(value) => return Ok(value),
            Lookup::Fetch { fallback } => fallback,
        };
        let paused = self.state.borrow().error_while_paused(env.instant());
        if let Some(error) = paused {
            return fallback_or_error(fallback, error);
        }
        let fetched = fetch().await;
        let recorded = self.state.borrow_mut().record(fetched, env.instant(), env.next_u64());
        recorded.or_else(|error| fallback_or_error(fallback, error))
    }

    /// Forgets `rejected`, which the service did not accept, unless the last fetch is too recent.
    pub(crate) fn forget(&self, now: Instant, rejected: &Rc<T>) {
        let mut state = self.state.borrow_mut();
        let is_current = state.value.as_ref().is_some_and(|current| Rc::ptr_eq(current, rejected));
        if is_current && !state.fetched_within(MIN_REFETCH_INTERVAL, now) {
            state.value = None;
        }
    }

    /// A value other than `rejected`, which the service did not accept: the one that another caller has fetched
    /// meanwhile, or a new one. `None` if the last fetch is too recent, or has failed and its pause lasts.
    pub(crate) async fn renew(
        &self,
        env: &dyn Env,
        rejected: &Rc<T>,
        fetch: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<Option<Rc<T>>, Error> {
        let _permit = self.single_flight.acquire(env).await;
        let now = env.instant();
        {
            let state = self.state.borrow();
            if let Some(current) = state.value.as_ref().filter(|current| !Rc::ptr_eq(current, rejected)) {
                return Ok(Some(Rc::clone(current)));
            }
            if state.fetched_within(MIN_REFETCH_INTERVAL, now) || state.error_while_paused(now).is_some() {
                return Ok(None);
            }
        }
        let fetched = fetch().await;
        self.state.borrow_mut().record(fetched, env.instant(), env.next_u64()).map(Some)
    }
}
