//! The atlas: which place every address is in, before it is known which differences matter.
//!
//! Policies ask for continents, cities, networks or distances; an area is a class of places and
//! networks that no policy tells apart. [`Atlas::classify`] lays the networks of all policies over
//! the atlas, has each combination judged once, and merges what was judged alike, so that the table
//! is as small, and scopes are as wide, as the policies allow.

use crate::layers::sweep;
use crate::mmdb::{MmdbRecord, read_networks};
use crate::source::SourceError;
use coverage::area::{AreaAttrs, AreaBuildError, AreaId, AreaTable, AreaTableBuilder};
use coverage::{Place, Prefix};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Ranges that cover one family whole: (first key, what is there).
type Spread<K> = Vec<(K, AreaId)>;

/// Ranges of both families.
#[derive(Clone, Debug)]
struct Spreads {
    v4: Spread<u32>,
    /// By the upper 64 bits.
    v6: Spread<u64>,
}

impl Spreads {
    /// One thing everywhere.
    fn everywhere() -> Self {
        Self {
            v4: vec![(0, AreaId(0))],
            v6: vec![(0, AreaId(0))],
        }
    }
}

/// Place of every address.
#[derive(Clone, Debug)]
pub struct Atlas {
    places: Vec<Place>,
    spreads: Spreads,
    /// Attributes of a place that stay known whatever policies ask, by place; `None` keeps nothing.
    kept: Option<Vec<AreaAttrs>>,
}

/// One policy's networks: a longer prefix wins over a shorter one that holds it.
pub type Nets = [(Prefix, u32)];

/// A table of areas, and how each was judged.
#[derive(Debug)]
pub struct Classified<J> {
    /// The areas.
    pub table: AreaTable,
    /// [area]: the judgement that all its addresses got.
    pub judgements: Vec<J>,
}

