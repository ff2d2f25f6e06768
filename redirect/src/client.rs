//! Client that asks: the peer, or what trusted proxies say about whom they speak for.

use coverage::PrefixSet;
use std::net::{IpAddr, SocketAddr};

/// Header the trusted proxies write. Exactly one counts: a header that a proxy does not write
/// itself is passed through as the client sent it, so believing both would let clients choose their
/// address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses separated by commas.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): elements with a `for` parameter.
    Forwarded,
}

impl ForwardedHeader {
    /// The header's name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// The client's address: the peer itself unless it is a trusted proxy; else the rightmost address
/// of the header `lines` that is no trusted proxy. `lines` are the values of all lines of that
/// header, in the order of arrival.
///
/// Reading goes from the right, because each proxy appends: everything left of the first address
/// that is not trusted was written by a stranger. An entry that is no address ends the reading, and
/// the last proxy before it counts.
#[must_use]
pub fn client_address<'h>(
    peer: IpAddr,
    lines: impl DoubleEndedIterator<Item = &'h [u8]>,
    header: ForwardedHeader,
    trusted: &PrefixSet,
) -> IpAddr {
    let mut client = peer.to_canonical();
    if !trusted.contains(client) {
        return client;
    }
    for line in lines.rev() {
        let Ok(line) = std::str::from_utf8(line) else {
            return client;
        };
        for entry in line.rsplit(',') {
            let addr = match header {
                ForwardedHeader::XForwardedFor => parse_node(entry.trim()),
                ForwardedHeader::Forwarded => forwarded_for(entry).and_then(parse_node),
            };
            let Some(addr) = addr else { return client };
            client = addr;
            if !trusted.contains(client) {
                return client;
            }
        }
    }
    client
}

/// The `for` parameter of one element, without quotes (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    let inside = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    Some(inside.unwrap_or(value))
}

/// An address with or without brackets and port (RFC 7239 section 6); obfuscated names and
/// `unknown` are none.
fn parse_node(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let addr = bare
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|at| at.ip()));
    addr.ok().map(|addr| addr.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str], header: ForwardedHeader) -> String {
        let trusted = PrefixSet::parse(["10.0.0.0/8", "2001:db8:f::/48"]).unwrap();
        let lines = lines.iter().map(|line| line.as_bytes());
        client_address(peer.parse().unwrap(), lines, header, &trusted).to_string()
    }

    #[test]
    fn x_forwarded_for_counts_from_trusted_proxies_only() {
        for (peer, lines, expected) in [
            // A stranger's header is worth nothing.
            ("198.51.100.1", &["203.0.113.5"][..], "198.51.100.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
            // What stands left of the first stranger was written by that stranger.
            (
                "10.0.0.1",
                &["1.1.1.1, 203.0.113.5, 10.0.0.2"],
                "203.0.113.5",
            ),
            (
                "10.0.0.1",
                &["1.1.1.1", "203.0.113.5", "10.0.0.2"],
                "203.0.113.5",
            ),
            ("::ffff:10.0.0.1", &["203.0.113.5:4711"], "203.0.113.5"),
            ("2001:db8:f::1", &["[2001:db8:7::9]:80"], "2001:db8:7::9"),
            // All are proxies: the leftmost is the client.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Garbage ends the reading.
            ("10.0.0.1", &["203.0.113.5, nonsense, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.5, "], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
        ] {
            let seen = client(peer, lines, ForwardedHeader::XForwardedFor);
            assert_eq!(seen, expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_by_its_for_parameter() {
        for (lines, expected) in [
            (
                &["for=203.0.113.5;proto=http;by=10.0.0.1"][..],
                "203.0.113.5",
            ),
            (
                &["for=1.1.1.1, For=\"[2001:db8:7::9]:4711\""],
                "2001:db8:7::9",
            ),
            (
                &["proto=http;FOR = 203.0.113.5", "for=10.0.0.9"],
                "203.0.113.5",
            ),
            (&["for=_hidden"], "10.0.0.1"),
            (&["by=10.0.0.1"], "10.0.0.1"),
        ] {
            assert_eq!(
                client("10.0.0.1", lines, ForwardedHeader::Forwarded),
                expected,
                "{lines:?}"
            );
        }
    }
}
