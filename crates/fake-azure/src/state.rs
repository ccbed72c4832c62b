//! What is stored, and the changes that bring it there.
//!
//! Every mutation is one [`Change`]; applying the same changes to an empty state gives the same state. That is what
//! the journal of the server writes down.

pub(crate) mod blob;
mod moment;
pub(crate) mod queue;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub(crate) use moment::Moment;

use blob::{Blob, Block, Container, ContainerInfo};
use queue::{Message, Queue, QueueInfo};

/// One account's data.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccountState {
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) queues: BTreeMap<String, Queue>,
    /// Until when the names of deleted containers and queues stay taken.
    pub(crate) containers_going: BTreeMap<String, OffsetDateTime>,
    pub(crate) queues_going: BTreeMap<String, OffsetDateTime>,
}

/// One step from a state to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    /// A container is there, with this description; its blobs stay.
    Container {
        account: String,
        name: String,
        container: ContainerInfo,
    },
    /// A container was deleted; its name is free again at `until`.
    ContainerGone {
        account: String,
        name: String,
        until: Moment,
    },
    Blob {
        account: String,
        container: String,
        name: String,
        blob: Box<Blob>,
    },
    /// A block is there that belongs to no blob yet.
    Block {
        account: String,
        container: String,
        name: String,
        block: Block,
    },
    BlobGone {
        account: String,
        container: String,
        name: String,
    },
    Queue {
        account: String,
        name: String,
        info: QueueInfo,
    },
    QueueGone {
        account: String,
        name: String,
        until: Moment,
    },
    Message {
        account: String,
        queue: String,
        message: Box<Message>,
    },
    MessageGone {
        account: String,
        queue: String,
        sequence: u64,
    },
    QueueCleared {
        account: String,
        queue: String,
    },
    /// Ids up to this one were given out.
    Counter(u64),
}

/// All accounts, with a record of changes if one was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    accounts: BTreeMap<String, AccountState>,
    recorded: Option<Vec<Change>>,
}

impl State {
    /// What the account holds; an account without data is an empty one.
    pub(crate) fn account(&mut self, name: &str) -> &mut AccountState {
        self.accounts.entry(name.to_owned()).or_default()
    }

    /// What the account holds, to look at.
    pub(crate) fn view(&self, name: &str) -> Option<&AccountState> {
        self.accounts.get(name)
    }

    /// Starts recording changes.
    pub(crate) fn record(&mut self) {
        self.recorded.get_or_insert_default();
    }

    /// The changes since the last call, in order.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.recorded.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Performs `change`, and records it when asked to.
    pub(crate) fn apply(&mut self, change: Change) {
        if let Some(recorded) = &mut self.recorded {
            recorded.push(change.clone());
        }
        match change {
            Change::Container { account, name, container } => {
                let account = self.account(&account);
                account.containers_going.remove(&name);
                account.containers.entry(name).or_default().info = Some(container);
            }
            Change::ContainerGone { account, name, until } => {
                let account = self.account(&account);
                account.containers.remove(&name);
                account.containers_going.insert(name, until.0);
            }
            Change::Blob { account, container, name, blob } => {
                let container = self.account(&account).containers.entry(container).or_default();
                // A blob that is written takes the blocks, or discards them.
                container.uncommitted.retain(|(of, _), _| *of != name);
                container.blobs.insert(name, *blob);
            }
            Change::Block { account, container, name, block } => {
                let container = self.account(&account).containers.entry(container).or_default();
                container.uncommitted.insert((name, block.id), block.content);
            }
            Change::BlobGone { account, container, name } => {
                if let Some(container) = self.account(&account).containers.get_mut(&container) {
                    container.blobs.remove(&name);
                }
            }
            Change::Queue { account, name, info } => {
                let account = self.account(&account);
                account.queues_going.remove(&name);
                account.queues.entry(name).or_default().info = info;
            }
            Change::QueueGone { account, name, until } => {
                let account = self.account(&account);
                account.queues.remove(&name);
                account.queues_going.insert(name, until.0);
            }
            Change::Message { account, queue, message } => {
                self.account(&account).queues.entry(queue).or_default().upsert(*message);
            }
            Change::MessageGone { account, queue, sequence } => {
                if let Some(queue) = self.account(&account).queues.get_mut(&queue) {
                    queue.remove(sequence);
                }
            }
            Change::QueueCleared { account, queue } => {
                if let Some(queue) = self.account(&account).queues.get_mut(&queue) {
                    queue.clear();
                }
            }
            Change::Counter(_) => {}
        }
    }

    /// The changes that lead from nothing to this state.
    pub(crate) fn as_changes(&self) -> impl Iterator<Item = Change> + '_ {
        self.accounts.iter().flat_map(|(account, data)| {
            let containers = data.containers.iter().flat_map(move |(name, container)| {
                let head = container.info.clone().map(|info| Change::Container {
                    account: account.clone(),
                    name: name.clone(),
                    container: info,
                });
                let blobs = container.blobs.iter().map(move |(blob_name, blob)| Change::Blob {
                    account: account.clone(),
                    container: name.clone(),
                    name: blob_name.clone(),
                    blob: Box::new(blob.clone()),
                });
                // After the blobs, whose changes would discard them.
                let blocks = container.uncommitted.iter().map(move |((of, id), content)| Change::Block {
                    account: account.clone(),
                    container: name.clone(),
                    name: of.clone(),
                    block: Block { id: id.clone(), content: content.clone() },
                });
                head.into_iter().chain(blobs).chain(blocks)
            });
            let queues = data.queues.iter().flat_map(move |(name, queue)| {
                let head =
                    Change::Queue { account: account.clone(), name: name.clone(), info: queue.info.clone() };
                std::iter::once(head).chain(queue.iter().map(move |message| Change::Message {
                    account: account.clone(),
                    queue: name.clone(),
                    message: Box::new(message.clone()),
                }))
            });
            let going = data.containers_going.iter().map(move |(name, until)| Change::ContainerGone {
                account: account.clone(),
                name: name.clone(),
                until: Moment(*until),
            });
            let queues_going = data.queues_going.iter().map(move |(name, until)| Change::QueueGone {
                account: account.clone(),
                name: name.clone(),
                until: Moment(*until),
            });
            containers.chain(queues).chain(going).chain(queues_going)
        })
    }
}
