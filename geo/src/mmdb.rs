//! MaxMind databases, in the nesting of GeoIP2 and in the flat shape (`country_code`, `state1`, `city`) that other
//! publishers use. Network databases (`autonomous_system_number`) are read alike.

use crate::places::Places;
use crate::source::{Source, SourceBuilder, SourceError, name_part};
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
        name_part(code.unwrap_or(&province_name))
    };
    let city = match &record.city {
        Some(City::Flat(city)) => name_part(city),
        Some(City::Nested(city)) => name_part(&english(city).unwrap_or_default()),
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
    use crate::mmdb_file::{Value, write};
    use proptest::prelude::*;

    fn map<const N: usize>(pairs: [(&'static str, Value); N]) -> Value {
        Value::Map(pairs.to_vec())
    }

    fn named(code: &'static str, english: &'static str) -> Value {
        let names = map([("de", Value::Text("anders")), ("en", Value::Text(english))]);
        map([("iso_code", Value::Text(code)), ("names", names)])
    }

    fn nested(country: &'static str, province: Value, city: &'static str) -> Value {
        map([
            ("city", map([("names", map([("en", Value::Text(city))]))])),
            ("country", named(country, "Some Country")),
            ("subdivisions", Value::List(vec![province])),
        ])
    }

    fn attrs(source: &Source, addr: &str) -> AreaAttrs {
        let found = source.table.lookup(addr.parse().unwrap());
        source.table.area(found.area).attrs.clone()
    }

    #[test]
    fn both_shapes_and_networks_are_told_apart_by_their_records() {
        let flat = map([
            ("city", Value::Text("Los Angeles (Playa Vista)")),
            ("country_code", Value::Text("US")),
            ("latitude", Value::Double(33.98)),
            ("state1", Value::Text("New York")),
        ]);
        let network = map([
            ("autonomous_system_number", Value::Number(4134)),
            ("autonomous_system_organization", Value::Text("Some Org")),
        ]);
        let bytes = write(&[
            ("1.0.0.0/24", flat),
            (
                "1.2.0.0/16",
                nested("CN", named("GD", "Guangdong"), "Shenzhen"),
            ),
            (
                "2001:db8::/32",
                nested("DE", named("BY", "Bavaria"), "Munich"),
            ),
            ("2001:db9::/48", network),
        ]);
        let source = read_mmdb(&bytes, &Places::shipped()).unwrap();
        assert_eq!((source.taken, source.refused), (4, 0));
        assert_eq!(
            attrs(&source, "1.0.0.9").name(),
            "us/new-york/los-angeles-(playa-vista)"
        );
        assert_eq!(attrs(&source, "1.0.1.0").name(), "zz");
        assert_eq!(attrs(&source, "1.2.255.255").name(), "cn/44/shenzhen");
        assert_eq!(attrs(&source, "2001:db8::1").name(), "de/by/munich");
        assert_eq!(attrs(&source, "2001:db9::1").asn, 4134);
    }

    #[test]
    fn a_record_of_another_shape_is_refused_and_the_rest_kept() {
        let good = map([("country_code", Value::Text("JP"))]);
        let bad = map([("country_code", Value::Number(7))]);
        let bytes = write(&[("1.0.0.0/24", good), ("2.0.0.0/24", bad)]);
        let source = read_mmdb(&bytes, &Places::shipped()).unwrap();
        assert_eq!(
            (source.taken, source.refused, source.reasons.len()),
            (1, 1, 1)
        );
        assert_eq!(attrs(&source, "1.0.0.1").country, "jp");
    }

    #[test]
    fn no_database_is_an_error_not_a_panic() {
        for length in [0, 1, 100, 5000] {
            let bytes = vec![0xab_u8; length];
            assert!(read_mmdb(&bytes, &Places::shipped()).is_err());
        }
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let record = nested("CN", named("GD", "Guangdong"), "Shenzhen");
            let mut bytes = write(&[("1.2.0.0/16", record.clone()), ("2001:db8::/32", record)]);
            let cut = at.index(bytes.len());
            let _ = read_mmdb(&bytes[..cut], &Places::default());
            bytes[cut] = byte;
            let _ = read_mmdb(&bytes, &Places::default());
        }
    }
}
