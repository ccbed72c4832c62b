//! Runs the components of a spin.toml on wasmtime in process: development server and component tests.
