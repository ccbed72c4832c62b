//! True time at the beginning of every run.

/// 2026-11-22T05:00:00Z in seconds since 1970.
pub(crate) const EPOCH: i64 = 1_795_323_600;
