//! CSV ranges: `first,last,value[,...]`, addresses in text or, for IPv4, as numbers. The value is a
//! country code or an AS number, told apart by its form.

use crate::source::{Source, SourceBuilder, SourceError};
use coverage::area::AreaAttrs;
use std::net::{IpAddr, Ipv4Addr};

/// Reads CSV ranges. A first line that is a heading is skipped.
///
/// # Errors
/// [`SourceError`] when no line could be used; single bad lines are counted and left out.
pub fn read_csv(bytes: &[u8]) -> Result<Source, SourceError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut source = SourceBuilder::default();
    let mut record = csv::StringRecord::new();
    let mut line = 0;
    loop {
        line += 1;
        match reader.read_record(&mut record) {
            Ok(false) => return source.finish(),
            Ok(true) => match range(&record) {
                Ok((first, last, attrs)) => source.take(line, first, last, &attrs),
                Err(_) if line == 1 => {}
                Err(why) => source.refuse(line, why),
            },
            Err(fault) => source.refuse(line, fault.to_string()),
        }
    }
}

fn range(record: &csv::StringRecord) -> Result<(IpAddr, IpAddr, AreaAttrs), &'static str> {
    let field = |index| {
        record
            .get(index)
            .map(str::trim)
            .ok_or("fewer than three columns")
    };
    let first = address(field(0)?).ok_or("the first column is no address")?;
    let last = address(field(1)?).ok_or("the second column is no address")?;
    let value = field(2)?;
    let attrs = if let Ok(asn) = value.parse() {
        AreaAttrs {
            asn,
            ..AreaAttrs::default()
        }
    } else if value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        AreaAttrs {
            country: value.to_ascii_lowercase(),
            ..AreaAttrs::default()
        }
    } else {
        return Err("the third column is neither a country code nor an AS number");
    };
    Ok((first, last, attrs))
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| Some(IpAddr::V4(Ipv4Addr::from(text.parse::<u32>().ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_and_networks_of_both_families_are_read() {
        let text = b"start,end,country\n1.0.0.0,1.0.0.255,AU\n16777472,16778239,CN\n2001:db8::,2001:db8:1::,JP\nx,y,z\n";
        let source = read_csv(text).unwrap();
        assert_eq!((source.taken, source.refused), (3, 1));
        let country = |addr: &str| {
            let found = source.table.lookup(addr.parse().unwrap());
            source.table.area(found.area).attrs.country.clone()
        };
        assert_eq!(
            (country("1.0.0.9").as_str(), country("1.0.2.9").as_str()),
            ("au", "cn")
        );
        assert_eq!(country("2001:db8::7"), "jp");
        let networks = read_csv(b"1.0.0.0,1.0.0.255,13335,\"Some, Inc.\"\n").unwrap();
        assert_eq!(
            networks
                .table
                .area(networks.table.lookup("1.0.0.1".parse().unwrap()).area)
                .attrs
                .asn,
            13335
        );
    }

    #[test]
    fn a_reversed_range_is_refused_by_line() {
        let source = read_csv(b"1.0.0.0,1.0.0.255,AU\n1.0.2.0,1.0.1.0,CN\n").unwrap();
        assert_eq!((source.taken, source.reasons[0].at), (1, 2));
    }
}
