//! DNS over TCP (RFC 7766): two octets of length before each message, any number of questions on a
//! connection, answered in order. Questions that have arrived together are answered together and
//! leave in one segment.

use crate::arrival::{Arrival, Transport};
use crate::config::TcpConfig;
use crate::counters::{Event, Tally};
use crate::respond::respond;
use crate::shared::{Shared, guarded};
use crate::view::DnsView;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// The length prefix of a message.
const LENGTH_BYTES: usize = 2;
/// Room for replies at first; nearly all fit.
const SCRATCH_BYTES: usize = 4096;
/// Longest message.
const MESSAGE_BYTES_MAX: usize = u16::MAX as usize;
/// Replies are sent when they have grown to this, before more questions are answered.
const FLUSH_BYTES: usize = 64 << 10;
/// Time for which accepting rests after it failed (no file descriptors left, mostly).
const FAULT_REST: Duration = Duration::from_millis(10);

/// A listening socket. Beside UDP on the same port.
///
/// # Errors
/// Those of the system calls.
pub(crate) fn bind(addr: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until told to stop.
pub(crate) async fn accept<S>(
    listener: TcpListener,
    shared: Arc<Shared<S>>,
    room: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsRef<DnsView> + Send + Sync + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                tracing::debug!(%fault, "accepting failed");
                tokio::time::sleep(FAULT_REST).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            shared.count_tcp(Event::ConnectionRefused);
            continue;
        };
        let connection = Connection {
            stream,
            peer,
            shared: Arc::clone(&shared),
            room: Arc::clone(&room),
        };
        let mut stop = stop.clone();
        tokio::spawn(async move {
            let _permit: OwnedSemaphorePermit = permit;
            tokio::select! {
                // A connection that fails is the peer's affair; there is nobody to tell.
                _ = connection.serve() => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    }
}

/// One connection.
struct Connection<S> {
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared<S>>,
    room: Arc<Semaphore>,
}

/// Outcome of the bytes at hand.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// All whole messages are answered; more bytes are needed.
    Wait,
    /// There is more at hand, but what is answered goes out first.
    Flush,
    /// The peer talks nonsense: send what is answered, then close.
    Close,
}

/// Event a connection is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Between messages a client may rest, up to the idle timeout.
    Resting,
    /// Once it has begun a message, it has to get on with it.
    Receiving,
}

impl<S: AsRef<DnsView> + Send + Sync> Connection<S> {
    /// Reads, answers and writes until the peer is done, silent for too long, or talks nonsense.
    async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let config = self.shared.config.reply.tcp.clone();
        let mut input = Vec::with_capacity(512);
        let mut output = Vec::new();
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut patience = Patience::Resting;
        let mut deadline = Instant::now();
        loop {
            let turn = self.answer_all(&mut input, &mut output, &mut scratch);
            let answered = !output.is_empty();
            if answered {
                // RFC 7766 section 8: length and message go out in one write.
                timeout(config.io_timeout, self.stream.write_all(&output)).await??;
                output.clear();
                output.shrink_to(FLUSH_BYTES);
            }
            match turn {
                Turn::Flush => continue,
                Turn::Close => break,
                Turn::Wait => {}
            }
            if input.is_empty() {
                patience = Patience::Resting;
                deadline = Instant::now() + self.idle_timeout(&config);
            } else if answered || patience == Patience::Resting {
                // Single octets do not buy time: the whole message has to come before the deadline.
                patience = Patience::Receiving;
                deadline = Instant::now() + config.io_timeout;
            }
            let read = timeout_at(deadline, self.stream.read_buf(&mut input)).await??;
            if read == 0 {
                // The peer has closed its half (RFC 7766 section 6.2.4); everything whole was
                // answered above.
                break;
            }
        }
        self.stream.shutdown().await
    }

    /// The idle timeout in force: a fifth of it while more than half of all connections are in use.
    fn idle_timeout(&self, config: &TcpConfig) -> Duration {
        let crowded = self.room.available_permits() < config.connections_max / 2;
        if crowded {
            config.idle_timeout / 5
        } else {
            config.idle_timeout
        }
    }

    /// Answers whole messages of `input` and takes them out of it, up to the bounds of one turn.
    fn answer_all(&self, input: &mut Vec<u8>, output: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Turn {
        let config = &self.shared.config.reply.tcp;
        let idle_100ms =
            u16::try_from(self.idle_timeout(config).as_millis() / 100).unwrap_or(u16::MAX);
        let arrival = Arrival {
            peer: self.peer,
            transport: Transport::Tcp { idle_100ms },
            now_s: self.shared.now_s(),
        };
        let mut used = 0;
        let mut turn = Turn::Flush;
        for _ in 0..config.in_flight_max.max(1) {
            let Some(message) = next_message(&input[used..]) else {
                turn = Turn::Wait;
                break;
            };
            used += LENGTH_BYTES + message.len();
            let Some(len) = self.answer_one(message, &arrival, scratch) else {
                // RFC 7766 section 8: what cannot be answered at all is not DNS.
                turn = Turn::Close;
                break;
            };
            output.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
            output.extend_from_slice(&scratch[..len]);
            if output.len() >= FLUSH_BYTES {
                break;
            }
        }
        input.drain(..used);
        turn
    }

    /// Answers one message from one load of the view. A reply that does not fit is written once
    /// more with all the room that a TCP message can have.
    fn answer_one(
        &self,
        message: &[u8],
        arrival: &Arrival,
        scratch: &mut Vec<u8>,
    ) -> Option<usize> {
        let shared = &self.shared;
        let current = shared.view.load();
        let view = AsRef::<DnsView>::as_ref(&**current);
        let attempt = |scratch: &mut [u8]| {
            let mut tally = Tally::default();
            let len = guarded(&mut tally, |tally| {
                respond(message, arrival, view, &shared.config.reply, scratch, tally)
            });
            (len, tally)
        };
        let (mut len, mut tally) = attempt(scratch);
        if tally.get(Event::Truncated) > 0 && scratch.len() < MESSAGE_BYTES_MAX {
            scratch.resize(MESSAGE_BYTES_MAX, 0);
            (len, tally) = attempt(scratch);
        }
        shared.counters.add(shared.tcp_shard, &tally);
        len
    }
}

/// The first message of `input`, if all of it is there.
fn next_message(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk::<LENGTH_BYTES>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
