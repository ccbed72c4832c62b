//! What the launcher says while a drain runs: lines of the request body.

use futures::channel::oneshot;
use futures::future::Shared;
use futures::stream::{self, LocalBoxStream, StreamExt as _};
use service::body::RequestBody;

/// Longest line; a launcher sends single words.
const LONGEST_LINE: usize = 256;

/// An order to a running drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Receive nothing new; finish what runs.
    Stop,
    /// Stop the handlers as well and hand their messages back.
    Release,
}

/// Becomes ready when handlers must stop; the sender says so or is dropped with the drain.
pub(crate) type Released = Shared<oneshot::Receiver<()>>;

struct Lines<B> {
    body: B,
    pending: Vec<u8>,
    ended: bool,
}

/// The orders of one drain as they arrive, then nothing for ever; without a control stream there never are
/// any. A body that breaks or ends counts as [`Order::Stop`]: whoever asked for the drain is gone.
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
                    // A newer launcher may say more than this worker understands.
                    _ => {}
                }
            }
            if self.ended {
                return None;
            }
            match self.body.chunk().await {
                Ok(Some(chunk)) if self.pending.len() + chunk.len() <= LONGEST_LINE => {
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
