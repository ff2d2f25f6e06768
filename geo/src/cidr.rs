//! Operator prefix lists: one CIDR a line, IPv4 and IPv6 mixed, `#` begins a comment.

use crate::source::{Source, SourceBuilder, SourceError, name_part};
use coverage::area::AreaAttrs;
use std::net::IpAddr;

/// Reads a list whose prefixes all belong to one ISP.
///
/// # Errors
/// [`SourceError`] when no line could be used; single bad lines are counted and left out.
pub fn read_cidr_list(text: &str, isp: &str) -> Result<Source, SourceError> {
    let attrs = AreaAttrs {
        isp: name_part(isp),
        ..AreaAttrs::default()
    };
    read_cidr_lists(&[(attrs, text)])
}

/// Reads several lists, each with what its prefixes have in common, as one source. A longer prefix
/// goes before a shorter one whoever lists it, as it does in routing; where two lists hold the same
/// prefix, the later list goes first.
///
/// # Errors
/// [`SourceError`] when no line could be used; single bad lines are counted and left out.
pub fn read_cidr_lists(lists: &[(AreaAttrs, &str)]) -> Result<Source, SourceError> {
    let mut source = SourceBuilder::default();
    let mut prefixes = Vec::new();
    for (list, (attrs, text)) in lists.iter().enumerate() {
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let at = index + 1;
            match parse(line) {
                Some((addr, len)) => prefixes.push((len, list, at, addr)),
                None if line.is_empty() => {}
                None => {
                    let list = attrs.name();
                    source.refuse(at, format!("{line:?} in list {list} is no CIDR"));
                }
            }
        }
    }
    // What is added later lies on top.
    prefixes.sort_unstable();
    for (len, list, at, addr) in prefixes {
        source.take_prefix(at, addr, len, &lists[list].0);
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
    fn a_longer_prefix_goes_first_whoever_lists_it() {
        let list = |isp: &str, text| {
            let isp = isp.to_owned();
            (
                AreaAttrs {
                    isp,
                    ..AreaAttrs::default()
                },
                text,
            )
        };
        let lists = [
            list("ct", "1.2.3.0/24\n9.0.0.0/8\n"),
            list("edu", "1.2.0.0/16\n9.0.0.0/8\n"),
        ];
        let source = read_cidr_lists(&lists).unwrap();
        let isp = |addr: &str| {
            let found = source.table.lookup(addr.parse().unwrap());
            source.table.area(found.area).attrs.isp.clone()
        };
        assert_eq!(
            ["1.2.3.4", "1.2.4.4", "9.9.9.9"].map(isp),
            ["ct", "edu", "edu"]
        );
    }

    #[test]
    fn a_list_without_a_single_prefix_is_refused() {
        assert!(read_cidr_list("# nothing\n", "ct").is_err());
    }
}
