//! One connection, from accept to close.

use super::Shared;
use super::exchange::{Ends, exchange};
use super::listen::told_to_stop;
use super::patience::Patient;
use crate::counters::Event;
use crate::view::HttpView;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Longest head of a request, request line included, in bytes; more is 431.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most header fields of a request; more is 431.
const HEADERS_MAX: usize = 64;

/// Serves a connection until it ends, stalls, or shutdown is asked for.
pub(super) async fn serve<S>(
    worker: usize,
    stream: TcpStream,
    peer: SocketAddr,
    shared: &Shared<S>,
    mut ending: watch::Receiver<bool>,
) where
    S: AsRef<HttpView>,
{
    // Answers are single small segments: waiting to fill them only costs time. A failure costs no
    // more than that.
    let _ = stream.set_nodelay(true);
    let local = stream
        .local_addr()
        .map_or_else(|_| peer.ip(), |addr| addr.ip());
    let ends = Ends {
        worker,
        peer: peer.ip(),
        local: local.to_canonical(),
    };
    let service =
        service_fn(|request| ready(Ok::<_, Infallible>(exchange(&request, &ends, shared))));
    let expired = AtomicBool::new(false);
    let io = TokioIo::new(Patient::new(stream, &shared.config.limits, &expired));
    let connection = http1::Builder::new()
        // Time is kept below, by bytes on the wire, for heads, silence and stalled writes alike.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told_to_stop(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if expired.load(Ordering::Relaxed) {
        shared.counters.count(worker, Event::TimedOut);
    } else if ended.is_err_and(|fault| fault.is_parse()) {
        shared.counters.count(worker, Event::Malformed);
    }
}
