//! The host that a request names, read strictly: a domain name or an address, and an optional port.

use std::net::{IpAddr, Ipv6Addr};

/// Longest domain name in text, without its final dot (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// A text that names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host name or address: use letters, digits, hyphens and dots, and at most one port")]
pub struct BadHost;

/// A host.
#[expect(
    clippy::large_enum_variant,
    reason = "read once per request, on the stack, so that nothing is allocated"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A domain name.
    Name(HostName),
    /// An address.
    Address(IpAddr),
}

/// A domain name in lower case, without its final dot. On the stack: reading one allocates nothing.
#[derive(Clone)]
pub struct HostName {
    bytes: [u8; NAME_BYTES_MAX],
    len: u8,
}

impl Host {
    /// Reads `name`, `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`. The port is checked and
    /// dropped: services are told apart by name alone.
    ///
    /// # Errors
    /// [`BadHost`], with user information, empty text and anything else that is not exactly that.
    pub fn parse(text: &[u8]) -> Result<Self, BadHost> {
        let text = std::str::from_utf8(text).map_err(|_| BadHost)?;
        if let Some(rest) = text.strip_prefix('[') {
            let (literal, port) = rest.split_once(']').ok_or(BadHost)?;
            check_port(port)?;
            let addr: Ipv6Addr = literal.parse().map_err(|_| BadHost)?;
            return Ok(Self::Address(IpAddr::V6(addr).to_canonical()));
        }
        let name = text.find(':').map_or(text, |colon| &text[..colon]);
        check_port(&text[name.len()..])?;
        if let Ok(addr) = name.parse() {
            return Ok(Self::Address(IpAddr::V4(addr)));
        }
        HostName::parse(name).map(Self::Name)
    }
}

/// Nothing, a colon alone (RFC 3986 section 3.2.3 allows an empty port), or a colon and a port
/// number.
fn check_port(text: &str) -> Result<(), BadHost> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() {
            Ok(())
        } else {
            Err(BadHost)
        };
    };
    let digital = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let in_range = digits.is_empty() || digits.parse::<u16>().is_ok();
    if digital && in_range {
        Ok(())
    } else {
        Err(BadHost)
    }
}

impl HostName {
    /// Reads a domain name. One final dot is dropped, upper case becomes lower case.
    ///
    /// # Errors
    /// [`BadHost`] for empty labels, other characters than letters, digits, `-` and `_`, and more
    /// than 253 bytes.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let len = u8::try_from(text.len()).map_err(|_| BadHost)?;
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes
            .get_mut(..text.len())
            .ok_or(BadHost)?
            .copy_from_slice(text.as_bytes());
        let mut last = b'.';
        for byte in &mut bytes[..text.len()] {
            byte.make_ascii_lowercase();
            let allowed = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if !allowed || (*byte == b'.' && last == b'.') {
                return Err(BadHost);
            }
            last = *byte;
        }
        // An empty text, or a second final dot.
        if last == b'.' {
            Err(BadHost)
        } else {
            Ok(Self { bytes, len })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..usize::from(self.len)];
        // `parse` lets ASCII through alone, so this never falls back.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for HostName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(out)
    }
}

impl PartialEq for HostName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for HostName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        for (text, name) in [
            ("Live.Example.COM", "live.example.com"),
            ("live.example.com.:8080", "live.example.com"),
            ("a_b-1.example:", "a_b-1.example"),
            ("localhost", "localhost"),
        ] {
            let host = Host::parse(text.as_bytes());
            assert_eq!(host, HostName::parse(name).map(Host::Name), "{text}");
        }
        for (text, addr) in [
            ("192.0.2.1:80", "192.0.2.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ] {
            assert_eq!(
                Host::parse(text.as_bytes()),
                Ok(Host::Address(addr.parse().unwrap()))
            );
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = format!("{}.example", "a".repeat(250));
        for text in [
            "",
            ".",
            ":80",
            "a..b",
            "a.b..",
            "user@host",
            "host:80:80",
            "host:99999",
            "host:8x",
            "host:+80",
            "ho st",
            "host/path",
            "host\\x",
            "2001:db8::1",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "h\u{f6}st",
            "host,other",
            "host?x",
            "host#x",
            "host%00",
            &long,
        ] {
            assert_eq!(Host::parse(text.as_bytes()), Err(BadHost), "{text:?}");
        }
        assert_eq!(Host::parse(b"h\xffst"), Err(BadHost));
    }
}
