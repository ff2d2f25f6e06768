//! Zones of the catalog, checked and laid out for serving: records into the name index, zone cuts
//! with their glue.

use crate::fault::ViewError;
use crate::name;
use crate::names::{BODY_FIXED_BYTES, Names, RrSet};
use crate::wire::{CLASS_IN, rtype};
use coverage::catalog::{Zone, ZoneRecord};
use std::collections::BTreeMap;

/// The apex of a zone, and what negative answers carry.
#[derive(Debug)]
pub(crate) struct ZoneHead {
    pub(crate) apex: Box<[u8]>,
    /// The SOA with the TTL of RFC 2308 section 5.
    pub(crate) negative_soa: RrSet,
}

/// A delegation: the NS records of a cut and the addresses that reaching them takes.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) owner: Box<[u8]>,
    pub(crate) ns: RrSet,
    pub(crate) glue: Vec<(Box<[u8]>, RrSet)>,
}

/// A record from TYPE to the end of RDATA. RDATA beyond 65535 octets was refused before.
pub(crate) fn body(rtype: u16, ttl_s: u32, rdata: &[u8]) -> Box<[u8]> {
    let len = u16::try_from(rdata.len()).unwrap_or(u16::MAX);
    let mut body = Vec::with_capacity(BODY_FIXED_BYTES + rdata.len());
    body.extend_from_slice(&rtype.to_be_bytes());
    body.extend_from_slice(&CLASS_IN.to_be_bytes());
    body.extend_from_slice(&ttl_s.to_be_bytes());
    body.extend_from_slice(&len.to_be_bytes());
    body.extend_from_slice(rdata);
    body.into()
}

/// The wire form of a name of the catalog.
pub(crate) fn wire_name(text: &str) -> Result<Box<[u8]>, ViewError> {
    name::from_text(text).ok_or_else(|| ViewError::BadName(text.to_owned()))
}

/// Checks the apex of a zone and prepares its SOA for negative answers.
pub(crate) fn zone_head(zone: &Zone) -> Result<ZoneHead, ViewError> {
    let apex = wire_name(&zone.apex)?;
    let mut soas = Vec::new();
    let mut servers = 0;
    for record in &zone.records {
        if matches!(record.rtype, rtype::SOA | rtype::NS) && wire_name(&record.owner)? == apex {
            match record.rtype {
                rtype::SOA => soas.push(record),
                _ => servers += 1,
            }
        }
    }
    let [soa] = soas[..] else {
        return Err(ViewError::Soa {
            zone: zone.apex.clone(),
            count: soas.len(),
        });
    };
    if servers == 0 {
        return Err(ViewError::NoNs(zone.apex.clone()));
    }
    check_rdata(soa)?;
    let minimum_s = soa
        .rdata
        .last_chunk::<4>()
        .map_or(0, |octets| u32::from_be_bytes(*octets));
    // RFC 2308 section 5: the TTL of this record is set from the minimum of the MINIMUM field and
    // its own TTL.
    let negative = body(rtype::SOA, soa.ttl_s.min(minimum_s), &soa.rdata);
    Ok(ZoneHead {
        apex,
        negative_soa: RrSet {
            rtype: rtype::SOA,
            bodies: vec![negative],
        },
    })
}

/// Adds the records of one zone, grouped into sets. What lies in a zone of ours below this one is
/// that zone's to say, and is left out.
pub(crate) fn add_records(
    names: &mut Names,
    zones: &[ZoneHead],
    index: usize,
    zone: &Zone,
) -> Result<(), ViewError> {
    let apex = &zones[index].apex;
    let mut sets: BTreeMap<(Box<[u8]>, u16), Vec<&ZoneRecord>> = BTreeMap::new();
    for record in &zone.records {
        let owner = wire_name(&record.owner)?;
        if !name::is_within(&owner, apex) || (record.rtype == rtype::SOA && owner != *apex) {
            let (owner, zone) = (record.owner.clone(), zone.apex.clone());
            return Err(ViewError::OutsideZone { owner, zone });
        }
        check_rdata(record)?;
        if zone_of(zones, &owner) == Some(index) {
            sets.entry((owner, record.rtype)).or_default().push(record);
        }
    }
    for ((owner, rtype), records) in sets {
        // RFC 2181 section 5.2: all records of a set have one TTL; where they differ the shortest
        // is safe.
        let ttl_s = records.iter().map(|record| record.ttl_s).min().unwrap_or(0);
        let mut bodies: Vec<_> = records
            .iter()
            .map(|record| body(rtype, ttl_s, &canonical_rdata(record)))
            .collect();
        bodies.sort_unstable();
        bodies.dedup();
        let node = names.entry(&owner, index, apex);
        node.sets.push(RrSet { rtype, bodies });
        let lone_alias = node.sets.len() == 1 && node.sets[0].bodies.len() == 1;
        if node.set(rtype::CNAME).is_some() && !lone_alias {
            return Err(ViewError::CnameConflict(name::shown(&owner)));
        }
    }
    Ok(())
}

