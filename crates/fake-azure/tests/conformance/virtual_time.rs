//! The fake in process: no sockets, and waiting costs nothing.
//!
//! The surroundings are its own, not those of `test-world`: the emulator and its tests know the storage client only,
//! and none of the project's other crates, which `test-world` needs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use azure::{Clock, Limits, Observer, Random, Transport, TransportError};
use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, EMULATOR_KEY, FakeAzure, Identity};
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::ground::{Credential, Ground, IDENTITY_HEADER, Kind};

/// The fake and a clock that moves when someone waits.
pub(crate) struct VirtualEnv {
    fake: RefCell<FakeAzure>,
    now: Cell<OffsetDateTime>,
    random: Cell<u64>,
}

impl Transport for VirtualEnv {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        _: Limits,
        _: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            // A request takes a moment, so that what happens later has a later time.
            self.now.set(self.now.get() + Duration::from_millis(1));
            Ok(self.fake.borrow_mut().handle(request, self.now.get()))
        })
    }
}

impl Clock for VirtualEnv {
    fn now(&self) -> OffsetDateTime {
        self.now.get()
    }

    fn instant(&self) -> azure::Instant {
        let since = self.now.get() - OffsetDateTime::UNIX_EPOCH;
        azure::Instant::since_origin(since.try_into().unwrap())
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            self.now.set(self.now.get() + duration);
        })
    }
}

impl Random for VirtualEnv {
    fn next_u64(&self) -> u64 {
        let next = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random.set(next);
        next
    }
}

/// Runs `scenario` on a new fake: with a key on the emulator's addresses, with an identity on those of Azure.
pub(crate) fn run(credential: Credential, scenario: impl AsyncFnOnce(&Ground)) {
    let mut config = Config {
        identities: vec![Identity::system_assigned("11111111-2222-3333-4444-555555555555")],
        identity_header: IDENTITY_HEADER.to_owned(),
        ..Config::default()
    };
    config.accounts.insert("myaccount".to_owned(), vec![EMULATOR_KEY.to_owned()]);
    let env = VirtualEnv {
        fake: RefCell::new(FakeAzure::new(config).unwrap()),
        now: Cell::new(datetime!(2026-11-20 10:00 UTC)),
        random: Cell::new(1),
    };
    let (account, blob, queue) = match credential {
        Credential::SharedKey => (
            EMULATOR_ACCOUNT,
            "http://127.0.0.1:10000/devstoreaccount1",
            "http://127.0.0.1:10001/devstoreaccount1",
        ),
        Credential::Identity => (
            "myaccount",
            "https://myaccount.blob.core.windows.net",
            "https://myaccount.queue.core.windows.net",
        ),
    };
    let ground = Ground::new(Rc::new(env), Kind::FakeAzure, credential, account, blob, queue);
    futures::executor::block_on(scenario(&ground));
}
