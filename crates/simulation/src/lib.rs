//! Runs the API and the worker under seeded faults in virtual time and checks the promises of the design.
//!
//! A [`scenario`] comes from a seed ([`generate`], [`outage`]) and says everything that happens. The [`world`] plays it:
//! machines and clocks ([`executor`]), the [`network`] with its faults, storage ([`cloud`]), clients, launchers,
//! handlers and receivers of events. The components run in a [`fleet`]: natively ([`native`]), or as the shipped WebAssembly (feature
//! `wasm`). Every request passes the [`record`], a second picture of storage, which checks each [`promise`] as
//! it is kept or broken ([`watch`], [`documents`], [`deliveries`], [`drains`], [`overtaking`], [`responses`], [`verdict`]). A [`mutation`] is a deliberate mistake that the
//! checks must detect.

pub mod batch;
pub mod call;
pub mod clients;
pub mod cloud;
mod crowd;
pub mod deliveries;
pub mod documents;
pub mod drains;
mod edit;
pub mod env;
mod epoch;
pub mod executor;
mod fault;
pub mod fault_period;
mod firings;
pub mod fleet;
pub mod former;
pub mod garbage;
pub mod generate;
pub mod handler;
pub mod knobs;
pub mod launcher;
mod limits;
mod lost_queue;
pub mod mutation;
pub mod native;
pub mod network;
mod op;
pub mod outage;
pub mod overtaking;
pub mod pause;
pub mod plan;
pub mod promise;
mod queues;
pub mod random;
pub mod receive;
pub mod receiver;
pub mod record;
pub mod requests;
pub mod responses;
pub mod run;
pub mod scenario;
pub mod schedules;
pub mod search;
pub mod secrets;
pub mod tampering;
mod unreliable;
mod update;
pub mod verdict;
#[cfg(feature = "wasm")]
pub mod wasm;
pub mod watch;
pub mod world;
pub mod xml;
