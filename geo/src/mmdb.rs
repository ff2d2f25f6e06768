//! MaxMind databases, in the nesting of GeoIP2 and in the flat shape (`country_code`, `state1`,
//! `city`) that other publishers use. Network databases (`autonomous_system_number`) are read
//! alike.

use crate::places::Places;
use crate::source::{Source, SourceBuilder, SourceError, name_part};
use coverage::Place;
use coverage::area::AreaAttrs;
use maxminddb::{Reader, WithinOptions};
use serde::Deserialize;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

/// One record in either shape; what a database lacks stays empty.
#[derive(Deserialize, Default)]
pub(crate) struct MmdbRecord<'a> {
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
    #[serde(borrow, default)]
    continent: Option<Continent<'a>>,
    #[serde(default)]
    location: Option<Location>,
    #[serde(default)]
    autonomous_system_number: Option<u32>,
}

/// A continent by its two-letter code.
#[derive(Deserialize, Default)]
struct Continent<'a> {
    #[serde(borrow, default)]
    code: Option<&'a str>,
}

/// Coordinates in degrees.
#[derive(Deserialize, Default)]
struct Location {
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
}

impl MmdbRecord<'_> {
    /// All that policies may ask of the record.
    pub(crate) fn place(&self) -> Place {
        let lower = |text: Option<&str>| text.unwrap_or_default().to_lowercase();
        let coded = |coded: &Coded<'_>| lower(coded.iso_code);
        let country = self.country_code.map(str::to_lowercase);
        let nested = || self.country.as_ref().map(coded);
        let city = match &self.city {
            Some(City::Flat(city)) => Some(*city),
            Some(City::Nested(city)) => city.names.as_ref().and_then(|names| names.en),
            None => None,
        };
        let degrees = self.location.as_ref().and_then(|location| {
            let both = location.latitude.zip(location.longitude)?;
            (both.0.is_finite() && both.1.is_finite()).then_some(both)
        });
        Place {
            continent: lower(self.continent.as_ref().and_then(|continent| continent.code)),
            country: country.or_else(nested).unwrap_or_default(),
            subdivisions: match &self.subdivisions {
                Some(all) => all.iter().map(coded).collect(),
                None => self.state1.map(str::to_lowercase).into_iter().collect(),
            },
            city: lower(city),
            isp: String::new(),
            asn: self.autonomous_system_number.unwrap_or(0),
            coordinates: degrees,
        }
    }
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

/// Reads a database, networks in ascending order, IPv4 first. `decode` sees each record once
/// however many networks share it; `take` gets the number of a network with its address, length in
/// bits and what `decode` made, or why there is none.
///
/// # Errors
/// [`SourceError`] when it is no database.
pub(crate) fn read_networks<T>(
    bytes: &[u8],
    mut decode: impl FnMut(MmdbRecord<'_>) -> T,
    mut take: impl FnMut(usize, Result<(IpAddr, u8, &T), String>),
) -> Result<(), SourceError> {
    let malformed = |fault: maxminddb::MaxMindDbError| SourceError::Format {
        format: "a MaxMind database",
        why: fault.to_string(),
    };
    let reader = Reader::from_source(bytes).map_err(malformed)?;
    let mut known: HashMap<usize, T> = HashMap::new();
    let networks = reader
        .networks(WithinOptions::default())
        .map_err(malformed)?;
    for (index, found) in networks.enumerate() {
        let one = || -> Result<_, maxminddb::MaxMindDbError> {
            let found = found?;
            let Some(offset) = found.offset() else {
                return Ok(None);
            };
            let network = found.network()?;
            let decoded = match known.entry(offset) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(decode(
                    found.decode::<MmdbRecord<'_>>()?.unwrap_or_default(),
                )),
            };
            Ok(Some((network.network(), network.prefix(), &*decoded)))
        };
        if let Some(one) = one().map_err(|fault| fault.to_string()).transpose() {
            take(index, one);
        }
    }
    Ok(())
}

/// Reads a database as a source of attributes.
///
/// # Errors
/// [`SourceError`] when it is no database or none of its records could be used.
pub fn read_mmdb(bytes: &[u8], places: &Places) -> Result<Source, SourceError> {
    let mut source = SourceBuilder::default();
    let decode = |record: MmdbRecord<'_>| attributes(&record, places);
    read_networks(bytes, decode, |index, one| match one {
        Ok((addr, len, attrs)) => source.take_prefix(index, addr, len, attrs),
        Err(why) => source.refuse(index, why),
    })?;
    source.finish()
}

fn attributes(record: &MmdbRecord<'_>, places: &Places) -> AreaAttrs {
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
    use proptest::prelude::*;
    use testkit::mmdb::{Value, write};

    fn map<const N: usize>(pairs: [(&'static str, Value); N]) -> Value {
        Value::Map(pairs.to_vec())
    }

    fn named(code: &'static str, english: &'static str) -> Value {
        let names = map([("de", Value::text("anders")), ("en", Value::text(english))]);
        map([("iso_code", Value::text(code)), ("names", names)])
    }

    fn nested(country: &'static str, province: Value, city: &'static str) -> Value {
        map([
            ("city", map([("names", map([("en", Value::text(city))]))])),
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
            ("city", Value::text("Los Angeles (Playa Vista)")),
            ("country_code", Value::text("US")),
            ("latitude", Value::Double(33.98)),
            ("state1", Value::text("New York")),
        ]);
        let network = map([
            ("autonomous_system_number", Value::Number(4134)),
            ("autonomous_system_organization", Value::text("Some Org")),
        ]);
        let bytes = write(
            "Test-City",
            &[
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
            ],
        );
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
        let good = map([("country_code", Value::text("JP"))]);
        let bad = map([("country_code", Value::Number(7))]);
        let bytes = write("Test-City", &[("1.0.0.0/24", good), ("2.0.0.0/24", bad)]);
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
            let mut bytes = write("Test-City", &[("1.2.0.0/16", record.clone()), ("2001:db8::/32", record)]);
            let cut = at.index(bytes.len());
            let _ = read_mmdb(&bytes[..cut], &Places::default());
            bytes[cut] = byte;
            let _ = read_mmdb(&bytes, &Places::default());
        }
    }
}
