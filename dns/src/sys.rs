//! The system calls that std and tokio do not reach: batches of datagrams with the address each was
//! sent to, and keeping a thread on one core. The only module with `unsafe`; everything it hands
//! out is checked and owned.
// recvmmsg, sendmmsg and control messages exist only as C calls over raw pointers.
#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

/// Datagrams per system call.
pub(crate) const BATCH: usize = 64;
/// Longest datagram that is read whole; a longer one is cut and then fails to parse.
const QUERY_BYTES_MAX: usize = 2048;
/// Room for one reply.
const REPLY_BYTES_MAX: usize = crate::config::UDP_PAYLOAD_MAX;
/// Room for one control message with packet information of either family.
const CONTROL_BYTES: usize = 64;

/// A buffer for control messages, aligned as their headers ask.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

const _: () = assert!(align_of::<Control>() >= align_of::<libc::cmsghdr>());

/// The address that a datagram was sent to, for its reply to leave from (RFC 2181 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// The system did not say.
    Unknown,
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, with the interface where it is link-local and 0 elsewhere.
    V6(Ipv6Addr, u32),
}

/// One received datagram.
struct Slot {
    query_len: usize,
    peer: SocketAddr,
    local: Local,
}

/// The datagrams of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Queries<'b> {
    queries: &'b [[u8; QUERY_STRIDE]],
    slots: &'b [Slot],
}

impl<'b> Queries<'b> {
    /// One datagram and its sender. `index` is below what `receive` returned.
    pub(crate) fn get(&self, index: usize) -> (&'b [u8], SocketAddr) {
        let slot = &self.slots[index];
        (&self.queries[index][..slot.query_len], slot.peer)
    }
}

/// The replies of a batch.
pub(crate) struct Replies<'b> {
    replies: &'b mut [[u8; REPLY_BYTES_MAX]],
    lens: &'b mut [usize; BATCH],
}

impl Replies<'_> {
    /// Room for one reply.
    pub(crate) fn room(&mut self, index: usize) -> &mut [u8] {
        &mut self.replies[index]
    }

    /// Says how long a reply is; 0 sends none.
    pub(crate) fn set_len(&mut self, index: usize, len: usize) {
        self.lens[index] = len.min(REPLY_BYTES_MAX);
    }
}

/// Octets from one query to the next: not a power of two, which would bring the same few lines of
/// every query into the same few places of the cache.
const QUERY_STRIDE: usize = QUERY_BYTES_MAX + 64;

/// Buffers for a batch of datagrams and their replies, allocated once, with the headers that lead
/// the kernel to them.
pub(crate) struct Batch {
    queries: Box<[[u8; QUERY_STRIDE]]>,
    replies: Box<[[u8; REPLY_BYTES_MAX]]>,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    /// Place where the kernel puts queries; filled in once, because nothing above ever moves.
    receiving: Box<[libc::mmsghdr]>,
    /// Memory that `receiving` points to; never read here.
    vectors: Box<[libc::iovec]>,
    slots: Vec<Slot>,
    /// Octets of each reply; 0 where there is none.
    reply_lens: [usize; BATCH],
    /// True when replies must be told which address to leave from.
    many_addresses: bool,
}