impl Atlas {
    /// An atlas that knows nothing: one place for all.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            places: vec![Place::default()],
            spreads: Spreads::everywhere(),
            kept: None,
        }
    }

    /// Reads a city or country database.
    ///
    /// # Errors
    /// [`SourceError`] when it is no database or none of its records could be used.
    pub fn from_mmdb(bytes: &[u8]) -> Result<Self, SourceError> {
        let (places, spreads) = read_places(bytes)?;
        Ok(Self {
            places,
            spreads,
            kept: None,
        })
    }

    /// The areas of a table as places. Its areas stay apart and keep their names.
    #[must_use]
    pub fn from_table(table: &AreaTable) -> Self {
        let place = |attrs: &AreaAttrs| Place {
            continent: crate::continents::continent(&attrs.country).to_owned(),
            country: attrs.country.clone(),
            subdivisions: Some(attrs.province.clone())
                .filter(|province| !province.is_empty())
                .into_iter()
                .collect(),
            city: attrs.city.clone(),
            isp: attrs.isp.clone(),
            asn: attrs.asn,
            coordinates: attrs
                .latitude
                .zip(attrs.longitude)
                .map(|(north, east)| (north.into(), east.into())),
        };
        let attrs = || table.areas().iter().map(|area| &area.attrs);
        Self {
            places: attrs().map(place).collect(),
            spreads: Spreads {
                v4: table.ranges_v4().collect(),
                v6: table.ranges_v6().collect(),
            },
            kept: Some(attrs().cloned().collect()),
        }
    }

    /// Adds the autonomous systems of another database.
    ///
    /// # Errors
    /// As [`Atlas::from_mmdb`].
    pub fn with_asn(self, bytes: &[u8]) -> Result<Self, SourceError> {
        let (systems, over) = read_places(bytes)?;
        let mut known: HashMap<Vec<AreaId>, AreaId> = HashMap::new();
        let mut places = Vec::new();
        let mut kept = self.kept.as_ref().map(|_| Vec::new());
        let mut combined = |ids: &[AreaId]| {
            if let Some(id) = known.get(ids) {
                return *id;
            }
            let id = AreaId::from_index(places.len());
            let asn = systems[index(ids[1])].asn;
            let base = &self.places[index(ids[0])];
            places.push(Place {
                asn: if asn == 0 { base.asn } else { asn },
                ..base.clone()
            });
            if let (Some(kept), Some(all)) = (&mut kept, &self.kept) {
                kept.push(all[index(ids[0])].clone());
            }
            known.insert(ids.to_vec(), id);
            id
        };
        // Nowhere comes first, as in every atlas.
        combined(&[AreaId(0), AreaId(0)]);
        let spreads = Spreads {
            v4: laid(
                &[self.spreads.v4, over.v4],
                u32::MAX,
                before_v4,
                &mut combined,
            ),
            v6: laid(
                &[self.spreads.v6, over.v6],
                u64::MAX,
                before_v6,
                &mut combined,
            ),
        };
        Ok(Self {
            places,
            spreads,
            kept,
        })
    }

    /// Number of different places there are.
    #[must_use]
    pub const fn places(&self) -> usize {
        self.places.len()
    }

    /// Lays networks over the atlas and merges what `judge` does not tell apart. `judge` gets a
    /// place and, for each set of networks, the value of the longest prefix that holds the
    /// addresses. It is asked once per combination.
    ///
    /// # Errors
    /// [`AreaBuildError`] when the result does not fit a table.
    pub fn classify<J: Clone + Ord>(
        &self,
        nets: &[&Nets],
        mut judge: impl FnMut(&Place, &[Option<u32>]) -> J,
    ) -> Result<Classified<J>, AreaBuildError> {
        let mut v4 = vec![self.spreads.v4.clone()];
        let mut v6 = vec![self.spreads.v6.clone()];
        for nets in nets {
            v4.push(spread(nets, key_v4));
            v6.push(spread(nets, key_v6));
        }
        let mut classes = Classes::new();
        let mut class = |ids: &[AreaId]| {
            let place = index(ids[0]);
            let kept = self.kept.as_ref().map(|kept| &kept[place]);
            classes.class(ids, &self.places[place], kept, &mut judge)
        };
        // Nowhere comes first; and what keeps a name keeps it outside of all networks.
        let first = if self.kept.is_some() {
            self.places.len()
        } else {
            1
        };
        let mut outside = vec![AreaId(0); nets.len() + 1];
        for place in 0..first {
            outside[0] = AreaId::from_index(place);
            class(&outside);
        }
        let v4 = laid(&v4, u32::MAX, before_v4, &mut class);
        let v6 = laid(&v6, u64::MAX, before_v6, &mut class);
        classes.table(&v4, &v6)
    }
}

const fn index(id: AreaId) -> usize {
    id.0 as usize
}

const fn before_v4(key: u32) -> Option<u32> {
    key.checked_sub(1)
}

const fn before_v6(key: u64) -> Option<u64> {
    key.checked_sub(1)
}

fn key_v4(addr: IpAddr) -> Option<u32> {
    match addr {
        IpAddr::V4(v4) => Some(v4.into()),
        IpAddr::V6(_) => None,
    }
}

fn key_v6(addr: IpAddr) -> Option<u64> {
    match addr {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some((u128::from(v6) >> 64) as u64),
    }
}

/// Layers laid over one another: what `combined` makes of each combination, neighbours merged.
fn laid<K: Copy + Ord>(
    layers: &[Spread<K>],
    end: K,
    before: impl Fn(K) -> Option<K>,
    combined: &mut impl FnMut(&[AreaId]) -> AreaId,
) -> Spread<K> {
    let mut merged: Spread<K> = Vec::with_capacity(layers.first().map_or(0, Vec::len));
    sweep(layers, end, before, |first, _, ids| {
        let id = combined(ids);
        if merged.last().is_none_or(|(_, last)| *last != id) {
            merged.push((first, id));
        }
    });
    merged
}

