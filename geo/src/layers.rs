//! Sources laid over one another, attribute by attribute, into one area table.

use crate::keys::Keys;
use crate::places::Places;
use crate::source::{Reach, Refused, Source, SourceError};
use crate::{read_cidr_list, read_csv, read_ip2region, read_mmdb};
use coverage::area::{AreaAttrs, AreaBuildError, AreaId, AreaTable, AreaTableBuilder};
use std::collections::HashMap;

/// Reason why no table could be built.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// There was no source.
    #[error("no source given: name at least one of --mmdb, --csv, --ip2region, --cidr")]
    NoSource,
    /// The result does not fit a table.
    #[error(transparent)]
    Build(#[from] AreaBuildError),
}

/// Yield of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// Records taken.
    pub taken: usize,
    /// Records left out.
    pub refused: usize,
    /// The first of them, with reasons.
    pub reasons: Vec<Refused>,
}

/// Input and output of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildReport {
    /// Areas in the table.
    pub areas: usize,
    /// IPv4 ranges after merging.
    pub ranges_v4: usize,
    /// IPv6 ranges after merging.
    pub ranges_v6: usize,
    /// Sources in the order in which they were added.
    pub sources: Vec<SourceReport>,
}

/// Sources in order; a later one overrides the attributes it knows.
pub struct Layers {
    keys: Keys,
    places: Places,
    sources: Vec<(AreaTable, Reach)>,
    reports: Vec<SourceReport>,
}

impl Layers {
    /// No sources yet.
    #[must_use]
    pub const fn new(keys: Keys, places: Places) -> Self {
        Self {
            keys,
            places,
            sources: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Lays a source over those before it.
    pub fn add(&mut self, source: Source) {
        let Source {
            table,
            reach,
            taken,
            refused,
            reasons,
        } = source;
        self.sources.push((table, reach));
        self.reports.push(SourceReport {
            taken,
            refused,
            reasons,
        });
    }

    /// Lays a MaxMind database over the sources before it.
    ///
    /// # Errors
    /// As [`read_mmdb`].
    pub fn mmdb(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let source = read_mmdb(bytes, &self.places)?;
        self.add(source);
        Ok(())
    }

    /// Lays CSV ranges over the sources before them.
    ///
    /// # Errors
    /// As [`read_csv`].
    pub fn csv(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.add(read_csv(bytes)?);
        Ok(())
    }

    /// Lays an ip2region file over the sources before it.
    ///
    /// # Errors
    /// As [`read_ip2region`].
    pub fn ip2region(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let source = read_ip2region(bytes, &self.places)?;
        self.add(source);
        Ok(())
    }

    /// Lays one ISP's prefixes over the sources before them.
    ///
    /// # Errors
    /// As [`read_cidr_list`].
    pub fn cidr_list(&mut self, isp: &str, text: &str) -> Result<(), SourceError> {
        self.add(read_cidr_list(text, isp)?);
        Ok(())
    }

    /// Returns what was taken from each source so far, in order.
    #[must_use]
    pub fn reports(&self) -> &[SourceReport] {
        &self.reports
    }

    /// The table. Each stretch of addresses gets the attributes of every source that covers it,
    /// reduced to the keys.
    ///
    /// # Errors
    /// [`GeoError`].
    pub fn finish(self) -> Result<(AreaTable, BuildReport), GeoError> {
        if self.sources.is_empty() {
            return Err(GeoError::NoSource);
        }
        let mut builder = AreaTableBuilder::new();
        let mut combined = Combined::new(&self);
        let v4: Vec<Vec<(u32, AreaId)>> = self
            .sources
            .iter()
            .map(|(table, _)| table.ranges_v4().collect())
            .collect();
        sweep(
            &v4,
            u32::MAX,
            |n| n.checked_sub(1),
            |first, last, ids| builder.add_v4(first, last, combined.of(ids)),
        );
        let v6: Vec<Vec<(u64, AreaId)>> = self
            .sources
            .iter()
            .map(|(table, _)| table.ranges_v6().collect())
            .collect();
        sweep(
            &v6,
            u64::MAX,
            |n| n.checked_sub(1),
            |first, last, ids| builder.add_v6(first, last, combined.of(ids)),
        );
        let table = builder.finish()?;
        let report = BuildReport {
            areas: table.areas().len(),
            ranges_v4: table.ranges_v4().len(),
            ranges_v6: table.ranges_v6().len(),
            sources: self.reports,
        };
        Ok((table, report))
    }
}

/// Walks all layers at once and reports each stretch in which no layer changes, with the area of
/// each layer there.
pub(crate) fn sweep<K: Copy + Ord>(
    layers: &[Vec<(K, AreaId)>],
    end: K,
    before: impl Fn(K) -> Option<K>,
    mut stretch: impl FnMut(K, K, &[AreaId]),
) {
    let mut next: Vec<usize> = vec![1; layers.len()];
    let mut ids: Vec<AreaId> = layers.iter().map(|ranges| ranges[0].1).collect();
    let Some(mut at) = layers.first().map(|ranges| ranges[0].0) else {
        return;
    };
    loop {
        let starts = layers
            .iter()
            .zip(&next)
            .filter_map(|(ranges, next)| ranges.get(*next).map(|range| range.0));
        let change = starts.min();
        let last = change.and_then(&before).unwrap_or(end);
        stretch(at, last, &ids);
        let Some(change) = change else { return };
        at = change;
        for ((ranges, next), id) in layers.iter().zip(&mut next).zip(&mut ids) {
            if let Some(range) = ranges.get(*next)
                && range.0 == change
            {
                *id = range.1;
                *next += 1;
            }
        }
    }
}

/// The combined and reduced attributes of areas of several layers, computed once per combination.
struct Combined<'a> {
    layers: &'a Layers,
    known: HashMap<Vec<AreaId>, AreaAttrs>,
}

impl<'a> Combined<'a> {
    fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, ids: &[AreaId]) -> &AreaAttrs {
        if !self.known.contains_key(ids) {
            self.known.insert(ids.to_vec(), self.combine(ids));
        }
        &self.known[ids]
    }

