//! Coordinates of countries and Chinese provinces, and the names under which sources know the
//! provinces.

use std::collections::BTreeMap;

/// The table that the repository ships: GB/T 2260 codes with the coordinates of provincial
/// capitals, and every other country with those of its largest city.
const SHIPPED: &str = include_str!("../../data/geo/places.csv");

/// Reason why a table of places cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("places, line {line}: {why}")]
pub struct BadPlaces {
    /// Line, from 1.
    pub line: usize,
    /// Fault.
    pub why: &'static str,
}

/// Place where countries and provinces are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// (country, province code) -> (degrees north, degrees east).
    coordinates: BTreeMap<(String, String), (f32, f32)>,
    /// English and Chinese names of provinces -> code.
    codes: BTreeMap<String, String>,
}

impl Places {
    /// The shipped table.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn shipped() -> Self {
        Self::read(SHIPPED).expect("the shipped table is well-formed")
    }

    /// Reads `country,province,english,chinese,latitude,longitude` lines after a heading.
    ///
    /// # Errors
    /// [`BadPlaces`] names the first bad line.
    pub fn read(text: &str) -> Result<Self, BadPlaces> {
        let mut places = Self::default();
        for (index, line) in text.lines().enumerate().skip(1) {
            let bad = |why| BadPlaces {
                line: index + 1,
                why,
            };
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let [country, province, english, chinese, latitude, longitude] = fields[..] else {
                return Err(bad("there are not six columns"));
            };
            let degrees = |text: &str| {
                text.parse::<f32>()
                    .ok()
                    .filter(|degrees| degrees.abs() <= 180.0)
            };
            let place = degrees(latitude)
                .zip(degrees(longitude))
                .ok_or_else(|| bad("a coordinate is no number of degrees"))?;
            places
                .coordinates
                .insert((country.to_owned(), province.to_owned()), place);
            if !province.is_empty() {
                places.codes.insert(english.to_owned(), province.to_owned());
                places.codes.insert(chinese.to_owned(), province.to_owned());
            }
        }
        Ok(places)
    }

    /// The GB/T 2260 code of a Chinese province by its English or Chinese name, with or without its
    /// kind (省, 自治区 ...).
    #[must_use]
    pub fn province_code(&self, name: &str) -> Option<&str> {
        let exact = self.codes.get(name);
        let begins = || {
            self.codes
                .iter()
                .find(|(known, _)| !name.is_ascii() && name.starts_with(known.as_str()))
        };
        exact
            .or_else(|| begins().map(|(_, code)| code))
            .map(String::as_str)
    }

    /// (Degrees north, degrees east) of a province, else of its country.
    #[must_use]
    pub fn coordinates(&self, country: &str, province: &str) -> Option<(f32, f32)> {
        let of = |province: &str| {
            self.coordinates
                .get(&(country.to_owned(), province.to_owned()))
                .copied()
        };
        of(province)
            .or_else(|| of(""))
            .or_else(|| (country == "cn").then(|| of("41")).flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provinces_are_known_by_every_name_that_sources_use() {
        let places = Places::shipped();
        for name in ["Guangdong", "广东", "广东省"] {
            assert_eq!(places.province_code(name), Some("44"), "{name}");
        }
        assert_eq!(places.province_code("内蒙古自治区"), Some("15"));
        assert_eq!(places.province_code("Narnia"), None);
        assert_eq!(places.coordinates("cn", "31"), Some((31.23, 121.47)));
        assert!(places.coordinates("br", "Rio").is_some());
    }

    #[test]
    fn a_bad_line_is_named() {
        let bad =
            Places::read("heading\ncn,11,Beijing,北京,39.9,116.4\nde,,,,north,8.6\n").unwrap_err();
        assert_eq!(bad.line, 3);
    }
}
