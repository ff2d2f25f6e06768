//! MaxMind databases, in the nesting of GeoIP2 and in the flat shape (`country_code`, `state1`, `city`) that other
//! publishers use. Network databases (`autonomous_system_number`) are read alike.

use crate::places::Places;
use crate::source::{Source, SourceBuilder, SourceError};
use coverage::area::AreaAttrs;
use maxminddb::{Reader, WithinOptions};
use serde::Deserialize;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// One record in either shape; what a database lacks stays empty.
#[derive(Deserialize, Default)]
struct Record<'a> {
    // Flat.
    #[serde(borrow, default)]
    country_code: Option<&'a str>,
    #[serde(borrow, default)]
    state1: Option<&'a str>,
    // Nested, or flat where it is plain text.
    #[serde(borrow, default)]
    city: Option<City<'a>>,
    #[serde(borrow, default)]
    country: Option<Coded<'a>>,
    #[serde(borrow, default)]
    subdivisions: Option<Vec<Coded<'a>>>,
    #[serde(default)]
    autonomous_system_number: Option<u32>,
}

/// A city as plain text or with names.
#[derive(Deserialize)]
#[serde(untagged)]
enum City<'a> {
    Flat(&'a str),
    #[serde(borrow)]
    Nested(Coded<'a>),
}

/// Something with an ISO code and names.
#[derive(Deserialize, Default)]
struct Coded<'a> {
    #[serde(borrow, default)]
    iso_code: Option<&'a str>,
    #[serde(borrow, default)]
    names: Option<Names<'a>>,
}

/// Names by language; only English is read.
#[derive(Deserialize, Default)]
struct Names<'a> {
    #[serde(borrow, default)]
    en: Option<&'a str>,
}

/// Reads a database. Records are decoded once however many networks share them.
///
/// # Errors
/// [`SourceError`] when it is no database or none of its records could be used.
pub fn read_mmdb(bytes: &[u8], places: &Places) -> Result<Source, SourceError> {
    let malformed = |fault: maxminddb::MaxMindDbError| SourceError::Format {
        format: "a MaxMind database",
        why: fault.to_string(),
    };
    let reader = Reader::from_source(bytes).map_err(malformed)?;
    let mut source = SourceBuilder::default();
    let mut known: HashMap<usize, AreaAttrs> = HashMap::new();
    let networks = reader
        .networks(WithinOptions::default())
        .map_err(malformed)?;
    for (index, found) in networks.enumerate() {
        let found = match found {
            Ok(found) => found,
            Err(fault) => {
                source.refuse(index, fault.to_string());
                continue;
            }
        };
        let Some(offset) = found.offset() else {
            continue;
        };
        let network = match found.network() {
            Ok(network) => network,
            Err(fault) => {
                source.refuse(index, fault.to_string());
                continue;
            }
        };
        let attrs = match known.entry(offset) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match found.decode::<Record<'_>>() {
                Ok(record) => new.insert(attributes(&record.unwrap_or_default(), places)),
                Err(fault) => {
                    source.refuse(index, fault.to_string());
                    continue;
                }
            },
        };
        source.take_prefix(index, network.network(), network.prefix(), attrs);
    }
    source.finish()
}

fn attributes(record: &Record<'_>, places: &Places) -> AreaAttrs {
    let nested = record.country.as_ref().and_then(|country| country.iso_code);
    let country = record
        .country_code
        .or(nested)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let subdivision = record.subdivisions.as_ref().and_then(|all| all.first());
    let english = |coded: &Coded<'_>| {
        coded
            .names
            .as_ref()
            .and_then(|names| names.en)
            .map(str::to_owned)
    };
    let province_name = record
        .state1
        .map(str::to_owned)
        .or_else(|| subdivision.and_then(english))
        .unwrap_or_default();
    let province = if country == "cn" {
        places
            .province_code(&province_name)
            .unwrap_or_default()
            .to_owned()
    } else {
        let code = subdivision.and_then(|subdivision| subdivision.iso_code);
        code.map_or(province_name, str::to_ascii_lowercase)
    };
    let city = match &record.city {
        Some(City::Flat(city)) => (*city).to_owned(),
        Some(City::Nested(city)) => english(city).unwrap_or_default(),
        None => String::new(),
    };
    let asn = record.autonomous_system_number.unwrap_or(0);
    AreaAttrs {
        country,
        province,
        city,
        asn,
        ..AreaAttrs::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_database_is_an_error_not_a_panic() {
        for length in [0, 1, 100, 5000] {
            let bytes = vec![0xab_u8; length];
            assert!(read_mmdb(&bytes, &Places::shipped()).is_err());
        }
    }
}
