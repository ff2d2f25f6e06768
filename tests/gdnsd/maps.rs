//! Random geoip maps: trees of places, networks, coordinates.

use crate::places::{COUNTRIES, Country};
use crate::text::Conf;
use std::collections::BTreeMap;
use testkit::Prefix;
use testkit::Random;

/// One geoip map.
pub(crate) struct Map {
    pub(crate) name: String,
    pub(crate) datacenters: Vec<String>,
    pub(crate) conf: Conf,
    /// Contents of the file that `nets` names, when it names one.
    pub(crate) nets_file: Option<(String, Vec<(String, Conf)>)>,
    /// Networks that the map names: clients at their borders are worth asking for.
    pub(crate) nets: Vec<Prefix>,
}

/// Ground that a map of one configuration may draw on.
pub(crate) struct Ground<'a> {
    pub(crate) database: &'a str,
    pub(crate) is_city: bool,
    pub(crate) networks: &'a [Prefix],
}

/// A random map.
pub(crate) fn map(index: usize, ground: &Ground<'_>, random: &mut Random) -> Map {
    let count = usize::from(random.between(2, 6));
    let stems = ["us", "eu", "ap", "sa", "af", "oc"];
    let datacenters: Vec<String> = (0..count)
        .map(|dc| format!("{}-{index}{dc}", stems[dc]))
        .collect();
    let is_auto = ground.is_city && random.percent(50);
    // An explicit list for the whole world switches coordinates off: gdnsd 3.8.1 has then nothing,
    // or worse, to give for `auto` below it (it may end with a segmentation fault).
    let is_world_auto = is_auto && random.percent(75);
    let mut tree = Tree {
        datacenters: &datacenters,
        is_auto: is_world_auto,
        is_city: ground.is_city,
        random,
    };
    let map = tree.world(is_auto);
    let mut pairs = vec![
        ("geoip2_db".to_owned(), Conf::text(ground.database)),
        ("datacenters".to_owned(), Conf::list(&datacenters)),
    ];
    if !is_world_auto || random.percent(60) {
        pairs.push(("map".to_owned(), map));
    }
    if is_auto {
        pairs.push(("auto_dc_coords".to_owned(), coords(&datacenters, random)));
        if random.percent(60) {
            let limit = random.between(0, 5);
            pairs.push(("auto_dc_limit".to_owned(), Conf::text(limit)));
        }
    }
    let name = format!("map{index}");
    let (nets, listed) = nets(&datacenters, ground.networks, random);
    let mut nets_file = None;
    if random.percent(20) {
        let file = format!("{name}.nets");
        pairs.push(("nets".to_owned(), Conf::text(&file)));
        nets_file = Some((file, nets));
    } else if random.percent(85) {
        pairs.push(("nets".to_owned(), Conf::Hash(nets)));
    }
    Map {
        name,
        datacenters,
        conf: Conf::Hash(pairs),
        nets_file,
        nets: listed,
    }
}

/// Coordinates of most datacenters, of one at least; now and then two at one spot.
fn coords(datacenters: &[String], random: &mut Random) -> Conf {
    let spots = [
        ("38.9", "-77"),
        ("50.1", "8.7"),
        ("1.3", "103.9"),
        ("-23.5", "-46.6"),
        ("-33.9", "151.2"),
        ("37.4", "-122.1"),
        ("35.7", "139.7"),
        ("-26.2", "28"),
        ("64.1", "-21.9"),
        ("-89.9", "0"),
    ];
    let mut pairs = Vec::new();
    for (index, datacenter) in datacenters.iter().enumerate() {
        if index == 0 || !random.percent(15) {
            let (north, east) = random.choose(&spots);
            pairs.push((datacenter.clone(), Conf::list(&[north, east])));
        }
    }
    Conf::Hash(pairs)
}

/// Networks of the map, overlapping each other and those of the database, of both families.
fn nets(
    datacenters: &[String],
    networks: &[Prefix],
    random: &mut Random,
) -> (Vec<(String, Conf)>, Vec<Prefix>) {
    let mut chosen = BTreeMap::new();
    for _ in 0..random.below(24) {
        let around = random.choose(networks);
        let (low, high) = if around.is_v4 { (8, 30) } else { (20, 60) };
        let len = random.between(low, high);
        let prefix = match len.cmp(&around.own_len()) {
            std::cmp::Ordering::Less => Prefix::new(around.address(), len),
            _ => around.inner(len, random),
        };
        chosen.insert(prefix, list_or_one(datacenters, random));
        if random.percent(40) && len < high {
            let len = random.between(len + 1, high);
            let inner = prefix.inner(len, random);
            chosen.insert(inner, list_or_one(datacenters, random));
        }
    }
    let listed = chosen.keys().copied().collect();
    let pairs = chosen
        .into_iter()
        .map(|(prefix, list)| (prefix.to_string(), list))
        .collect();
    (pairs, listed)
}

