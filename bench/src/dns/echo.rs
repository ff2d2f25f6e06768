//! The floor: a server that knows nothing and only sends back, in batches, as many octets as an
//! answer has.

use crate::mmsg::{DATAGRAM_BYTES_MAX, Inbox, Wait};
use anyhow::{Context as _, Result};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

/// Octets by which an answer with one address is longer than its question: a pointer to the name,
/// type, class, TTL, length and address (RFC 1035 sections 3.2.1 and 4.1.4).
pub const ANSWER_EXTRA_BYTES: usize = 16;

/// Serves on `listen` until killed.
///
/// # Errors
/// When the address cannot be used, or receiving fails.
pub fn serve(listen: SocketAddr, extra_bytes: usize) -> Result<()> {
    let socket = UdpSocket::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let mut inbox = Inbox::default();
    loop {
        let received = match inbox.receive(&socket, Wait::ForOne) {
            Ok(received) => received,
            Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
            Err(fault) => return Err(fault).context("cannot receive"),
        };
        for index in 0..received {
            let (buffer, len) = inbox.reply(index);
            *len = (*len + extra_bytes).min(DATAGRAM_BYTES_MAX);
            // A response (RFC 1035 section 4.1.1) that claims one answer; the octets at its end are
            // whatever was there.
            buffer[2] |= 0x80;
            buffer[7] = 1;
        }
        inbox.send_back(&socket, received);
    }
}