    fn combine(&self, ids: &[AreaId]) -> AreaAttrs {
        let mut attrs = AreaAttrs::default();
        for ((table, reach), id) in self.layers.sources.iter().zip(ids) {
            let over = &table.area(*id).attrs;
            let same = over.country == attrs.country;
            let within_reach = match reach {
                Reach::Everywhere => true,
                Reach::SameCountryOrNone => same || attrs.country.is_empty(),
                Reach::SameCountry => same && !attrs.country.is_empty(),
            };
            if !within_reach {
                continue;
            }
            if !over.country.is_empty() && over.country != attrs.country {
                // Province and city were those of another country.
                (attrs.province, attrs.city) = (String::new(), String::new());
            }
            for (kept, known) in [
                (&mut attrs.country, &over.country),
                (&mut attrs.province, &over.province),
                (&mut attrs.city, &over.city),
                (&mut attrs.isp, &over.isp),
            ] {
                if !known.is_empty() {
                    kept.clone_from(known);
                }
            }
            if over.asn != 0 {
                attrs.asn = over.asn;
            }
        }
        let mut attrs = self.layers.keys.reduce(&attrs);
        let place = self
            .layers
            .places
            .coordinates(&attrs.country, &attrs.province);
        (attrs.latitude, attrs.longitude) = place.unzip();
        attrs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read_cidr_list, read_csv};

    #[test]
    fn a_later_source_overrides_only_what_it_knows() {
        let keys = Keys::parse(["country", "cn=country,isp"]).unwrap();
        let mut layers = Layers::new(keys, Places::shipped());
        layers.add(read_csv(b"1.0.0.0,1.0.255.255,CN\n2.0.0.0,2.0.0.255,US\n").unwrap());
        layers.add(read_cidr_list("1.0.128.0/17\n2.0.0.0/25\n", "ct").unwrap());
        let (table, report) = layers.finish().unwrap();
        let name = |addr: &str| {
            table
                .area(table.lookup(addr.parse().unwrap()).area)
                .name
                .clone()
        };
        assert_eq!(name("1.0.0.1"), "cn");
        assert_eq!(name("1.0.200.1"), "cn/-/ct");
        assert_eq!(
            name("2.0.0.1"),
            "us",
            "outside China the ISP is no key, so nothing is split"
        );
        assert_eq!(name("9.9.9.9"), "zz");
        assert_eq!(report.areas, 4);
        assert!(
            table
                .area(table.by_name("us").unwrap())
                .attrs
                .latitude
                .is_some()
        );
    }

    #[test]
    fn a_source_counts_only_within_its_reach() {
        let china = b"1.0.0.0,1.0.0.255,CN\n3.0.0.0,3.0.0.255,CN\n";
        let country = |reach| {
            let keys = Keys::parse(["country,isp"]).unwrap();
            let mut layers = Layers::new(keys, Places::shipped());
            layers.csv(b"1.0.0.0,1.0.0.255,US\n").unwrap();
            layers.add(read_csv(china).unwrap().reaching(reach));
            let (table, _) = layers.finish().unwrap();
            ["1.0.0.1", "3.0.0.1"].map(|addr| {
                let found = table.lookup(addr.parse().unwrap());
                table.area(found.area).name.clone()
            })
        };
        assert_eq!(country(Reach::Everywhere), ["cn", "cn"]);
        assert_eq!(country(Reach::SameCountryOrNone), ["us", "cn"]);
        assert_eq!(country(Reach::SameCountry), ["us", "zz"]);
    }

    #[test]
    fn every_source_is_reported_in_order() {
        let keys = Keys::parse(["country,isp"]).unwrap();
        let mut layers = Layers::new(keys, Places::shipped());
        layers.csv(b"1.0.0.0,1.0.0.255,US\n").unwrap();
        layers.cidr_list("CT", "1.0.0.0/25\nnonsense\n").unwrap();
        let (table, report) = layers.finish().unwrap();
        let counts: Vec<_> = report
            .sources
            .iter()
            .map(|source| (source.taken, source.refused))
            .collect();
        assert_eq!(counts, [(1, 0), (1, 1)]);
        assert_eq!(report.sources[1].reasons[0].at, 2);
        assert!(table.by_name("us/-/ct").is_some());
    }

    #[test]
    fn no_source_is_an_error() {
        let layers = Layers::new(Keys::default(), Places::shipped());
        assert!(matches!(layers.finish(), Err(GeoError::NoSource)));
    }
}
