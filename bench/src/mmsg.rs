//! Batches of datagrams by recvmmsg and sendmmsg, trains of them by UDP segmentation, and keeping a
//! thread on one core. The only module with `unsafe`.
#![allow(unsafe_code)] // The calls exist only in C, over raw pointers.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;

/// Datagrams per call.
pub const BATCH: usize = 64;
/// Room for one datagram; questions and answers of these benchmarks are below 200 octets.
pub const DATAGRAM_BYTES_MAX: usize = 512;
/// Room for the one control message that a train carries.
const CONTROL_BYTES: usize = 32;

/// Choice of whether a call waits for the first datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Up to the read timeout of the socket.
    ForOne,
    /// Not at all.
    No,
}

/// Buffers for a batch of received datagrams, with their senders.
pub struct Inbox {
    buffers: Box<[[u8; DATAGRAM_BYTES_MAX]]>,
    names: Box<[libc::sockaddr_storage]>,
    lens: [usize; BATCH],
}

impl Default for Inbox {
    fn default() -> Self {
        // SAFETY: all zeros is a valid sockaddr_storage: it holds integers only.
        let name: libc::sockaddr_storage = unsafe { zeroed() };
        Self {
            buffers: vec![[0; DATAGRAM_BYTES_MAX]; BATCH].into(),
            names: vec![name; BATCH].into(),
            lens: [0; BATCH],
        }
    }
}

impl Inbox {
    /// Takes the datagrams that are there; how many.
    ///
    /// # Errors
    /// Those of recvmmsg; `WouldBlock` when nothing came.
    pub fn receive(&mut self, socket: &UdpSocket, wait: Wait) -> io::Result<usize> {
        let (mut vectors, mut headers) = empty();
        for index in 0..BATCH {
            vectors[index].iov_base = self.buffers[index].as_mut_ptr().cast();
            vectors[index].iov_len = DATAGRAM_BYTES_MAX;
            let header = &mut headers[index].msg_hdr;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_namelen = NAME_BYTES;
        }
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        // SAFETY: every pointer in `headers` leads to memory of the stated length that lives and is
        // not otherwise used until the call returns.
        let received = unsafe {
            let headers = headers.as_mut_ptr();
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH_COUNT, flags, null_mut())
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (len, header) in self.lens.iter_mut().zip(&headers).take(received) {
            *len = (header.msg_len as usize).min(DATAGRAM_BYTES_MAX);
        }
        Ok(received)
    }

    /// A received datagram; `index` is below what `receive` returned.
    #[must_use]
    pub fn datagram(&self, index: usize) -> &[u8] {
        &self.buffers[index][..self.lens[index]]
    }

    /// The whole buffer of a received datagram and its length, to make the reply in place.
    pub fn reply(&mut self, index: usize) -> (&mut [u8; DATAGRAM_BYTES_MAX], &mut usize) {
        (&mut self.buffers[index], &mut self.lens[index])
    }

    /// Sends the first `count` buffers back to where they came from; those that the system refuses
    /// are passed over.
    pub fn send_back(&mut self, socket: &UdpSocket, count: usize) {
        let (mut vectors, mut headers) = empty();
        let count = count.min(BATCH);
        for index in 0..count {
            vectors[index].iov_base = self.buffers[index].as_mut_ptr().cast();
            vectors[index].iov_len = self.lens[index].min(DATAGRAM_BYTES_MAX);
            let header = &mut headers[index].msg_hdr;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_namelen = NAME_BYTES;
        }
        let mut done = 0;
        while done < count {
            let left = &mut headers[done..count];
            let len = libc::c_uint::try_from(left.len()).unwrap_or(0);
            // SAFETY: every pointer in `left` leads to memory of the stated length that lives and
            // is not otherwise used until the call returns; the kernel only reads what it sends.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), left.as_mut_ptr(), len, 0) };
            done += usize::try_from(sent).unwrap_or(1).max(1);
        }
    }
}

/// A buffer for a control message, aligned as its header asks.
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

const _: () = assert!(align_of::<Control>() >= align_of::<libc::cmsghdr>());

/// Sends `bytes` over a connected socket as datagrams of `segment_bytes` each in one call
/// (UDP_SEGMENT, Linux 4.18): the way through the stack is paid once, which leaves a generator that
/// is much cheaper than what it measures.
///
/// # Errors
/// Those of sendmsg.
pub fn send_train(socket: &UdpSocket, bytes: &[u8], segment_bytes: u16) -> io::Result<()> {
    let mut control = Control([0; CONTROL_BYTES]);
    let mut vector = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all zeros is a valid msghdr: null pointers and zero lengths.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_BYTES;
    const { assert!(size_of::<libc::cmsghdr>() + size_of::<u64>() <= CONTROL_BYTES) };
    // SAFETY: the control buffer is aligned for a header and large enough for it and a u16, as
    // asserted above. The call reads `vector`, which covers `bytes`, and the control buffer; both
    // live until it returns, and it writes neither.
    let sent = unsafe {
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        if let Some(head) = message.as_mut() {
            (head.cmsg_level, head.cmsg_type) = (libc::SOL_UDP, libc::UDP_SEGMENT);
            head.cmsg_len = libc::CMSG_LEN(2) as _;
            libc::CMSG_DATA(message)
                .cast::<u16>()
                .write_unaligned(segment_bytes);
        }
        header.msg_controllen = libc::CMSG_SPACE(2) as _;
        libc::sendmsg(socket.as_raw_fd(), &raw const header, 0)
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Keeps the calling thread, and all that it starts, on one core.
///
/// # Errors
/// Those of sched_setaffinity, such as a core that does not exist.
pub fn pin_thread(core: usize) -> io::Result<()> {
    if core >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a cpu_set_t is a bit field for which all zeros is the empty set; `core` is within it,
    // as checked; the call reads exactly its size, and pid 0 is the calling thread.
    let result = unsafe {
        let mut chosen: libc::cpu_set_t = zeroed();
        libc::CPU_SET(core, &mut chosen);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const chosen)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Vectors and headers that lead nowhere yet.
fn empty() -> ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) {
    // SAFETY: all zeros is a valid iovec and mmsghdr: null pointers and zero lengths.
    unsafe { zeroed() }
}

/// Room for a sender's address, as the calls want it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a socket address is far below 4 GiB"
)]
const NAME_BYTES: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
/// [`BATCH`], as the calls want it.
#[expect(clippy::cast_possible_truncation, reason = "a batch is 64")]
const BATCH_COUNT: libc::c_uint = BATCH as libc::c_uint;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_train_arrives_as_datagrams_and_goes_back() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        for socket in [&server, &client] {
            socket
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
        }
        send_train(&client, b"aaabbbccc", 3).unwrap();
        let mut inbox = Inbox::default();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let received = inbox.receive(&server, Wait::ForOne).unwrap();
            seen.extend((0..received).map(|index| inbox.datagram(index).to_vec()));
            for index in 0..received {
                let (buffer, len) = inbox.reply(index);
                (buffer[3], *len) = (b'!', 4);
            }
            inbox.send_back(&server, received);
        }
        assert_eq!(seen, [b"aaa", b"bbb", b"ccc"]);
        let mut buffer = [0; 16];
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"aaa!");
    }

    #[test]
    fn nothing_to_receive_is_said_at_once() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let fault = Inbox::default().receive(&socket, Wait::No).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_core_that_cannot_exist_is_refused() {
        assert!(pin_thread(usize::MAX).is_err());
    }
}
