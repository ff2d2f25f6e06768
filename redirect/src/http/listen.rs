//! A worker: its thread, its listeners, and the end of both.

use super::{Shared, connection};
use crate::counters::Event;
use crate::view::HttpView;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Connections that the kernel keeps ready while a worker is busy; it cuts this to its own bound.
const BACKLOG: i32 = 1024;
/// Rest after the system refused a connection, most often for want of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A listener that shares its port with those of the other workers.
pub(super) fn bind(addr: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        // IPv4 has listeners of its own, so that `[::]` and `0.0.0.0` can both be configured.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Starts a worker. It ends when `stopped` becomes true or its sender is gone.
pub(super) fn start<S>(
    worker: usize,
    listeners: Vec<StdListener>,
    shared: Arc<Shared<S>>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsRef<HttpView> + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let entered = runtime.enter();
    let listeners = listeners.into_iter().map(TcpListener::from_std);
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    drop(entered);
    let named = std::thread::Builder::new().name(format!("http-{worker}"));
    named.spawn(move || runtime.block_on(work(worker, listeners, shared, stopped)))?;
    Ok(())
}

/// Waits until the server is told to stop.
pub(super) async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the server was dropped, which stops it as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Runs the accept loops of a worker, then waits for its connections to end.
async fn work<S>(
    worker: usize,
    listeners: Vec<TcpListener>,
    shared: Arc<Shared<S>>,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsRef<HttpView> + Send + Sync + 'static,
{
    if worker == 0 {
        tokio::spawn(fade_loads(Arc::clone(&shared)));
    }
    // Each loop and connection holds a sender; the receiver ends when the last one is gone.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    for listener in listeners {
        let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
        tokio::spawn(accept(worker, listener, shared, stopped, alive.clone()));
    }
    drop(alive);
    told_to_stop(&mut stopped).await;
    let grace = shared.config.limits.shutdown_grace;
    if timeout(grace, all_gone.recv()).await.is_err() {
        tracing::info!(
            worker,
            "connections were cut off at the end of the shutdown grace"
        );
    }
}

/// Takes connections until told to stop.
async fn accept<S>(
    worker: usize,
    listener: TcpListener,
    shared: Arc<Shared<S>>,
    mut stopped: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) where
    S: AsRef<HttpView> + Send + Sync + 'static,
{
    let ending = stopped.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told_to_stop(&mut stopped) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                tracing::debug!(%fault, "no connection could be taken");
                shared.counters.count(worker, Event::AcceptFailed);
                sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&shared.room).try_acquire_owned() else {
            // Dropped, which closes it: a client that can be told so can also hold a place.
            shared.counters.count(worker, Event::ConnectionRefused);
            continue;
        };
        shared.counters.count(worker, Event::Connection);
        let (shared, ending, alive) = (Arc::clone(&shared), ending.clone(), alive.clone());
        tokio::spawn(async move {
            connection::serve(worker, stream, peer, &shared, ending).await;
            drop((permit, alive));
        });
    }
}

/// Lets node loads fade, for all workers. Ends with the runtime.
async fn fade_loads<S>(shared: Arc<Shared<S>>) {
    let window = shared
        .config
        .limits
        .load_window
        .max(Duration::from_millis(1));
    let mut windows = interval(window);
    windows.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    windows.tick().await;
    loop {
        windows.tick().await;
        shared.loads.halve();
    }
}
