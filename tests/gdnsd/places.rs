//! Random geography: networks with the records that city and country databases hold, including
//! incomplete ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use testkit::Prefix;
use testkit::Random;
use testkit::mmdb::Value;

/// A country: continent, code, degrees north, degrees east, subdivisions (outermost first, `/`
/// between levels), cities.
pub(crate) type Country = (
    &'static str,
    &'static str,
    f64,
    f64,
    &'static [&'static str],
    &'static [&'static str],
);

/// Codes as ISO 3166 has them. Some cities bear the names of others elsewhere, or the code of a
/// subdivision, on purpose.
#[rustfmt::skip]
pub(crate) const COUNTRIES: [Country; 26] = [
    ("EU", "DE", 51.0, 9.0, &["BY", "BE", "NW", "HE"], &["Munich", "Berlin", "Frankfurt am Main", "BY"]),
    ("EU", "FR", 46.0, 2.0, &["IDF/75", "IDF/92", "ARA/69", "PAC"], &["Paris", "Lyon", "Nice"]),
    ("EU", "GB", 54.0, -2.0, &["ENG/LND", "ENG/MAN", "SCT", "WLS"], &["London", "Manchester", "Birmingham"]),
    ("EU", "CZ", 49.8, 15.0, &["10", "20/20A", "64/642"], &["Prague", "Brno"]),
    ("EU", "CH", 46.8, 8.2, &["GE", "ZH", "BE"], &["Geneva", "Zurich", "Bern"]),
    ("EU", "ES", 40.0, -4.0, &["MD/M", "CT/B", "AN"], &["Madrid", "Barcelona", "Santiago"]),
    ("EU", "RU", 60.0, 100.0, &["MOW", "SPE", "KHA"], &["Moscow", "St Petersburg", "Khabarovsk"]),
    ("EU", "IS", 65.0, -18.0, &[], &["Reykjavik"]),
    ("NA", "US", 38.0, -97.0, &["CA", "NY", "TX", "IL", "OR"], &["Springfield", "Portland", "New York", "Dallas", "Paris"]),
    ("NA", "CA", 60.0, -95.0, &["ON", "QC", "BC"], &["London", "Montreal", "Vancouver"]),
    ("NA", "MX", 23.0, -102.0, &["CMX", "JAL"], &["Mexico City", "Guadalajara"]),
    ("NA", "PA", 9.0, -80.0, &[], &["Panama City"]),
    ("SA", "BR", -10.0, -55.0, &["SP", "RJ"], &["S\u{e3}o Paulo", "Rio de Janeiro"]),
    ("SA", "CL", -30.0, -71.0, &["RM", "VS"], &["Santiago", "Valpara\u{ed}so"]),
    ("SA", "AR", -34.0, -64.0, &["B", "C"], &["Buenos Aires"]),
    ("AS", "CN", 35.0, 105.0, &["BJ", "SH", "GD"], &["Beijing", "Shanghai", "Shenzhen"]),
    ("AS", "JP", 36.0, 138.0, &["13", "27"], &["Tokyo", "Osaka"]),
    ("AS", "IN", 20.0, 77.0, &["MH", "DL", "KA"], &["Mumbai", "Delhi", "Bengaluru"]),
    ("AS", "SG", 1.3, 103.8, &[], &["Singapore"]),
    ("AS", "TR", 39.0, 35.0, &["34", "06"], &["Istanbul", "Ankara"]),
    ("OC", "AU", -27.0, 133.0, &["NSW", "VIC", "WA"], &["Sydney", "Melbourne", "Perth"]),
    ("OC", "NZ", -42.0, 174.0, &["AUK", "OTA"], &["Auckland", "Dunedin"]),
    ("OC", "FJ", -18.0, 178.0, &["C"], &["Suva"]),
    ("AF", "ZA", -29.0, 24.0, &["GP", "WC"], &["Johannesburg", "Cape Town"]),
    ("AF", "EG", 27.0, 30.0, &["C", "ALX"], &["Cairo", "Alexandria"]),
    ("AN", "AQ", -80.0, 0.0, &[], &["McMurdo Station"]),
];

/// A record of a random place in a country. Cities may lie in any subdivision: databases have such
/// surprises.
fn record(country: &Country, is_city: bool, random: &mut Random) -> Value {
    let (continent, code, north, east, subdivisions, cities) = country;
    let mut pairs = Vec::new();
    let coded = |key, code: &str| Value::Map(vec![(key, Value::text(code))]);
    if is_city && random.percent(75) {
        let names = Value::Map(vec![
            ("de", Value::text("Irgendwo")),
            ("en", Value::text(cities[random.below(cities.len())])),
        ]);
        pairs.push(("city", Value::Map(vec![("names", names)])));
    }
    if !random.percent(2) {
        pairs.push(("continent", coded("code", continent)));
    }
    let has_country = !random.percent(4);
    if has_country {
        pairs.push(("country", coded("iso_code", code)));
    } else if random.percent(50) {
        pairs.push(("registered_country", coded("iso_code", code)));
    }
    if is_city && !random.percent(5) {
        let near = |centre: f64, random: &mut Random| {
            let tenths = i32::from(random.between(0, 100)) - 50;
            centre + f64::from(tenths) / 10.0
        };
        let mut location = vec![("latitude", Value::Double(near(*north, random)))];
        if !random.percent(2) {
            location.push(("longitude", Value::Double(near(*east, random))));
        }
        pairs.push(("location", Value::Map(location)));
    }
    if is_city && has_country && !subdivisions.is_empty() && random.percent(80) {
        let path = random.choose(subdivisions).split('/');
        let depth = random.between(1, 2);
        let levels = path
            .take(usize::from(depth))
            .map(|level| coded("iso_code", level));
        pairs.push(("subdivisions", Value::List(levels.collect())));
    }
    Value::Map(pairs)
}

/// A few thousand networks, nested as registries, providers and cities nest them.
pub(crate) fn networks(is_city: bool, random: &mut Random) -> Vec<(Prefix, Value)> {
    let mut networks = Vec::new();
    for _ in 0..240 {
        let country = random.below(COUNTRIES.len());
        let country = &COUNTRIES[country];
        let block = if random.percent(70) {
            let first = random.between(1, 223);
            let address = Ipv4Addr::new(first, random.between(0, 255), 0, 0);
            Prefix::new(IpAddr::V4(address), random.between(8, 16))
        } else {
            let registry = random.pick(&[0x2400_u16, 0x2600, 0x2800, 0x2a00, 0x2c00, 0x2001]);
            let second = u16::from(random.between(1, 255)) << 8 | u16::from(random.between(0, 255));
            let address = Ipv6Addr::new(registry, second, 0, 0, 0, 0, 0, 0);
            Prefix::new(IpAddr::V6(address), random.between(20, 32))
        };
        networks.push((block, record(country, is_city, random)));
        for _ in 0..random.below(24) {
            let longest = if block.is_v4 { 26 } else { 60 };
            let len = random.between(block.own_len() + 1, longest);
            let inner = block.inner(len, random);
            let elsewhere = random.below(COUNTRIES.len());
            let country = if random.percent(85) {
                country
            } else {
                &COUNTRIES[elsewhere]
            };
            let value = record(country, is_city, random);
            if random.percent(20) {
                networks.push((inner.sibling(), value.clone()));
            }
            networks.push((inner, value));
        }
    }
    networks
}