/// Prefixes of one family as ranges: value + 1 where a prefix holds, the longest one's; 0
/// elsewhere.
fn spread<K: Copy + Ord + Next + From<u8>>(
    nets: &Nets,
    key: impl Fn(IpAddr) -> Option<K>,
) -> Spread<K> {
    let mut ranges: Vec<(K, u8, K, u32)> = nets
        .iter()
        .filter_map(|(net, value)| {
            Some((key(net.addr())?, net.bits(), key(net.last())?, value + 1))
        })
        .collect();
    // Outer prefixes come before those that they hold; of two equal ones the last given counts.
    ranges.sort_by_key(|(first, bits, ..)| (*first, *bits));
    let mut spread: Spread<K> = vec![(K::from(0), AreaId(0))];
    let mut put = |at: K, value: u32| match spread.last_mut() {
        Some(last) if last.0 == at => last.1 = AreaId(value),
        _ => spread.push((at, AreaId(value))),
    };
    let mut open: Vec<(K, u32)> = Vec::new();
    let close = |open: &mut Vec<(K, u32)>, until: Option<K>, put: &mut dyn FnMut(K, u32)| {
        while let Some(&(last, _)) = open.last() {
            if until.is_some_and(|until| last >= until) {
                return;
            }
            open.pop();
            if let Some(next) = last.next() {
                put(next, open.last().map_or(0, |outer| outer.1));
            }
        }
    };
    for (first, _, last, value) in ranges {
        close(&mut open, Some(first), &mut put);
        put(first, value);
        open.push((last, value));
    }
    close(&mut open, None, &mut put);
    spread
}

/// Keys with a successor.
trait Next: Sized {
    /// The next key, `None` past the end.
    fn next(self) -> Option<Self>;
}

impl Next for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Next for u64 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Classes while they are found.
struct Classes<J> {
    /// Combination of layers -> class.
    known: HashMap<Vec<AreaId>, AreaId>,
    /// Kept attributes and how the place was judged -> class.
    by_judgement: BTreeMap<(Option<Identity>, J), AreaId>,
    /// [class].
    classes: Vec<Class<J>>,
}

/// One class.
struct Class<J> {
    judgement: J,
    /// Attributes all its places have in common.
    common: AreaAttrs,
}

impl<J: Clone + Ord> Classes<J> {
    fn new() -> Self {
        Self {
            known: HashMap::new(),
            by_judgement: BTreeMap::new(),
            classes: Vec::new(),
        }
    }

    /// The class of a combination; judged if it is new.
    fn class(
        &mut self,
        ids: &[AreaId],
        place: &Place,
        kept: Option<&AreaAttrs>,
        judge: &mut impl FnMut(&Place, &[Option<u32>]) -> J,
    ) -> AreaId {
        if let Some(id) = self.known.get(ids) {
            return *id;
        }
        let nets: Vec<Option<u32>> = ids[1..].iter().map(|id| id.0.checked_sub(1)).collect();
        let judgement = judge(place, &nets);
        let apart = kept.map(identity);
        let next = AreaId::from_index(self.classes.len());
        let id = *self
            .by_judgement
            .entry((apart, judgement.clone()))
            .or_insert(next);
        let attrs = kept.map_or_else(|| attributes(place), Clone::clone);
        match self.classes.get_mut(index(id)) {
            Some(class) => reduce(&mut class.common, &attrs),
            None => self.classes.push(Class {
                judgement,
                common: attrs,
            }),
        }
        self.known.insert(ids.to_vec(), id);
        id
    }

    /// The finished table. Classes with equal attributes are numbered in the order in which they
    /// were found.
    fn table(self, v4: &Spread<u32>, v6: &Spread<u64>) -> Result<Classified<J>, AreaBuildError> {
        let mut alike: BTreeMap<Identity, u32> = BTreeMap::new();
        let mut named: BTreeMap<Identity, usize> = BTreeMap::new();
        let mut attrs = Vec::with_capacity(self.classes.len());
        for (number, class) in self.classes.iter().enumerate() {
            let mut own = class.common.clone();
            let count = alike.entry(identity(&own)).or_default();
            own.class = *count;
            *count += 1;
            named.insert(identity(&own), number);
            attrs.push(own);
        }
        let mut builder = AreaTableBuilder::new();
        for (at, (first, id)) in v4.iter().enumerate() {
            let last = v4.get(at + 1).map_or(u32::MAX, |(next, _)| next - 1);
            builder.add_v4(*first, last, &attrs[index(*id)]);
        }
        for (at, (first, id)) in v6.iter().enumerate() {
            let last = v6.get(at + 1).map_or(u64::MAX, |(next, _)| next - 1);
            builder.add_v6(*first, last, &attrs[index(*id)]);
        }
        let table = builder.finish()?;
        // Area `zz` is in every table; where no class has its attributes no address is in it, and
        // nowhere's will do.
        let judgement = |area: &coverage::area::Area| {
            let class = named.get(&identity(&area.attrs)).copied().unwrap_or(0);
            self.classes[class].judgement.clone()
        };
        let judgements = table.areas().iter().map(judgement).collect();
        Ok(Classified { table, judgements })
    }
}

