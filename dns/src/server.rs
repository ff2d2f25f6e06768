//! The server as a whole: binds its sockets, starts workers and acceptors, stops them.

use crate::config::DnsConfig;
use crate::counters::Counters;
use crate::shared::Shared;
use crate::view::DnsView;
use crate::{tcp, udp};
use arc_swap::ArcSwap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

/// Number of times that a free port is asked for that both UDP and TCP can have.
const PORT_TRIES_MAX: usize = 16;

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
    #[error("no UDP workers: give at least one per address")]
    NoWorkers,
    /// Called outside a tokio runtime.
    #[error("TCP needs a tokio runtime: start the server from inside one")]
    NoRuntime,
    /// A thread could not be started.
    #[error("cannot start a UDP worker: {0}")]
    Thread(io::Error),
}

/// A running server. Dropping it tells everything to stop without waiting for it.
#[derive(Debug)]
pub struct DnsServer {
    addrs: Vec<SocketAddr>,
    counters: Arc<Counters>,
    stop_udp: Arc<AtomicBool>,
    stop_tcp: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl DnsServer {
    /// Binds all addresses and starts to serve. `view` is loaded once per UDP batch and once per
    /// TCP message; whoever swaps it changes all replies from then on. Must be called inside a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`BindError`]; nothing keeps running then.
    pub fn bind<S>(config: DnsConfig, view: Arc<ArcSwap<S>>) -> Result<Self, BindError>
    where
        S: AsRef<DnsView> + Send + Sync + 'static,
    {
        let runtime = Handle::try_current().map_err(|_| BindError::NoRuntime)?;
        if config.listen.is_empty() {
            return Err(BindError::NoAddress);
        }
        if config.udp_workers == 0 {
            return Err(BindError::NoWorkers);
        }
        let mut addrs = Vec::new();
        let mut sockets = Vec::new();
        let mut listeners = Vec::new();
        for &addr in &config.listen {
            let fault = |fault| BindError::Address { addr, fault };
            let (first, listener) = bind_pair(addr).map_err(fault)?;
            let bound = first.local_addr().map_err(fault)?;
            sockets.push(first);
            for _ in 1..config.udp_workers {
                sockets.push(udp::bind(bound).map_err(fault)?);
            }
            listeners.push(async_listener(listener, &runtime).map_err(fault)?);
            addrs.push(bound);
        }
        let counters = Arc::new(Counters::new(sockets.len() + 1));
        let stop_udp = Arc::new(AtomicBool::new(false));
        let room = Arc::new(Semaphore::new(
            config.reply.tcp.connections_max.min(Semaphore::MAX_PERMITS),
        ));
        let shared = Arc::new(Shared {
            view,
            config,
            counters: Arc::clone(&counters),
            tcp_shard: sockets.len(),
            stop: Arc::clone(&stop_udp),
        });
        let (stop_tcp, stopped) = watch::channel(false);
        // From here on, an early return drops the server, which stops what was started.
        let mut server = Self {
            addrs,
            counters,
            stop_udp,
            stop_tcp,
            workers: Vec::new(),
        };
        for (worker, socket) in sockets.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let named = std::thread::Builder::new().name(format!("dns-udp-{worker}"));
            let started = named.spawn(move || udp::serve(&socket, &shared, worker));
            server.workers.push(started.map_err(BindError::Thread)?);
        }
        for listener in listeners {
            runtime.spawn(tcp::accept(
                listener,
                Arc::clone(&shared),
                Arc::clone(&room),
                stopped.clone(),
            ));
        }
        Ok(server)
    }

    /// The addresses that are served, in the order of the configuration, with the ports that were
    /// chosen. Each holds for UDP and TCP.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Returns what was counted; outlives the server.
    #[must_use]
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Stops serving: UDP workers finish their batch (within 200 ms), connections are closed.
    pub async fn shutdown(mut self) {
        self.stop();
        let workers = std::mem::take(&mut self.workers);
        let join = move || {
            workers
                .into_iter()
                .map(JoinHandle::join)
                .filter(Result::is_err)
                .count()
        };
        match tokio::task::spawn_blocking(join).await {
            Ok(0) => {}
            Ok(failed) => tracing::error!(failed, "UDP workers had ended by a panic"),
            Err(fault) => tracing::error!(%fault, "could not wait for the UDP workers"),
        }
    }

    fn stop(&self) {
        self.stop_udp.store(true, Ordering::Relaxed);
        self.stop_tcp.send_replace(true);
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// UDP and TCP on one port. Where the port is ours to choose, one is looked for that is free for
/// both.
fn bind_pair(addr: SocketAddr) -> io::Result<(UdpSocket, StdListener)> {
    let mut tries = if addr.port() == 0 { PORT_TRIES_MAX } else { 1 };
    loop {
        tries -= 1;
        let socket = udp::bind(addr)?;
        match tcp::bind(socket.local_addr()?) {
            Ok(listener) => return Ok((socket, listener)),
            Err(fault) if tries == 0 => return Err(fault),
            Err(_) => {}
        }
    }
}

/// Hands a listener to the runtime.
fn async_listener(listener: StdListener, runtime: &Handle) -> io::Result<TcpListener> {
    let _inside = runtime.enter();
    TcpListener::from_std(listener)
}
