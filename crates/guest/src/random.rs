//! Random numbers of the host, requested many at a time: each request is a call to the host.

use std::cell::RefCell;

use spin_sdk::wasip3::random::random::{get_random_bytes, get_random_u64};

/// Bytes of one request: the numbers of about ten submissions.
const POOL_BYTES: u64 = 512;

thread_local! {
    static POOL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A random number of the host. No number is returned twice.
pub(crate) fn next_u64() -> u64 {
    POOL.with_borrow_mut(|pool| {
        if pool.len() < size_of::<u64>() {
            *pool = get_random_bytes(POOL_BYTES);
        }
        let Some((rest, number)) = pool.split_last_chunk() else { return get_random_u64() };
        let (left, number) = (rest.len(), u64::from_le_bytes(*number));
        pool.truncate(left);
        number
    })
}
