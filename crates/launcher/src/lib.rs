//! The container entry point: hands the platform environment to Spin and drives the drain route.
