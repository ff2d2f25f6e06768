//! The UDP front: a thread, a socket and a core per worker. It loads the view once per batch,
//! answers, sends, counts.

use crate::arrival::{Arrival, Transport};
use crate::counters::{Event, Tally};
use crate::fast::{Staged, finish, stage};
use crate::respond::respond_completely;
use crate::shared::{Shared, guarded};
use crate::sys::{BATCH, Batch, pin_thread, set_udp_options};
use crate::view::DnsView;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time for which a worker waits for a datagram before it looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(200);
/// Time for which sending may wait for room in the socket's queue before the rest of a batch is
/// dropped.
const SEND_WAIT: Duration = Duration::from_millis(50);
/// Time for which a worker rests after receiving failed, so that a lasting fault does not burn a
/// core.
const FAULT_REST: Duration = Duration::from_millis(10);
/// Socket buffers: what a worker may be behind, about 4,000 questions.
const BUFFER_BYTES: usize = 4 << 20;

/// A socket of the group that shares `addr`.
///
/// # Errors
/// Those of the system calls, such as an address in use or not ours.
pub(crate) fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(true)?;
    set_udp_options(socket.as_fd(), addr)?;
    // The system may cap these; what it grants will do.
    socket.set_recv_buffer_size(BUFFER_BYTES)?;
    socket.set_send_buffer_size(BUFFER_BYTES)?;
    socket.set_read_timeout(Some(STOP_CHECK))?;
    socket.set_write_timeout(Some(SEND_WAIT))?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// Serves until told to stop. `worker` counts over all addresses.
pub(crate) fn serve<S>(socket: &UdpSocket, shared: &Arc<Shared<S>>, worker: usize)
where
    S: AsRef<DnsView> + Send + Sync,
{
    if shared.config.pin
        && let Err(fault) = pin_thread(worker)
    {
        tracing::warn!(worker, %fault, "cannot keep the worker on one core; going on without");
    }
    let many_addresses = socket
        .local_addr()
        .map_or(true, |addr| addr.ip().is_unspecified());
    let mut batch = Batch::new(many_addresses);
    while !shared.stop.load(Ordering::Relaxed) {
        let mut tally = Tally::default();
        match batch.receive(socket.as_fd()) {
            Ok(received) => {
                answer_batch(&mut batch, received, shared, &mut tally);
                for _ in 0..batch.send(socket.as_fd()) {
                    tally.count(Event::Unsent);
                }
            }
            Err(fault)
                if matches!(fault.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                continue;
            }
            Err(fault) => {
                tally.count(Event::ReceiveFailed);
                tracing::debug!(worker, %fault, "receiving failed");
                std::thread::sleep(FAULT_REST);
            }
        }
        shared.counters.add(worker, &tally);
    }
}

/// Answers all datagrams of a batch from one load of the view: reads them all, looks all clients
/// up, then replies. What a lookup waits for is memory, and many wait better together than one
/// after the other.
fn answer_batch<S: AsRef<DnsView>>(
    batch: &mut Batch,
    received: usize,
    shared: &Shared<S>,
    tally: &mut Tally,
) {
    let current = shared.view.load();
    let view = AsRef::<DnsView>::as_ref(&**current);
    let (config, now_s) = (&shared.config.reply, shared.now_s());
    let arrival = |peer| Arrival {
        peer,
        transport: Transport::Udp,
        now_s,
    };
    let (queries, mut replies) = batch.split();
    let mut staged: [Option<Staged<'_>>; BATCH] = [const { None }; BATCH];
    let (mut clients, mut found) = ([None; BATCH], [None; BATCH]);
    for index in 0..received {
        let (message, peer) = queries.get(index);
        staged[index] = guarded(tally, |_| stage(message, &arrival(peer), view, config));
        clients[index] = staged[index].as_ref().map(|staged| staged.addr);
    }
    view.snapshot
        .table
        .lookup_all(&clients[..received], &mut found[..received]);
    for index in 0..received {
        let (message, peer) = queries.get(index);
        let out = replies.room(index);
        let len = guarded(tally, |tally| {
            let quick = staged[index].as_ref().zip(found[index]);
            quick
                .and_then(|(staged, found)| finish(message, staged, found, view, out, tally))
                .or_else(|| respond_completely(message, &arrival(peer), view, config, out, tally))
        });
        replies.set_len(index, len.unwrap_or(0));
    }
}
