//! Sources laid over one another, attribute by attribute, into one area table.

use crate::keys::Keys;
use crate::places::Places;
use crate::source::Source;
use coverage::area::{AreaAttrs, AreaBuildError, AreaId, AreaTable, AreaTableBuilder};
use std::collections::HashMap;
use std::hash::Hash;

/// Why no table could be built.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// There was no source.
    #[error("no source given: name at least one of --mmdb, --csv, --ip2region, --cidr")]
    NoSource,
    /// The result does not fit a table.
    #[error(transparent)]
    Build(#[from] AreaBuildError),
}

/// What a build took in and put out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildReport {
    /// Areas in the table.
    pub areas: usize,
    /// IPv4 ranges after merging.
    pub ranges_v4: usize,
    /// IPv6 ranges after merging.
    pub ranges_v6: usize,
}

/// Sources in order; a later one overrides the attributes it knows.
pub struct Layers {
    keys: Keys,
    places: Places,
    sources: Vec<AreaTable>,
}

impl Layers {
    /// No sources yet.
    #[must_use]
    pub const fn new(keys: Keys, places: Places) -> Self {
        Self {
            keys,
            places,
            sources: Vec::new(),
        }
    }

    /// Lays a source over those before it.
    pub fn add(&mut self, source: Source) {
        self.sources.push(source.table);
    }

    /// The table. Each stretch of addresses gets the attributes of every source that covers it, reduced to the keys.
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
            .map(|table| table.ranges_v4().collect())
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
            .map(|table| table.ranges_v6().collect())
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
        };
        Ok((table, report))
    }
}

/// Walks all layers at once and reports each stretch in which no layer changes, with the area of each layer there.
fn sweep<K: Copy + Ord>(
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

    fn of(&mut self, ids: &[AreaId]) -> &AreaAttrs
    where
        AreaId: Hash,
    {
        if !self.known.contains_key(ids) {
            self.known.insert(ids.to_vec(), self.combine(ids));
        }
        &self.known[ids]
    }

    fn combine(&self, ids: &[AreaId]) -> AreaAttrs {
        let mut attrs = AreaAttrs::default();
        for (table, id) in self.layers.sources.iter().zip(ids) {
            let over = &table.area(*id).attrs;
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
    fn no_source_is_an_error() {
        let layers = Layers::new(Keys::default(), Places::shipped());
        assert!(matches!(layers.finish(), Err(GeoError::NoSource)));
    }
}