impl Batch {
    /// Buffers for a socket; `many_addresses` says that it listens on more than one.
    pub(crate) fn new(many_addresses: bool) -> Self {
        // SAFETY: all zeros is a valid sockaddr_storage, iovec and mmsghdr: integers, null pointers
        // and zero lengths.
        let (name, vector, header): (libc::sockaddr_storage, libc::iovec, libc::mmsghdr) =
            unsafe { zeroed() };
        let mut batch = Self {
            queries: vec![[0; QUERY_STRIDE]; BATCH].into(),
            replies: vec![[0; REPLY_BYTES_MAX]; BATCH].into(),
            names: vec![name; BATCH].into(),
            controls: vec![Control([0; CONTROL_BYTES]); BATCH].into(),
            receiving: vec![header; BATCH].into(),
            vectors: vec![vector; BATCH].into(),
            slots: Vec::with_capacity(BATCH),
            reply_lens: [0; BATCH],
            many_addresses,
        };
        for index in 0..BATCH {
            let vector = &mut batch.vectors[index];
            vector.iov_base = batch.queries[index].as_mut_ptr().cast();
            vector.iov_len = QUERY_BYTES_MAX;
            let header = &mut batch.receiving[index].msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut batch.names[index]).cast();
            header.msg_namelen = socklen::<libc::sockaddr_storage>();
            if many_addresses {
                header.msg_control = batch.controls[index].0.as_mut_ptr().cast();
                header.msg_controllen = CONTROL_BYTES;
            }
        }
        batch
    }

    /// Waits for datagrams, up to the receive timeout of the socket, and takes those that are
    /// there.
    ///
    /// # Errors
    /// Those of recvmmsg; `WouldBlock` on timeout.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.slots.clear();
        // SAFETY: every pointer in `receiving` leads to memory of this batch, of the stated length,
        // that is not otherwise used until the call returns.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.receiving.as_mut_ptr(),
                count_of(BATCH),
                libc::MSG_WAITFORONE,
                null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let headers = self.receiving.iter_mut().zip(&self.names);
        for (header, name) in headers.take(received) {
            let query_len = (header.msg_len as usize).min(QUERY_BYTES_MAX);
            // A sender without an address cannot be answered; an empty message never is.
            let peer = socket_addr(name);
            let (peer, query_len) = peer.map_or((UNSPECIFIED, 0), |peer| (peer, query_len));
            let mut local = Local::Unknown;
            if self.many_addresses {
                local = local_address(&header.msg_hdr);
                header.msg_hdr.msg_controllen = CONTROL_BYTES;
            }
            // The kernel has written how long the name was.
            header.msg_hdr.msg_namelen = socklen::<libc::sockaddr_storage>();
            self.slots.push(Slot {
                query_len,
                peer,
                local,
            });
        }
        Ok(received)
    }

    /// Returns what was received, and room for the replies to it.
    pub(crate) fn split(&mut self) -> (Queries<'_>, Replies<'_>) {
        let queries = Queries {
            queries: &self.queries,
            slots: &self.slots,
        };
        let replies = Replies {
            replies: &mut self.replies,
            lens: &mut self.reply_lens,
        };
        (queries, replies)
    }

    /// Sends all replies of the batch; returns how many the system refused.
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>) -> usize {
        let mut vectors: [MaybeUninit<libc::iovec>; BATCH] =
            [const { MaybeUninit::uninit() }; BATCH];
        let mut headers: [MaybeUninit<libc::mmsghdr>; BATCH] =
            [const { MaybeUninit::uninit() }; BATCH];
        let mut count = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            let reply_len = self.reply_lens[index];
            if reply_len == 0 {
                continue;
            }
            let vector = vectors[count].write(libc::iovec {
                iov_base: self.replies[index].as_mut_ptr().cast(),
                iov_len: reply_len,
            });
            // SAFETY: all zeros is a valid mmsghdr: null pointers and zero lengths.
            let header = headers[count].write(unsafe { zeroed() });
            let header = &mut header.msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_namelen = match slot.peer {
                SocketAddr::V4(_) => socklen::<libc::sockaddr_in>(),
                SocketAddr::V6(_) => socklen::<libc::sockaddr_in6>(),
            };
            if slot.local != Local::Unknown {
                header.msg_control = self.controls[index].0.as_mut_ptr().cast();
                header.msg_controllen = CONTROL_BYTES;
                set_source(header, slot.local);
            }
            count += 1;
        }
        let (mut done, mut refused) = (0, 0);
        while done < count {
            let left = &mut headers[done..count];
            // SAFETY: the first `count` headers were written; every pointer in them leads to memory
            // of the stated length that lives and is not otherwise used until the call returns; the
            // kernel only reads what it sends.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    left.as_mut_ptr().cast(),
                    count_of(left.len()),
                    0,
                )
            };
            match usize::try_from(sent) {
                Ok(sent @ 1..) => done += sent,
                _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                // The first message of the rest was refused (a full queue, no route): pass it over.
                _ => (done, refused) = (done + 1, refused + 1),
            }
        }
        refused
    }
}

/// Stands in for a sender that has no address.
const UNSPECIFIED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Number of messages a call is given: never more than [`BATCH`].
fn count_of(messages: usize) -> libc::c_uint {
    libc::c_uint::try_from(messages).unwrap_or(0)
}

