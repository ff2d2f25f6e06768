//! Zone files: static records of the zones that we are authoritative for.

use super::section::Section;
use coverage::catalog::{Zone, ZoneRecord};
use domain::base::iana::{Class, Rtype};
use domain::base::name::{Name, ToLabelIter, ToName};
use domain::base::rdata::{ComposeRecordData, RecordData};
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};
use engine::inventory::Inventory;
use std::fs;
use std::path::Path;
use std::str::FromStr;

/// Most records of one zone.
const RECORDS_MAX: usize = 1 << 20;

/// Reads one `[[zones]]` table: `name`, and `file` relative to `dir`.
pub(super) fn read(section: &Section<'_>, dir: &Path) -> Option<Zone> {
    let name = section.text("name");
    let file = section.text("file");
    if name.is_empty() || file.is_empty() {
        return None;
    }
    let path = dir.join(&file);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(fault) => {
            section.fault("file", format!("cannot read {}: {fault}", path.display()));
            return None;
        }
    };
    match records(&name, &text) {
        Ok(zone) => Some(zone),
        Err(fault) => {
            section.fault("file", format!("{}: {fault}", path.display()));
            None
        }
    }
}

/// Parses a zone file with the zone's name as its origin.
fn records(apex: &str, text: &[u8]) -> Result<Zone, String> {
    let origin: Name<bytes::Bytes> = Name::<Vec<u8>>::from_str(apex)
        .map_err(|fault| format!("{apex:?} is no domain name: {fault}"))?
        .to_name();
    let mut file = Zonefile::new();
    file.extend_from_slice(text);
    // A missing last line break would make the last record unreadable.
    file.extend_from_slice(b"\n");
    file.set_origin(origin.clone());
    file.set_default_class(Class::IN);
    let mut records = Vec::new();
    loop {
        match file.next_entry().map_err(|fault| fault.to_string())? {
            None => break,
            Some(Entry::Include { .. }) => {
                return Err("$INCLUDE is not supported: put the records into one file".into());
            }
            Some(Entry::Record(record)) => records.push(converted(&record, &origin)?),
        }
        if records.len() > RECORDS_MAX {
            return Err(format!("more than {RECORDS_MAX} records"));
        }
    }
    records.sort();
    records.dedup();
    let apex = absolute(&origin);
    let at_apex = |rtype: Rtype| {
        records
            .iter()
            .filter(|record| record.owner == apex && record.rtype == rtype.to_int())
            .count()
    };
    if at_apex(Rtype::SOA) != 1 {
        return Err(format!("the zone needs exactly one SOA at {apex}"));
    }
    if at_apex(Rtype::NS) == 0 {
        return Err(format!("the zone needs an NS at {apex}"));
    }
    Ok(Zone { apex, records })
}

fn converted(record: &ScannedRecord, origin: &Name<bytes::Bytes>) -> Result<ZoneRecord, String> {
    let owner = absolute(record.owner());
    if record.class() != Class::IN {
        return Err(format!(
            "{owner} is of class {}, but only IN is served",
            record.class()
        ));
    }
    if !record.owner().ends_with(origin) {
        return Err(format!("{owner} lies outside the zone"));
    }
    let mut rdata = Vec::new();
    let Ok(()) = record.data().compose_rdata(&mut rdata);
    Ok(ZoneRecord {
        owner,
        rtype: record.data().rtype().to_int(),
        ttl_s: record.ttl().as_secs(),
        rdata,
    })
}

/// A name in text, lower-case, with its final dot.
fn absolute(name: &impl ToName) -> String {
    let name: Name<Vec<u8>> = name.to_name();
    name.fmt_with_dot().to_string().to_ascii_lowercase()
}

/// Adds an A and AAAA record for every node authority that lies in one of the zones, so that
/// redirects resolve.
pub(super) fn add_nodes(inventory: &mut Inventory, ttl_s: u32) {
    const A: u16 = 1;
    const AAAA: u16 = 28;
    for endpoint in &inventory.endpoints {
        for port in &endpoint.nodes {
            let host = port.authority.split(':').next().unwrap_or_default();
            let owner = format!("{}.", host.to_ascii_lowercase());
            let zone = inventory
                .zones
                .iter_mut()
                .find(|zone| owner.ends_with(&format!(".{}", zone.apex)));
            let Some(zone) = zone else { continue };
            let record = |rtype, rdata| ZoneRecord {
                owner: owner.clone(),
                rtype,
                ttl_s,
                rdata,
            };
            zone.records.push(record(A, port.ipv4.octets().to_vec()));
            zone.records
                .extend(port.ipv6.map(|ipv6| record(AAAA, ipv6.octets().to_vec())));
        }
    }
    for zone in &mut inventory.zones {
        zone.records.sort();
        zone.records.dedup();
    }
}

/// Reports a service name that no zone holds.
pub(super) fn check_domain(domain: &str, zones: &[Zone]) -> Result<(), String> {
    let inside = |zone: &Zone| domain == zone.apex || domain.ends_with(&format!(".{}", zone.apex));
    if zones.iter().any(inside) {
        return Ok(());
    }
    Err(format!(
        "{domain} lies in none of the zones; add its zone under [[zones]]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str =
        "@ 3600 SOA ns1 hostmaster 1 7200 900 1209600 60\n@ 3600 NS ns1\nns1 3600 A 192.0.2.1\n";

    #[test]
    fn records_are_on_the_wire_and_absolute() {
        let zone = records("cdn.example", ZONE.as_bytes()).unwrap();
        assert_eq!(zone.apex, "cdn.example.");
        let address = zone
            .records
            .iter()
            .find(|record| record.rtype == 1)
            .unwrap();
        assert_eq!(
            (address.owner.as_str(), address.rdata.as_slice()),
            ("ns1.cdn.example.", &[192, 0, 2, 1][..])
        );
    }

    #[test]
    fn a_zone_without_soa_or_with_strangers_is_refused() {
        assert!(
            records("cdn.example", b"@ 60 NS ns1\n")
                .unwrap_err()
                .contains("SOA")
        );
        let strange = format!("{ZONE}www.other.example. 60 A 192.0.2.2\n");
        assert!(
            records("cdn.example", strange.as_bytes())
                .unwrap_err()
                .contains("outside")
        );
        assert!(records("cdn.example", b"@ 60 SOA nonsense\n").is_err());
    }
}
