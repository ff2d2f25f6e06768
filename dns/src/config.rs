//! Settings of the server, given at start.

use crate::cookie::CookieSecrets;
use coverage::{PrefixSet, Timestamp};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest UDP payload that is sent: fits IPv6's minimum MTU, so nothing is fragmented (RFC 9715
/// section 3.1).
pub(crate) const UDP_PAYLOAD_MAX: usize = 1232;
/// Longest server identifier that fits every reply beside a question of the longest name.
pub const NSID_BYTES_MAX: usize = 64;

/// Whose Client Subnet options count.
///
/// ```
/// use dns::EcsPolicy;
///
/// let peer = "198.51.100.53".parse()?;
/// assert!(EcsPolicy::All.allows(peer));
/// assert!(!EcsPolicy::Nobody.allows(peer));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub enum EcsPolicy {
    /// Everybody's. A false one only changes the answer of whoever sent it.
    #[default]
    All,
    /// Subnets of these resolvers. Others are answered by their own address, and without the
    /// option, as by a server that does not know it (RFC 7871 section 7.2.1).
    Peers(PrefixSet),
    /// Nobody's.
    Nobody,
}

impl EcsPolicy {
    /// Tells whether the option of this peer counts.
    #[must_use]
    pub fn allows(&self, peer: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Peers(peers) => peers.contains(peer),
            Self::Nobody => false,
        }
    }
}

/// Most bits of a client subnet that are looked at, by family. Nothing longer takes part in a
/// decision, so that no scope needs to be longer (RFC 7871 section 11.1 has the defaults).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcsBits {
    /// IPv4: 1 to 32.
    pub v4: u8,
    /// IPv6: 1 to 64, the longest that an area table tells apart.
    pub v6: u8,
}

impl Default for EcsBits {
    fn default() -> Self {
        Self { v4: 24, v6: 56 }
    }
}

/// Settings that shape a reply beside the view. Cheap to share, never changed while serving.
#[derive(Clone, Debug, Default)]
pub struct ReplyConfig {
    /// Whose Client Subnet options count.
    pub ecs: EcsPolicy,
    /// Bits of them that count.
    pub ecs_bits: EcsBits,
    /// Server cookies; `None` ignores the option.
    pub cookies: Option<CookieSecrets>,
    /// The identifier given to those who ask for it (RFC 5001), at most [`NSID_BYTES_MAX`] octets;
    /// `None` gives nothing away.
    pub nsid: Option<Box<[u8]>>,
    /// Idle time offered to TCP clients that ask for a keepalive (RFC 7828); also the idle timeout
    /// that holds for all.
    pub tcp: TcpConfig,
}

/// Bounds of the TCP side.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Time for which a connection may be silent between questions.
    pub idle_timeout: Duration,
    /// Longest time for one question to arrive once begun, and for its reply to be taken.
    pub io_timeout: Duration,
    /// Most connections at a time; more are closed at once. From half of it on, the idle timeout is
    /// a fifth.
    pub connections_max: usize,
    /// Most questions of one connection answered together before their replies are sent.
    pub in_flight_max: usize,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            // RFC 7766 section 6.2.3 asks for "a few seconds" and RFC 9210 section 4.3 for ten as a
            // start.
            idle_timeout: Duration::from_secs(10),
            io_timeout: Duration::from_secs(2),
            connections_max: 1024,
            in_flight_max: 64,
        }
    }
}

/// All that the server is told at start.
#[derive(Clone, Debug)]
pub struct DnsConfig {
    /// Addresses to listen on, UDP and TCP alike. Port 0 takes a free one, the same for both.
    pub listen: Vec<SocketAddr>,
    /// UDP workers per address: threads with a socket of their own.
    pub udp_workers: usize,
    /// True when each worker keeps to one of the processor's cores.
    pub pin: bool,
    /// Settings that shape replies.
    pub reply: ReplyConfig,
    /// The wall clock, for cookies alone; read once per batch.
    pub clock: fn() -> Timestamp,
}

impl DnsConfig {
    /// One pinned worker per address, every Client Subnet believed, no cookies, no identifier.
    #[must_use]
    pub fn new(listen: Vec<SocketAddr>) -> Self {
        Self {
            listen,
            udp_workers: 1,
            pin: true,
            reply: ReplyConfig::default(),
            clock: wall_clock,
        }
    }
}

/// The system's clock.
#[must_use]
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::default().after(since)
}