/// RDATA as it is served: targets that a chain or a referral follows are lower-cased, so that they
/// can be looked up.
fn canonical_rdata(record: &ZoneRecord) -> Vec<u8> {
    match record.rtype {
        rtype::CNAME | rtype::NS => record.rdata.to_ascii_lowercase(),
        _ => record.rdata.clone(),
    }
}

/// Refuses types that may not be data, and RDATA that has not the form of its type where this
/// server relies on it.
fn check_rdata(record: &ZoneRecord) -> Result<(), ViewError> {
    let ZoneRecord {
        owner,
        rtype,
        rdata,
        ..
    } = record;
    let (owner, rtype) = (owner.clone(), *rtype);
    // RFC 6895 section 3.1: 128 to 255 are for questions and meta types.
    if matches!(rtype, 0 | rtype::DNAME | rtype::OPT | 128..=255) {
        return Err(ViewError::Unserved { owner, rtype });
    }
    let good = match rtype {
        rtype::A => rdata.len() == 4,
        rtype::AAAA => rdata.len() == 16,
        rtype::CNAME | rtype::NS => name::measure(rdata) == Some(rdata.len()),
        rtype::SOA => is_soa(rdata),
        _ => u16::try_from(rdata.len()).is_ok(),
    };
    if good {
        Ok(())
    } else {
        Err(ViewError::Rdata { owner, rtype })
    }
}

/// Tells whether RDATA is two names and five numbers of 32 bits (RFC 1035 section 3.3.13).
fn is_soa(rdata: &[u8]) -> bool {
    let rest = name::measure(rdata).and_then(|len| rdata.get(len..));
    let rest = rest.and_then(|rest| rest.get(name::measure(rest)?..));
    rest.is_some_and(|numbers| numbers.len() == 20)
}

/// Index of the zone that a name belongs to: the one with the longest apex.
pub(crate) fn zone_of(zones: &[ZoneHead], name: &[u8]) -> Option<usize> {
    let holds = zones
        .iter()
        .enumerate()
        .filter(|(_, zone)| name::is_within(name, &zone.apex));
    holds
        .max_by_key(|(_, zone)| zone.apex.len())
        .map(|(index, _)| index)
}

/// Finds the zone cuts, marks every node at or below one, and gathers the glue.
pub(crate) fn find_cuts(names: &mut Names, zones: &[ZoneHead]) -> Vec<Cut> {
    let mut owners: Vec<Box<[u8]>> = Vec::new();
    for (owner, node) in names.iter_mut() {
        if *owner != *zones[node.zone].apex && node.set(rtype::NS).is_some() {
            owners.push(owner.into());
        }
    }
    // A cut below a cut is not ours to say anything about: the upper one hides it.
    owners.sort_unstable_by_key(|owner| name::labels(owner));
    let mut tops: BTreeMap<Box<[u8]>, usize> = BTreeMap::new();
    for owner in owners {
        if cut_above(&tops, &owner).is_none() {
            let next = tops.len();
            tops.insert(owner, next);
        }
    }
    for (owner, node) in names.iter_mut() {
        // A zone of ours below a cut of ours answers for itself.
        let apex = &zones[node.zone].apex;
        node.cut = cut_above(&tops, owner)
            .filter(|(_, above)| name::is_within(above, apex))
            .map(|(cut, _)| cut);
    }
    let mut cuts: Vec<_> = tops
        .into_iter()
        .map(|(owner, index)| (index, owner))
        .collect();
    cuts.sort_unstable_by_key(|(index, _)| *index);
    cuts.into_iter()
        .map(|(_, owner)| cut_at(names, owner))
        .collect()
}

/// The cut at or above a name: its index and its name.
fn cut_above<'t>(tops: &'t BTreeMap<Box<[u8]>, usize>, name: &[u8]) -> Option<(usize, &'t [u8])> {
    let mut suffixes = std::iter::successors(Some(name), |name| name::parent(name));
    suffixes
        .find_map(|suffix| tops.get_key_value(suffix))
        .map(|(name, index)| (*index, &**name))
}

/// Gathers what a referral carries. RFC 9471: all glue for name servers inside the cut goes along.
fn cut_at(names: &Names, owner: Box<[u8]>) -> Cut {
    let empty = RrSet {
        rtype: rtype::NS,
        bodies: Vec::new(),
    };
    let ns = names
        .get(&owner)
        .and_then(|node| node.set(rtype::NS))
        .cloned()
        .unwrap_or(empty);
    let mut glue = Vec::new();
    for target in ns
        .bodies
        .iter()
        .filter_map(|body| body.get(BODY_FIXED_BYTES..))
    {
        let inside = name::is_within(target, &owner);
        let Some(node) = names.get(target).filter(|_| inside) else {
            continue;
        };
        let sets = [rtype::A, rtype::AAAA]
            .into_iter()
            .filter_map(|rtype| node.set(rtype));
        glue.extend(sets.map(|set| (Box::from(target), set.clone())));
    }
    Cut { owner, ns, glue }
}
