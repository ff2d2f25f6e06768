//! The policy that every server gets, each in its own words: continents and countries to data
//! centers, or the nearest.

use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::net::Ipv4Addr;

/// Zone of the benchmark.
pub const ZONE: &str = "example.com";
/// Label of the name that is asked for.
pub const LABEL: &str = "www";
/// Seconds that an answer may be kept, the same everywhere.
pub const TTL_S: u32 = 300;

/// Policy that decides about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Continents and countries.
    Map,
    /// The nearest data center by coordinates.
    Nearest,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Map => "map",
            Self::Nearest => "nearest",
        })
    }
}

/// One place to send clients to.
#[derive(Clone, Copy, Debug)]
pub struct DataCenter {
    /// Name.
    pub name: &'static str,
    /// One address.
    pub address: Ipv4Addr,
    /// Place where it is: degrees north and degrees east.
    pub coordinates: [f64; 2],
}

/// All data centers, in default order.
pub const DATA_CENTERS: [DataCenter; 6] = [
    data_center("use", 1, [38.9, -77.0]),
    data_center("eu", 2, [50.1, 8.7]),
    data_center("sg", 3, [1.35, 103.8]),
    data_center("tyo", 4, [35.7, 139.7]),
    data_center("usw", 5, [37.4, -122.1]),
    data_center("sa", 6, [-23.5, -46.6]),
];

/// A data center with an address of the documentation prefix (RFC 5737).
const fn data_center(name: &'static str, host: u8, coordinates: [f64; 2]) -> DataCenter {
    DataCenter {
        name,
        address: Ipv4Addr::new(192, 0, 2, host),
        coordinates,
    }
}

/// One line of the map.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Two-letter code.
    pub continent: &'static str,
    /// Two-letter code; all other countries of the continent when absent.
    pub country: Option<&'static str>,
    /// Index of the first choice in [`DATA_CENTERS`].
    pub first: usize,
}

/// The map: continent, country or the rest of the continent, and the first choice.
const MAP: [(&str, Option<&str>, &str); 25] = [
    ("NA", Some("MX"), "usw"),
    ("NA", Some("GT"), "usw"),
    ("NA", None, "use"),
    ("SA", Some("CO"), "use"),
    ("SA", Some("VE"), "use"),
    ("SA", Some("EC"), "use"),
    ("SA", None, "sa"),
    ("EU", Some("IS"), "use"),
    ("EU", None, "eu"),
    ("AF", Some("ZA"), "sg"),
    ("AF", Some("MU"), "sg"),
    ("AF", Some("AO"), "sa"),
    ("AF", None, "eu"),
    ("AS", Some("JP"), "tyo"),
    ("AS", Some("KR"), "tyo"),
    ("AS", Some("CN"), "tyo"),
    ("AS", Some("TW"), "tyo"),
    ("AS", Some("TR"), "eu"),
    ("AS", Some("IL"), "eu"),
    ("AS", Some("SA"), "eu"),
    ("AS", Some("AE"), "eu"),
    ("AS", None, "sg"),
    ("OC", Some("NZ"), "usw"),
    ("OC", Some("PF"), "usw"),
    ("OC", None, "sg"),
];

/// The rules of the map. Whoever is nowhere in it goes to the first data center.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let first = |name: &str| {
        let found = DATA_CENTERS.iter().position(|center| center.name == name);
        found.unwrap_or(0)
    };
    let lines = MAP.into_iter();
    lines
        .map(|(continent, country, to)| Rule {
            continent,
            country,
            first: first(to),
        })
        .collect()
}

/// The data centers in order of preference, `first` before the others: one list per first choice,
/// so that lists differ exactly where answers do and no server is helped or hurt by how it compares
/// them.
#[must_use]
pub fn preference(first: usize) -> Vec<&'static str> {
    let rest = (0..DATA_CENTERS.len()).filter(|index| *index != first);
    let order = [first].into_iter().chain(rest);
    order.map(|index| DATA_CENTERS[index].name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_center_is_somebodys_first_choice() {
        for (index, center) in DATA_CENTERS.iter().enumerate() {
            let chosen = rules().iter().any(|rule| rule.first == index);
            assert!(chosen, "{}", center.name);
            let list = preference(index);
            assert_eq!((list.len(), list[0]), (DATA_CENTERS.len(), center.name));
        }
    }

    #[test]
    fn continents_come_after_their_countries() {
        let rules = rules();
        for (index, rule) in rules.iter().enumerate() {
            let later = &rules[index + 1..];
            let same = later.iter().any(|other| other.continent == rule.continent);
            assert_eq!(same, rule.country.is_some(), "{rule:?}");
        }
    }
}
