//! Awaits several operations at once.

use std::cell::OnceCell;

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};

/// Awaits all operations at once and returns their results in order. The caller limits their number.
///
/// Each operation is boxed, so that a component contains one [`FuturesUnordered`] and not one for each kind of operation, as
/// with `join_all`.
pub async fn all<T>(operations: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let operations: Vec<_> = operations.into_iter().collect();
    let results: Vec<OnceCell<T>> = operations.iter().map(|_| OnceCell::new()).collect();
    run(operations
        .into_iter()
        .zip(&results)
        .map(|(operation, result)| {
            let boxed: LocalBoxFuture<'_, ()> = Box::pin(async move {
                let _ = result.set(operation.await);
            });
            boxed
        })
        .collect())
    .await;
    results.into_iter().filter_map(OnceCell::into_inner).collect()
}

async fn run(mut operations: FuturesUnordered<LocalBoxFuture<'_, ()>>) {
    while operations.next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_operations() {
        // The first operation ends last.
        let operations = [2, 0, 1].map(|turns| {
            let mut left = turns;
            poll_fn(move |context| {
                if left == 0 {
                    return Poll::Ready(turns);
                }
                left -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            })
        });
        let mut results = pin!(all(operations));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(results) = results.as_mut().poll(&mut context) {
                assert_eq!(results, [2, 0, 1]);
                return;
            }
        }
    }
}