/// Identity of an area.
type Identity = (String, String, String, String, u32, u32);

fn identity(attrs: &AreaAttrs) -> Identity {
    let AreaAttrs {
        country,
        province,
        city,
        isp,
        asn,
        class,
        ..
    } = attrs.clone();
    (country, province, city, isp, asn, class)
}

/// A place as an area.
fn attributes(place: &Place) -> AreaAttrs {
    AreaAttrs {
        country: place.country.clone(),
        province: crate::source::name_part(&place.subdivisions.join(" ")),
        city: crate::source::name_part(&place.city),
        isp: place.isp.clone(),
        asn: place.asn,
        ..AreaAttrs::default()
    }
}

/// Keeps what two areas have in common.
fn reduce(common: &mut AreaAttrs, other: &AreaAttrs) {
    for (kept, other) in [
        (&mut common.country, &other.country),
        (&mut common.province, &other.province),
        (&mut common.city, &other.city),
        (&mut common.isp, &other.isp),
    ] {
        if kept != other {
            kept.clear();
        }
    }
    if common.country.is_empty() {
        // A province or city of no country would be a name without meaning.
        (common.province, common.city) = (String::new(), String::new());
    }
    if common.asn != other.asn {
        common.asn = 0;
    }
}

/// Reads a database into places; place 0 is nowhere.
fn read_places(bytes: &[u8]) -> Result<(Vec<Place>, Spreads), SourceError> {
    let mut ids: HashMap<Place, AreaId> = HashMap::from([(Place::default(), AreaId(0))]);
    let mut places = vec![Place::default()];
    let mut spreads = Spreads::everywhere();
    let intern = |record: MmdbRecord<'_>| {
        let place = record.place();
        *ids.entry(place).or_insert_with_key(|place| {
            places.push(place.clone());
            AreaId::from_index(places.len() - 1)
        })
    };
    let mut first_refused = None;
    let mut taken = 0_usize;
    read_networks(bytes, intern, |_, one| {
        let (addr, len, id) = match one {
            Ok(one) => one,
            Err(why) => {
                first_refused.get_or_insert(why);
                return;
            }
        };
        let Some(prefix) = Prefix::around(addr, len) else {
            return;
        };
        taken += 1;
        let (first, last) = (prefix.addr(), prefix.last());
        if let (Some(first), Some(last)) = (key_v4(first), key_v4(last)) {
            put(&mut spreads.v4, first, last, *id);
        } else if let (Some(first), Some(last)) = (key_v6(first), key_v6(last)) {
            put(&mut spreads.v6, first, last, *id);
        }
    })?;
    if taken == 0 {
        let why = first_refused.unwrap_or_else(|| "the database has no networks".to_owned());
        return Err(SourceError::Empty(why));
    }
    Ok((places, spreads))
}

/// Appends a range that lies behind all before it; what is not behind them (two networks in one
/// /64) is left out.
fn put<K: Copy + Ord + Next>(spread: &mut Spread<K>, first: K, last: K, id: AreaId) {
    let Some(&(at, before)) = spread.last() else {
        return;
    };
    if first < at {
        return;
    }
    if before != id {
        match spread.last_mut() {
            Some(end) if end.0 == first => end.1 = id,
            _ => spread.push((first, id)),
        }
    }
    if let (Some(next), true) = (last.next(), id != AreaId(0)) {
        spread.push((next, AreaId(0)));
    }
}
