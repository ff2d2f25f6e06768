//! Settings of the server, given at start.

use crate::client::ForwardedHeader;
use crate::host::Host;
use coverage::PrefixSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Shortest token that is accepted, in bytes.
const TOKEN_BYTES_MIN: usize = 16;

/// The scheme of a `Location`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `http`.
    #[default]
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// The scheme in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A secret that lets HTTPDNS callers ask for other clients' addresses. Never shown.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

/// A token that could be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is too short to be a secret: use at least 16 bytes")]
pub struct TokenTooShort;

impl Token {
    /// A token of at least 16 bytes.
    ///
    /// # Errors
    /// [`TokenTooShort`].
    pub fn new(secret: &str) -> Result<Self, TokenTooShort> {
        let long_enough = secret.len() >= TOKEN_BYTES_MIN;
        long_enough
            .then(|| Self(secret.as_bytes().into()))
            .ok_or(TokenTooShort)
    }

    /// Tells whether `given` is the token. The time taken depends on the length of `given` alone.
    #[must_use]
    pub fn matches(&self, given: &[u8]) -> bool {
        let mut difference = u8::from(self.0.len() != given.len());
        for (index, byte) in given.iter().enumerate() {
            difference |= byte ^ self.0[index % self.0.len()];
        }
        // Kept from the optimizer, which could otherwise leave the loop at the first difference.
        std::hint::black_box(difference) == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Token(..)")
    }
}

/// Settings that shape answers beside the view.
#[derive(Clone, Debug, Default)]
pub struct AnswerConfig {
    /// Scheme of a `Location`, unless a trusted proxy says by `X-Forwarded-Proto` which one the
    /// client uses.
    pub scheme: Scheme,
    /// Proxies whose forwarding headers count.
    pub trusted_proxies: PrefixSet,
    /// The header that they write.
    pub forwarded_header: ForwardedHeader,
    /// Hosts that are asked HTTPDNS questions; the address that a connection came to counts always.
    pub httpdns_hosts: Vec<Host>,
    /// Lets callers of HTTPDNS ask for other clients' addresses; without one, only clients in
    /// `trusted_proxies` may.
    pub httpdns_token: Option<Token>,
}

/// Bounds of connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest time for a request to arrive, from its first byte on; also the longest silence of a
    /// new connection.
    pub header_timeout: Duration,
    /// Time for which a connection may stay silent between requests.
    pub idle_timeout: Duration,
    /// Time for which a client may take none of what was sent to it.
    pub write_timeout: Duration,
    /// Most connections at a time, over all workers; more are closed at once.
    pub connections_max: usize,
    /// Time for which connections may go on after shutdown was asked for.
    pub shutdown_grace: Duration,
    /// Half-life of the node counts behind bounded loads.
    pub load_window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(5),
            connections_max: 10_000,
            shutdown_grace: Duration::from_secs(5),
            load_window: Duration::from_secs(10),
        }
    }
}

/// All that the server is told at start.
#[derive(Clone, Debug)]
pub struct RedirectConfig {
    /// Addresses to listen on. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Threads, each with a listener of its own per address.
    pub workers: usize,
    /// Settings that shape answers.
    pub answer: AnswerConfig,
    /// Bounds of connections.
    pub limits: Limits,
}

impl RedirectConfig {
    /// One worker, no trusted proxies, HTTPDNS by address only.
    #[must_use]
    pub fn new(listen: Vec<SocketAddr>) -> Self {
        Self {
            listen,
            workers: 1,
            answer: AnswerConfig::default(),
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_match_whole_or_not_at_all() {
        let token = Token::new("correct horse battery").unwrap();
        assert!(token.matches(b"correct horse battery"));
        let twice = b"correct horse batterycorrect horse battery";
        let others: [&[u8]; 4] = [b"", b"correct horse batterx", b"correct horse", twice];
        for other in others {
            assert!(!token.matches(other));
        }
        assert!(Token::new("short").is_err());
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
