//! Attributes an area keeps. Fewer keys give fewer areas and wider scopes.

use coverage::area::AreaAttrs;
use std::collections::BTreeMap;

/// Attributes kept in one country.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    /// Country.
    pub country: bool,
    /// Province.
    pub province: bool,
    /// City.
    pub city: bool,
    /// ISP.
    pub isp: bool,
    /// AS number.
    pub asn: bool,
}

/// Text that names no keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no keys: write country,province,city,isp,asn, or CC=KEYS for one country, such as cn=country,province,isp"
)]
pub struct BadKeys(pub String);

/// Attributes kept, everywhere and by country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    everywhere: KeySet,
    by_country: BTreeMap<String, KeySet>,
}

impl Keys {
    /// Reads words such as `country` and `cn=country,province,isp`.
    ///
    /// # Errors
    /// [`BadKeys`] with the word that is none.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, BadKeys> {
        let mut keys = Self::default();
        for word in words {
            let (country, list) = word
                .split_once('=')
                .map_or(("", word), |(country, list)| (country, list));
            let mut set = KeySet::default();
            for key in list.split(',') {
                match key.trim() {
                    "country" => set.country = true,
                    "province" => set.province = true,
                    "city" => set.city = true,
                    "isp" => set.isp = true,
                    "asn" => set.asn = true,
                    _ => return Err(BadKeys(word.to_owned())),
                }
            }
            match country {
                "" => keys.everywhere = set,
                _ => drop(keys.by_country.insert(country.to_ascii_lowercase(), set)),
            }
        }
        Ok(keys)
    }

    /// Returns what is left of an area's attributes.
    #[must_use]
    pub fn reduce(&self, attrs: &AreaAttrs) -> AreaAttrs {
        let set = self
            .by_country
            .get(&attrs.country)
            .unwrap_or(&self.everywhere);
        let keep = |kept: bool, text: &String| if kept { text.clone() } else { String::new() };
        AreaAttrs {
            country: keep(set.country, &attrs.country),
            province: keep(set.province, &attrs.province),
            city: keep(set.city, &attrs.city),
            isp: keep(set.isp, &attrs.isp),
            asn: if set.asn { attrs.asn } else { 0 },
            ..AreaAttrs::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_may_keep_more_than_the_rest() {
        let keys = Keys::parse(["country", "cn=country,province,isp"]).unwrap();
        let attrs = |country: &str| AreaAttrs {
            country: country.into(),
            province: "x".into(),
            isp: "ct".into(),
            city: "y".into(),
            asn: 7,
            ..AreaAttrs::default()
        };
        assert_eq!(keys.reduce(&attrs("cn")).name(), "cn/x/ct");
        assert_eq!(keys.reduce(&attrs("us")).name(), "us");
        assert_eq!(Keys::parse(["county"]), Err(BadKeys("county".into())));
    }
}
