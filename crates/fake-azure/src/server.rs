//! The services on sockets: HTTP/1.1 with keep-alive, one port per service, an optional data file.

mod connection;
mod data_file;
mod options;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

pub use options::Options;

use crate::fake::FakeAzure;
use crate::service::Service;
use data_file::DataFile;

/// How long running requests get after a stop was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Most connections at a time; more wait.
const MAX_CONNECTIONS: usize = 1024;

/// What all connections share.
struct Shared {
    inner: Mutex<Inner>,
    /// By how much each response is delayed.
    latency: Duration,
    /// Says why the server cannot go on.
    failed: mpsc::UnboundedSender<io::Error>,
}

struct Inner {
    fake: FakeAzure,
    data_file: Option<DataFile>,
}

/// A running server.
pub struct Server {
    addresses: Vec<(Service, SocketAddr)>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    connections: Arc<Semaphore>,
    failures: mpsc::UnboundedReceiver<io::Error>,
}

impl Server {
    /// Binds the ports of `options` on 127.0.0.1 and serves, in tasks of the present tokio runtime. Reads the data
    /// file first, if there is one.
    ///
    /// # Errors
    /// When a port cannot be bound, the data file cannot be used, or a setting is wrong.
    pub async fn start(options: Options) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for (service, port) in options.ports() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on port {port} of 127.0.0.1: {error}"))
            })?;
            listeners.push((service, listener));
        }
        let addresses =
            listeners.iter().map(|(s, l)| Ok((*s, l.local_addr()?))).collect::<io::Result<Vec<_>>>()?;
        let mut fake = FakeAzure::new(options.config(&addresses)).map_err(io::Error::other)?;
        let data_file = options.data.as_deref().map(|path| DataFile::open(path, &mut fake)).transpose()?;

        let (failed, failures) = mpsc::unbounded_channel();
        let latency = Duration::from_millis(options.latency);
        let shared = Arc::new(Shared { inner: Mutex::new(Inner { fake, data_file }), latency, failed });
        let (stop, stopping) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        for (service, listener) in listeners {
            tokio::spawn(connection::accept(
                listener,
                service,
                Arc::clone(&shared),
                stopping.clone(),
                Arc::clone(&connections),
            ));
        }
        Ok(Self { addresses, shared, stop, connections, failures })
    }

    /// Where a service listens; `None` when it is not served.
    #[must_use]
    pub fn address(&self, service: Service) -> Option<SocketAddr> {
        self.addresses.iter().find(|(s, _)| *s == service).map(|(_, address)| *address)
    }

    /// Looks at, or changes, the services behind the sockets.
    pub fn with<R>(&self, action: impl FnOnce(&mut FakeAzure) -> R) -> R {
        action(&mut self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner).fake)
    }

    /// Waits until the server cannot go on, which normally never happens.
    pub async fn failure(&mut self) -> io::Error {
        self.failures.recv().await.unwrap_or_else(|| io::Error::other("the server has ended"))
    }

    /// Accepts nothing more, lets running requests finish for up to five seconds, and closes.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let idle = self.connections.acquire_many(all);
        // Requests that still run after that are cut off; what they stored is stored.
        let _ = tokio::time::timeout(GRACE, idle).await;
    }
}
