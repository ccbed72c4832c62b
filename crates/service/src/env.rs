//! What the service needs from its surroundings.

use models::Timestamp;

pub use azure::{Clock, Instant, Limits, Observer, Random, Transport, TransportError};

use logging::Log;

/// Transport, clock, randomness and log: implemented by the WASI guest and by the simulator.
pub trait Env: azure::Env + Log + 'static {
    /// The wall-clock time, for what is stored and shown. Pauses, deadlines and ages go by
    /// [`Clock::instant`].
    fn timestamp(&self) -> Timestamp {
        self.now().into()
    }

    /// Sixteen random bytes, for an id.
    fn random_bytes(&self) -> [u8; 16] {
        ((u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())).to_be_bytes()
    }
}

impl<T: azure::Env + Log + 'static> Env for T {}
