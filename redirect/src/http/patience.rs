//! A stream that loses patience: with clients that are slow to ask, silent between requests, or
//! slow to take answers.
//!
//! ```text
//!   opened --first byte--> asking --answer written--> idle --first byte--> asking ...
//!     |  header_timeout      |  header_timeout          |  idle_timeout
//!   and whenever a write cannot go on: stalled, write_timeout; at the end: closing, LINGER
//! ```
//!
//! Closing says so to the client first and then waits for its end, dropping what it still sends: a
//! socket that is closed with bytes unread is reset, and the reset can overtake the last answer
//! (RFC 9112 section 9.6).
//!
//! The time of a request runs from its first byte and is not prolonged by further bytes, so
//! trickling gains nothing.

use crate::config::Limits;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Time for which a closing connection waits for the client to close too.
const LINGER: Duration = Duration::from_secs(1);
/// Most bytes that a closing connection takes and drops.
const LINGER_BYTES_MAX: usize = 256 << 10;

/// Event the client is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// First byte.
    Opened,
    /// The rest of a request.
    Asking,
    /// Another request, if it likes.
    Idle,
    /// End of the connection; this many bytes have come instead.
    Closing(usize),
}

/// Around a stream: fails with [`io::ErrorKind::TimedOut`] when patience ends.
pub(super) struct Patient<'e, T> {
    stream: T,
    /// Set when patience ended with a client that owed something; silence between requests is no
    /// debt.
    expired: &'e AtomicBool,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    /// Time at which the wait for the client's bytes ends.
    read_by: Instant,
    wait: Wait,
    /// Time at which the wait to write ends; `None` while writes go through.
    write_by: Option<Instant>,
    /// One timer for all. It is set again only where it would ring too late, or has rung too early.
    alarm: Pin<Box<Sleep>>,
}

impl<'e, T> Patient<'e, T> {
    /// A stream that was just opened.
    pub(super) fn new(stream: T, limits: &Limits, expired: &'e AtomicBool) -> Self {
        let read_by = Instant::now() + limits.header_timeout;
        Self {
            stream,
            expired,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            write_timeout: limits.write_timeout,
            read_by,
            wait: Wait::Opened,
            write_by: None,
            alarm: Box::pin(sleep_until(read_by)),
        }
    }

    /// Pending until the deadline that comes first, then an error.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = self
            .write_by
            .map_or(self.read_by, |write_by| write_by.min(self.read_by));
        if deadline < self.alarm.deadline() {
            self.alarm.as_mut().reset(deadline);
        }
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            if Instant::now() >= deadline {
                let owed = matches!(self.wait, Wait::Opened | Wait::Asking);
                if owed || self.write_by.is_some() {
                    self.expired.store(true, Ordering::Relaxed);
                }
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(deadline);
        }
    }

    /// Notes the outcome of a write: progress restarts the waits, none starts the wait to write.
    fn after_write<R>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let now = Instant::now();
        match written {
            Poll::Ready(Ok(progress)) => {
                self.write_by = None;
                self.wait = Wait::Idle;
                self.read_by = now + self.idle_timeout;
                Poll::Ready(Ok(progress))
            }
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => {
                let write_by = *self.write_by.get_or_insert(now + self.write_timeout);
                // Until the answer is taken, nobody waits for a question.
                self.read_by = self.read_by.max(write_by);
                self.poll_patience(cx).map(Err)
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                if buf.filled().len() > before && self.wait != Wait::Asking {
                    self.wait = Wait::Asking;
                    self.read_by = Instant::now() + self.header_timeout;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => self.poll_patience(cx).map(Err),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<'_, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.after_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.after_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP stream buffers nothing here, so there is nothing to wait for.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Wait::Closing(mut dropped) = self.wait else {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.wait = Wait::Closing(0);
            self.write_by = None;
            self.read_by = Instant::now() + LINGER;
            return self.poll_shutdown(cx);
        };
        let mut space = [0; 1024];
        while dropped < LINGER_BYTES_MAX {
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => dropped += buf.filled().len(),
                // The client's end, or its reset: either way nobody is left to wait for.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    self.wait = Wait::Closing(dropped);
                    return self.poll_patience(cx).map(|_| Ok(()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