/// The size of a C structure, as socket calls want it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "socket structures are far below 4 GiB"
)]
const fn socklen<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// A socket address that the kernel wrote; `None` for other families.
fn socket_addr(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that a sockaddr_in stands here; sockaddr_storage is at least
            // as large and aligned.
            let name = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that a sockaddr_in6 stands here; sockaddr_storage is at least
            // as large and aligned.
            let name = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// The address a datagram was sent to, from its packet information.
fn local_address(header: &libc::msghdr) -> Local {
    // SAFETY: the control buffer of `header` lives and holds `msg_controllen` octets that the
    // kernel has written; the macros stay within them, and data is read unaligned only where the
    // length says that it is there.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(head) = message.as_ref() {
            let data = libc::CMSG_DATA(message);
            let len = head.cmsg_len;
            match (head.cmsg_level, head.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) if len >= cmsg_len::<libc::in_pktinfo>() => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    // ipi_spec_dst is the local address even where the datagram went to a broadcast
                    // address.
                    return Local::V4(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
                    if len >= cmsg_len::<libc::in6_pktinfo>() =>
                {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    let addr = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    // Elsewhere the routing table chooses the interface, which need not be the one
                    // of arrival.
                    let interface = if addr.is_unicast_link_local() {
                        info.ipi6_ifindex
                    } else {
                        0
                    };
                    return Local::V6(addr, interface);
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
    }
    Local::Unknown
}

/// The length of a control message that carries a `T`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "packet information is a few octets"
)]
const fn cmsg_len<T>() -> usize {
    // SAFETY: CMSG_LEN only computes.
    unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) as usize }
}

/// Writes the control message that makes a reply leave from `local`.
fn set_source(header: &mut libc::msghdr, local: Local) {
    match local {
        Local::Unknown => (header.msg_control, header.msg_controllen) = (null_mut(), 0),
        Local::V4(addr) => {
            let addr = libc::in_addr {
                s_addr: u32::from(addr).to_be(),
            };
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: addr,
                ipi_addr: addr,
            };
            set_control(header, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        }
        Local::V6(addr, interface) => {
            let ipi6_addr = libc::in6_addr {
                s6_addr: addr.octets(),
            };
            let info = libc::in6_pktinfo {
                ipi6_addr,
                ipi6_ifindex: interface,
            };
            set_control(header, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
        }
    }
}

/// Writes one control message into the buffer of `header`, which has [`CONTROL_BYTES`].
#[expect(
    clippy::cast_possible_truncation,
    reason = "packet information is a few octets"
)]
fn set_control<T: Copy>(header: &mut libc::msghdr, level: i32, kind: i32, data: T) {
    const { assert!(size_of::<libc::cmsghdr>() + size_of::<T>() + 8 <= CONTROL_BYTES) };
    // SAFETY: the buffer is aligned for a header and large enough for it and a T, as asserted
    // above; writing a T unaligned behind the header stays inside.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if let Some(head) = message.as_mut() {
            (head.cmsg_level, head.cmsg_type, head.cmsg_len) = (level, kind, cmsg_len::<T>() as _);
            libc::CMSG_DATA(message).cast::<T>().write_unaligned(data);
        }
        header.msg_controllen = libc::CMSG_SPACE(size_of::<T>() as libc::c_uint) as _;
    }
}

/// Asks for datagrams that are never fragmented, whatever ICMP says of path MTUs (RFC 9715 section
/// 3.1): a forged message must neither make us fragment nor stop us. A socket that listens on many
/// addresses is told which one was asked.
///
/// # Errors
/// Those of setsockopt.
pub(crate) fn set_udp_options(socket: BorrowedFd<'_>, addr: SocketAddr) -> io::Result<()> {
    let asks = libc::c_int::from(addr.ip().is_unspecified());
    let options = match addr {
        SocketAddr::V4(_) => [
            (libc::IPPROTO_IP, libc::IP_PKTINFO, asks),
            (
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                libc::IP_PMTUDISC_PROBE,
            ),
        ],
        SocketAddr::V6(_) => [
            (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, asks),
            (
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_PROBE,
            ),
        ],
    };
    for (level, name, value) in options {
        // SAFETY: the value is an int that lives through the call, and its size is given.
        let result = unsafe {
            let value: *const libc::c_int = &raw const value;
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                name,
                value.cast(),
                socklen::<libc::c_int>(),
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Keeps the calling thread on one of the cores that it may use: the `turn`-th, counted around.
///
/// # Errors
/// Those of sched_getaffinity and sched_setaffinity.
pub(crate) fn pin_thread(turn: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t is a bit field for which all zeros is the empty set; the calls read or
    // write exactly its size, and pid 0 is the calling thread.
    unsafe {
        let mut allowed: libc::cpu_set_t = zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut allowed) != 0 {
            return Err(io::Error::last_os_error());
        }
        let count = usize::try_from(libc::CPU_COUNT(&allowed))
            .unwrap_or(0)
            .max(1);
        let cores = (0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &allowed));
        let mut chosen: libc::cpu_set_t = zeroed();
        for core in cores.skip(turn % count).take(1) {
            libc::CPU_SET(core, &mut chosen);
        }
        if libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const chosen) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
