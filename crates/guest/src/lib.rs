//! The only library that names spin-sdk: transport, clock, randomness and configuration for WASI.
