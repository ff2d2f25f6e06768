//! Arrival of a message: from whom, how and when.

use std::net::SocketAddr;

/// Transport that a message came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram, whose sender may be forged.
    Udp,
    /// A connection.
    Tcp {
        /// Idle timeout to offer to those who ask, in units of 100 ms.
        idle_100ms: u16,
    },
}

/// Sender, transport and time of a message.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Address of the sender.
    pub peer: SocketAddr,
    /// Transport.
    pub transport: Transport,
    /// Seconds since 1970, the low 32 bits; for cookies alone.
    pub now_s: u32,
}
