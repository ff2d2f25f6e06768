//! Operator prefix lists: one CIDR a line, IPv4 and IPv6 mixed, `#` begins a comment.

use crate::source::{Source, SourceBuilder, SourceError};
use coverage::area::AreaAttrs;
use std::net::IpAddr;

/// Reads a list whose prefixes all belong to one ISP.
///
/// # Errors
/// [`SourceError`] when no line could be used; single bad lines are counted and left out.
pub fn read_cidr_list(text: &str, isp: &str) -> Result<Source, SourceError> {
    let attrs = AreaAttrs {
        isp: isp.to_owned(),
        ..AreaAttrs::default()
    };
    let mut source = SourceBuilder::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Some((addr, len)) => source.take_prefix(index + 1, addr, len, &attrs),
            None => source.refuse(index + 1, format!("{line:?} is no CIDR")),
        }
    }
    source.finish()
}

/// An address with an optional prefix length.
fn parse(text: &str) -> Option<(IpAddr, u8)> {
    let (addr, len) = text
        .split_once('/')
        .map_or((text, None), |(addr, len)| (addr, Some(len)));
    let addr: IpAddr = addr.parse().ok()?;
    let most = if addr.is_ipv4() { 32 } else { 128 };
    let len = len
        .map_or(Some(most), |len| len.parse().ok())
        .filter(|len| *len <= most)?;
    Some((addr, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_lines_are_kept_and_bad_ones_named() {
        let source = read_cidr_list(
            "# list\n1.2.0.0/16\nnonsense\n2001:db8::/32 # six\n1.2.3.0/33\n",
            "ct",
        )
        .unwrap();
        assert_eq!((source.taken, source.refused), (2, 2));
        assert_eq!(
            source
                .reasons
                .iter()
                .map(|refused| refused.at)
                .collect::<Vec<_>>(),
            [3, 5]
        );
        let found = source.table.lookup("1.2.255.1".parse().unwrap());
        assert_eq!(source.table.area(found.area).attrs.isp, "ct");
    }

    #[test]
    fn a_list_without_a_single_prefix_is_refused() {
        assert!(read_cidr_list("# nothing\n", "ct").is_err());
    }
}
