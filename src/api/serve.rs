//! The accept loop of the API: bounded connections, bounded waiting for a request's head, an end that does not hang.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Most connections at once; more wait in the listener's backlog.
const CONNECTIONS_MAX: u32 = 10_000;
/// Longest time for a request's head to come, idle time between requests included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Time that open requests have to end when the process ends.
const GRACE: Duration = Duration::from_secs(2);
/// Pause after the system refused a connection, such as when it ran out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` until `shutdown` turns true or its sender is gone; then open requests have two seconds to end.
///
/// # Errors
/// When the listener is not usable at all.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    listener.local_addr()?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|shutdown| *shutdown) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, shutdown) = (router.clone(), shutdown.clone());
                tokio::spawn(async move {
                    connection(stream, router, shutdown).await;
                    drop(place);
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "the API cannot take a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    // Every place back means that every connection has ended.
    let _ = tokio::time::timeout(GRACE + PAUSE, places.acquire_many(CONNECTIONS_MAX)).await;
    Ok(())
}

/// One connection to its end.
async fn connection(stream: TcpStream, router: Router, mut shutdown: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    let told = async { drop(shutdown.wait_for(|shutdown| *shutdown).await) };
    let ended = tokio::select! {
        ended = serving.as_mut() => Some(ended),
        () = told => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        serving.as_mut().graceful_shutdown();
        tokio::time::timeout(GRACE, serving).await.unwrap_or(Ok(()))
    };
    if let Err(fault) = ended {
        // The peer went away or spoke no HTTP; neither is ours to mend.
        tracing::debug!(%fault, "an API connection ended early");
    }
}
