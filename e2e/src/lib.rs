//! The whole system as processes on sockets, for tests that kill, stop and start its parts.
//!
//! `cargo xtask test` runs the tests of this package after it has built the programs; by themselves they build what
//! they need. `ACCEPTED_HOST` (`spin` or `embedded`) chooses what runs the components.

pub mod system;
pub mod tasks;
