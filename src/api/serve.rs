//! The accept loop of the API: bounded connections, bounded waiting for a request's head, an end
//! that does not hang.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Most connections at once; more wait in the listener's backlog.
const CONNECTIONS_MAX: u32 = 10_000;
/// Longest time for a request's head to come, idle time between requests included. A client that
/// sends a byte now and then holds a connection no longer than this. Our own client gives up idle
/// connections earlier.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Most lines in a request's head.
const HEAD_LINES_MAX: usize = 64;
/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Time that open requests have to end when the process ends.
const GRACE: Duration = Duration::from_secs(2);
/// Longest time that a connection whose end we have sent is still read: closing it with bytes
/// unread would reset it, and the peer might lose the answer to a request that it was still sending
/// (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// Pause after the system refused a connection, such as when it ran out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` until `shutdown` turns true or its sender is gone; then open requests have two
/// seconds to end.
///
/// # Errors
/// When the listener is not usable at all.
pub(crate) async fn serve(
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
                // Without it answers may wait for the peer's acknowledgements; nothing breaks.
                let _ = stream.set_nodelay(true);
                let (router, shutdown) = (router.clone(), shutdown.clone());
                tokio::spawn(async move {
                    connection(stream, router, HEAD_TIMEOUT, shutdown).await;
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

/// One connection to its end; `head_timeout` bounds the time for each head.
async fn connection(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    head_timeout: Duration,
    mut shutdown: watch::Receiver<bool>,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_headers(HEAD_LINES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(&mut stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    let mut told = pin!(async { drop(shutdown.wait_for(|shutdown| *shutdown).await) });
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = told.as_mut() => {
            serving.as_mut().graceful_shutdown();
            drop(tokio::time::timeout(GRACE, serving).await);
            return;
        }
    };
    match ended {
        Ok(()) => tokio::select! {
            _ = tokio::time::timeout(LINGER, read_to_end(stream)) => {}
            () = told => {}
        },
        // The peer went away or spoke no HTTP; neither is ours to mend.
        Err(fault) => tracing::debug!(%fault, "an API connection ended early"),
    }
}

/// Reads what still comes, to throw it away.
async fn read_to_end(mut stream: impl AsyncRead + Unpin) {
    let mut scratch = vec![0; 16 << 10];
    while stream.read(&mut scratch).await.is_ok_and(|count| count > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::time::Instant;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::sleep;

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(60);

    /// A connection to a router that says `ok`, and the end of its serving.
    fn open(
        head_timeout: Duration,
        shutdown: &watch::Sender<bool>,
    ) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let routes = Router::new().route("/", get(|| async { "ok" }));
        let (ours, theirs) = duplex(64 << 10);
        let serving = connection(theirs, routes, head_timeout, shutdown.subscribe());
        (ours, tokio::spawn(serving))
    }

    /// All that comes back until the connection ends.
    async fn exchange(mut peer: DuplexStream, request: &str) -> String {
        // The answer may come, and the connection end, before all is written.
        let _ = peer.write_all(request.as_bytes()).await;
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_head_that_never_ends_holds_no_connection() {
        let stop = watch::Sender::new(false);
        let (mut peer, served) = open(SHORT, &stop);
        let started = Instant::now();
        let mut written = peer.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await;
        while written.is_ok() && !served.is_finished() && started.elapsed() < LONG {
            sleep(SHORT / 10).await;
            written = peer.write_all(b"a: b\r\n").await;
        }
        assert!(started.elapsed() >= SHORT && started.elapsed() < SHORT * 10);
    }

    #[tokio::test]
    async fn an_idle_connection_ends() {
        let stop = watch::Sender::new(false);
        let (peer, _served) = open(SHORT, &stop);
        let answer = exchange(peer, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn heads_are_bounded_in_lines_and_bytes() {
        let stop = watch::Sender::new(false);
        let many = "a: b\r\n".repeat(HEAD_LINES_MAX + 1);
        let long = format!("a: {}\r\n", "b".repeat(HEAD_BYTES_MAX * 2));
        for lines in [many, long] {
            let (peer, _served) = open(SHORT, &stop);
            let head = format!("GET / HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
            let answer = exchange(peer, &head).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_end_does_not_wait_for_idle_peers() {
        let stop = watch::Sender::new(false);
        let (_peer, served) = open(LONG, &stop);
        let started = Instant::now();
        stop.send_replace(true);
        served.await.unwrap();
        assert!(started.elapsed() < GRACE, "{:?}", started.elapsed());
    }
}
