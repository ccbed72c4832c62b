//! What a measurement means: comparisons whose two sides took turns, and tables of them.
//!
//! The measuring itself is in the program, because it links wasmtime.

pub mod comparison;
pub mod table;

pub use comparison::{Comparison, MIN_ROUNDS, Ratio, TooFewRounds};
pub use table::Table;
