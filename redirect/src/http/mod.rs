//! The server: listeners and workers around the decisions.
//!
//! Each worker is a thread with a single-threaded runtime and listeners of its own; the kernel
//! deals connections out (SO_REUSEPORT). Workers share the pointer to the view, the node loads and
//! the counters, all without locks.

mod connection;
mod exchange;
mod listen;
mod patience;

use crate::config::RedirectConfig;
use crate::counters::Counters;
use crate::loads::NodeLoads;
use crate::view::HttpView;
use arc_swap::ArcSwap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Reason why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address could not be bound.
    #[error("cannot listen on {addr}: {fault}")]
    Address {
        /// The address.
        addr: SocketAddr,
        /// Error of the system.
        fault: io::Error,
    },
    /// There is nothing to listen on.
    #[error("no address to listen on: give at least one")]
    NoAddress,
    /// There are no workers.
    #[error("no workers: give at least one")]
    NoWorkers,
    /// A thread or its runtime could not be started.
    #[error("cannot start a worker: {0}")]
    Worker(io::Error),
}

/// State that workers and connections share.
pub(crate) struct Shared<S> {
    pub(crate) view: Arc<ArcSwap<S>>,
    pub(crate) config: RedirectConfig,
    pub(crate) counters: Arc<Counters>,
    pub(crate) loads: Arc<NodeLoads>,
    /// One permit per connection.
    pub(crate) room: Arc<Semaphore>,
}

/// A running server. Dropping it tells everything to stop, without waiting for it.
#[derive(Debug)]
pub struct RedirectServer {
    addrs: Vec<SocketAddr>,
    counters: Arc<Counters>,
    loads: Arc<NodeLoads>,
    stop: watch::Sender<bool>,
}

impl RedirectServer {
    /// Binds all addresses and starts to serve. `view` is loaded once per request; whoever swaps it
    /// changes all answers from then on.
    ///
    /// # Errors
    /// [`BindError`]; nothing keeps running then.
    pub fn bind<S>(config: RedirectConfig, view: Arc<ArcSwap<S>>) -> Result<Self, BindError>
    where
        S: AsRef<HttpView> + Send + Sync + 'static,
    {
        if config.listen.is_empty() {
            return Err(BindError::NoAddress);
        }
        if config.workers == 0 {
            return Err(BindError::NoWorkers);
        }
        let (addrs, listeners) = bind_all(&config)?;
        let counters = Arc::new(Counters::new(config.workers));
        let loads = Arc::new(NodeLoads::new());
        let connections_max = config.limits.connections_max.min(Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared {
            view,
            config,
            counters: Arc::clone(&counters),
            loads: Arc::clone(&loads),
            room: Arc::new(Semaphore::new(connections_max)),
        });
        let (stop, stopped) = watch::channel(false);
        // From here on an early return drops the sender, which stops what was started.
        let server = Self {
            addrs,
            counters,
            loads,
            stop,
        };
        for (worker, listeners) in listeners.into_iter().enumerate() {
            let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
            listen::start(worker, listeners, shared, stopped).map_err(BindError::Worker)?;
        }
        Ok(server)
    }

    /// The addresses that are served, in the order of the configuration, with the ports that were
    /// chosen.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Returns what was counted; outlives the server.
    #[must_use]
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Requests per node within the window; outlives the server.
    #[must_use]
    pub const fn loads(&self) -> &Arc<NodeLoads> {
        &self.loads
    }

    /// Stops taking connections, lets requests in progress end within the grace of the limits, and
    /// waits for that.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // Every worker holds a receiver until it ends.
        self.stop.closed().await;
    }
}

/// Listeners of each worker.
type Listeners = Vec<Vec<TcpListener>>;

/// Binds every address once per worker; the first of them chooses the port where that is ours to
/// choose.
fn bind_all(config: &RedirectConfig) -> Result<(Vec<SocketAddr>, Listeners), BindError> {
    let mut addrs = Vec::new();
    let mut listeners: Listeners = (0..config.workers).map(|_| Vec::new()).collect();
    for &addr in &config.listen {
        let fault = |fault| BindError::Address { addr, fault };
        let mut bound = addr;
        for (worker, listeners) in listeners.iter_mut().enumerate() {
            let listener = listen::bind(bound).map_err(fault)?;
            if worker == 0 {
                bound = listener.local_addr().map_err(fault)?;
            }
            listeners.push(listener);
        }
        addrs.push(bound);
    }
    Ok((addrs, listeners))
}
