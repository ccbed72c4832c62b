//! The environment of a component: transport, clock, randomness and log.

use models::Timestamp;

pub use azure::{Clock, Instant, Limits, Observer, Random, Transport, TransportError};

use logging::Log;

/// Environment of a component, implemented by the WASI guest, the simulator and the tests.
pub trait Env: azure::Env + Log + 'static {
    /// The wall-clock time, for stored documents and responses. Pauses, deadlines and ages use [`Clock::instant`].
    fn timestamp(&self) -> Timestamp {
        self.now().into()
    }

    /// Returns 16 random bytes for an id.
    fn random_bytes(&self) -> [u8; 16] {
        ((u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())).to_be_bytes()
    }
}

impl<T: azure::Env + Log + 'static> Env for T {}