fn list_or_one(datacenters: &[String], random: &mut Random) -> Conf {
    let mut list = random.some(datacenters);
    if random.percent(30) {
        return Conf::Text(list.swap_remove(0));
    }
    Conf::list(&list)
}

/// Builds the nested `map` stanza.
struct Tree<'a> {
    datacenters: &'a [String],
    is_auto: bool,
    is_city: bool,
    random: &'a mut Random,
}

impl Tree<'_> {
    /// Target of a place: a list, or `auto` where that is allowed.
    fn list(&mut self) -> Conf {
        if self.is_auto && self.random.percent(35) {
            return Conf::text("auto");
        }
        list_or_one(self.datacenters, self.random)
    }

    /// A hash with a default in so many of a hundred cases.
    fn with_default(&mut self, cases: usize, mut pairs: Vec<(String, Conf)>) -> Conf {
        if self.random.percent(cases) {
            let at = self.random.below(pairs.len() + 1);
            let list = self.list();
            pairs.insert(at, ("default".to_owned(), list));
        }
        Conf::Hash(pairs)
    }

    /// Continents; the default is a list where that is what tells the map from one by distance.
    fn world(&mut self, has_coords: bool) -> Conf {
        let mut pairs = Vec::new();
        if self.is_auto || has_coords {
            let list = if self.is_auto {
                Conf::text("auto")
            } else {
                list_or_one(self.datacenters, self.random)
            };
            if !self.is_auto || self.random.percent(50) {
                pairs.push(("default".to_owned(), list));
            }
        }
        for continent in ["EU", "NA", "SA", "AS", "OC", "AF", "AN"] {
            if self.random.percent(20) {
                continue;
            }
            let value = if self.random.percent(25) {
                self.list()
            } else {
                self.continent(continent)
            };
            pairs.push((continent.to_owned(), value));
        }
        let cases = if self.is_auto || has_coords { 0 } else { 40 };
        self.with_default(cases, pairs)
    }

    fn continent(&mut self, continent: &str) -> Conf {
        let mut pairs = Vec::new();
        for country in COUNTRIES.iter().filter(|country| country.0 == continent) {
            if self.random.percent(30) {
                continue;
            }
            let value = if !self.is_city || self.random.percent(35) {
                self.list()
            } else {
                self.country(country)
            };
            pairs.push((country.1.to_owned(), value));
        }
        self.with_default(60, pairs)
    }

    /// Subdivisions at their own level, inner ones that skip the outer, and cities directly below
    /// the country.
    fn country(&mut self, country: &Country) -> Conf {
        let mut chosen = BTreeMap::new();
        for path in country.4 {
            let levels: Vec<&str> = path.split('/').collect();
            if self.random.percent(45) {
                let value = self.subdivision(country, levels.get(1).copied());
                chosen.insert(levels[0].to_owned(), value);
            } else if levels.len() > 1 && self.random.percent(50) {
                let value = self.subdivision(country, None);
                chosen.insert(levels[1].to_owned(), value);
            }
        }
        for city in country.5 {
            if self.random.percent(35) {
                let list = self.list();
                chosen.entry((*city).to_owned()).or_insert(list);
            }
        }
        self.with_default(55, chosen.into_iter().collect())
    }

    fn subdivision(&mut self, country: &Country, inner: Option<&str>) -> Conf {
        if self.random.percent(50) {
            return self.list();
        }
        let mut chosen = BTreeMap::new();
        if let Some(inner) = inner.filter(|_| self.random.percent(60)) {
            let value = self.subdivision(country, None);
            chosen.insert(inner.to_owned(), value);
        }
        for city in country.5 {
            if self.random.percent(40) {
                let list = self.list();
                chosen.entry((*city).to_owned()).or_insert(list);
            }
        }
        self.with_default(50, chosen.into_iter().collect())
    }
}
