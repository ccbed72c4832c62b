//! The launcher's orders to a running drain: lines of the request body.

use futures::channel::oneshot;
use futures::future::Shared;
use futures::stream::{self, LocalBoxStream, StreamExt as _};
use service::body::RequestBody;

/// The longest line, in bytes. A launcher sends single words.
const MAX_LINE_BYTES: usize = 256;

/// An order to a running drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Receive no more messages; finish the running tasks.
    Stop,
    /// Stop the handlers too, and make their messages visible again.
    Release,
}

/// Becomes ready when the handlers must stop, or when the drain has ended.
pub(crate) type Released = Shared<oneshot::Receiver<()>>;

struct Lines<B> {
    body: B,
    pending: Vec<u8>,
    ended: bool,
}

/// Returns the orders in `body` as they arrive. The stream does not end; without a control stream it yields
/// nothing.
///
/// The end of the body, a broken body and a line of more than [`MAX_LINE_BYTES`] count as [`Order::Stop`]: the
/// launcher is gone.
pub(crate) fn orders<B: RequestBody + 'static>(body: Option<B>) -> LocalBoxStream<'static, Order> {
    let Some(body) = body else { return stream::pending().boxed_local() };
    let lines = Lines { body, pending: Vec::new(), ended: false };
    let orders = stream::unfold(lines, |mut lines| async move {
        let order = lines.next().await?;
        Some((order, lines))
    });
    orders.chain(stream::pending()).boxed_local()
}

impl<B: RequestBody> Lines<B> {
    async fn next(&mut self) -> Option<Order> {
        loop {
            while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                match line.trim_ascii() {
                    b"stop" => return Some(Order::Stop),
                    b"release" => return Some(Order::Release),
                    // A newer launcher may send orders that this worker does not know.
                    _ => {}
                }
            }
            if self.ended {
                return None;
            }
            match self.body.chunk().await {
                Ok(Some(chunk)) if self.pending.len() + chunk.len() <= MAX_LINE_BYTES => {
                    self.pending.extend_from_slice(&chunk);
                }
                Ok(_) | Err(_) => {
                    self.ended = true;
                    self.pending.clear();
                    return Some(Order::Stop);
                }
            }
        }
    }
}
