//! The order in which a drain receives messages of different priorities.

/// What is known of the order of one drain.
#[derive(Debug, Default)]
pub struct Overtaking {
    /// `max_concurrency` of the only drain of the run; 0 if the order is not watched.
    pub(crate) slots: usize,
    /// Messages that were received since a message of each queue was passed over for the first time.
    pub(crate) passed: [usize; 3],
}
