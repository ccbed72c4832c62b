//! A value that is fetched once for all concurrent requests and kept while it is good.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::retry::jitter;
use crate::{Env, Error, ErrorKind, Instant};

/// A value that was refused by whom it was shown to is not fetched again sooner than this.
const RENEW_PAUSE: Duration = Duration::from_secs(5);
/// First and longest pause after failed fetches.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a request waits before it looks again whether the one that fetches is done: doubled each
/// time, up to the second value.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(40));

/// A moment by both clocks: ages and pauses go by the monotonic one, what services date by the wall clock.
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

/// How good a value is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// Use it.
    Fresh,
    /// Use it if no better one is to be had.
    Usable,
    /// Do not use it.
    Unfit,
}

/// Keeps a value; see [`get`](Cache::get) and [`renew`](Cache::renew).
///
/// The state is never borrowed across an await; `flight` is what concurrent requests wait for, so that
/// one of them fetches and the others find what it fetched.
pub(crate) struct Cache<T> {
    flight: Flight,
    state: RefCell<State<T>>,
}

/// Lets one request fetch at a time.
///
/// The others look again and again instead of being woken: in a WASI 0.3 instance one request cannot wake
/// another. Without wit-bindgen's `inter-task-wakeup` that panics, with it (0.57) wasmtime 48 and newer
/// trap, and either kills every request in flight on the instance.
#[derive(Default)]
struct Flight {
    taken: Cell<bool>,
}

struct Seat<'a>(&'a Cell<bool>);

impl Flight {
    fn try_board(&self) -> Option<Seat<'_>> {
        // Lazily: a seat that is made and thrown away would free the flight of whoever has it.
        (!self.taken.replace(true)).then(|| Seat(&self.taken))
    }

    async fn board(&self, env: &dyn Env) -> Seat<'_> {
        let (mut wait, longest) = LOOK_AGAIN;
        loop {
            match self.try_board() {
                Some(seat) => return seat,
                None => env.sleep(wait).await,
            }
            wait = (wait * 2).min(longest);
        }
    }
}

impl Drop for Seat<'_> {
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
    count: u32,
    at: Instant,
    pause: Duration,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self {
            flight: Flight::default(),
            state: RefCell::new(State { value: None, fetched_at: None, failure: None }),
        }
    }
}

enum Look<T> {
    Use(Rc<T>),
    Fetch { fallback: Option<Rc<T>> },
}

impl<T> State<T> {
    /// Whether the last fetch ended less than `span` ago.
    fn fetched_within(&self, span: Duration, now: Instant) -> bool {
        self.fetched_at.is_some_and(|at| now.since(at) < span)
    }

    fn look(&self, fitness: impl Fn(&T) -> Fitness, now: Instant) -> Look<T> {
        match &self.value {
            None => Look::Fetch { fallback: None },
            Some(value) => match fitness(value) {
                Fitness::Fresh => Look::Use(Rc::clone(value)),
                // Nothing better was to be had just now.
                Fitness::Usable if self.fetched_within(RENEW_PAUSE, now) => Look::Use(Rc::clone(value)),
                Fitness::Usable => Look::Fetch { fallback: Some(Rc::clone(value)) },
                Fitness::Unfit => Look::Fetch { fallback: None },
            },
        }
    }

    /// The error of the last fetch, while its pause lasts.
    fn paused(&self, now: Instant) -> Option<Error> {
        let failure = self.failure.as_ref()?;
        (now.since(failure.at) < failure.pause).then(|| failure.error.clone())
    }

    fn note(&mut self, fetched: Result<T, Error>, now: Instant, random: u64) -> Result<Rc<T>, Error> {
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
                let half = window.min(LONGEST_PAUSE) / 2;
                let pause = (half + jitter(half, random)).max(error.retry_after().unwrap_or_default());
                let pause = pause.min(LONGEST_PAUSE);
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

/// An old value is better than a failure that may pass, but not than a refusal.
fn fall_back<T>(fallback: Option<Rc<T>>, error: Error) -> Result<Rc<T>, Error> {
    let may_pass = error.is_retryable() || matches!(error.kind(), ErrorKind::Unexpected(_));
    match fallback {
        Some(value) if may_pass => Ok(value),
        _ => Err(error),
    }
}

impl<T> Cache<T> {
    /// The value, fetched when there is none that is fresh.
    ///
    /// One caller fetches; the others use a value that is still usable, or wait. After a failure the
    /// source is left alone for a while that grows, and everybody gets the same error.
    pub(crate) async fn get(
        &self,
        env: &dyn Env,
        fitness: impl Fn(&T, Now) -> Fitness,
        fetch: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<Rc<T>, Error> {
        let look = || {
            let now = Now::of(env);
            self.state.borrow().look(|value| fitness(value, now), now.instant)
        };
        let fallback = match look() {
            Look::Use(value) => return Ok(value),
            Look::Fetch { fallback } => fallback,
        };
        let _flight = match (self.flight.try_board(), fallback) {
            (Some(flight), _) => flight,
            (None, Some(value)) => return Ok(value),
            (None, None) => self.flight.board(env).await,
        };
        let fallback = match look() {
            Look::Use(value) => return Ok(value),
            Look::Fetch { fallback } => fallback,
        };
        let paused = self.state.borrow().paused(env.instant());
        if let Some(error) = paused {
            return fall_back(fallback, error);
        }
        let fetched = fetch().await;
        let noted = self.state.borrow_mut().note(fetched, env.instant(), env.next_u64());
        noted.or_else(|error| fall_back(fallback, error))
    }

    /// A value other than `refused`, which did not do: the one that somebody fetched meanwhile, else a
    /// new one. `None` when the last fetch was only just now.
    pub(crate) async fn renew(
        &self,
        env: &dyn Env,
        refused: &Rc<T>,
        fetch: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<Option<Rc<T>>, Error> {
        let _flight = self.flight.board(env).await;
        let now = env.instant();
        {
            let state = self.state.borrow();
            if let Some(current) = state.value.as_ref().filter(|current| !Rc::ptr_eq(current, refused)) {
                return Ok(Some(Rc::clone(current)));
            }
            if state.fetched_within(RENEW_PAUSE, now) || state.paused(now).is_some() {
                return Ok(None);
            }
        }
        let fetched = fetch().await;
        self.state.borrow_mut().note(fetched, env.instant(), env.next_u64()).map(Some)
    }
}
