//! Maps of the geoip plugin: who prefers which datacenters.

use super::nets::Net;
use crate::fault::{Effect, Faults, ImportError, Place};
use crate::files::Reader;
use crate::vscf::{self, Hash, Node, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One map.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) database: Option<PathBuf>,
    pub(crate) datacenters: Vec<String>,
    /// [datacenter]: degrees north and degrees east.
    pub(crate) coordinates: Vec<Option<(f64, f64)>>,
    /// Most datacenters of a list by distance; `None` for no bound.
    pub(crate) nearest_max: Option<usize>,
    pub(crate) default: Prefer,
    pub(crate) rules: Vec<Rule>,
    /// Networks with their lists.
    pub(crate) nets: BTreeMap<Net, Vec<usize>>,
    pub(crate) ignores_subnet: bool,
}

/// Answer somebody gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Prefer {
    /// Indices of datacenters; at least one.
    List(Vec<usize>),
    /// By distance.
    Nearest,
}

/// An entry of the tree of places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Names from the continent inwards; at least one.
    pub(crate) path: Vec<String>,
    pub(crate) prefer: Prefer,
}

/// Length of lists by distance where nothing is said.
const NEAREST_MAX: usize = 3;
/// Longest IPv6 network that Watershed tells apart.
const V6_BITS_MAX: u8 = 64;

/// Reads all maps; `dir` is where files are that they name.
pub(super) fn read(
    geoip: &Hash,
    dir: &Path,
    reader: &mut Reader,
    faults: &mut Faults,
) -> Result<Vec<Map>, ImportError> {
    let empty = Hash::default();
    let maps = geoip.hash("maps")?.unwrap_or(&empty);
    let mut read = Vec::new();
    for entry in &maps.entries {
        let hash = entry.node.hash(&entry.key)?;
        let mut map = head(&entry.key, &entry.place, hash, dir)?;
        for entry in &hash.entries {
            if !KEYS.contains(&entry.key.as_str()) {
                let what = format!("maps => {} => {}", map.name, entry.key);
                faults.add(&entry.place, Effect::Moot, what, "is no setting of a map");
            }
        }
        if let Some(node) = hash.get("map") {
            if map.database.is_none() {
                return Err(node.wrong("map", "needs geoip2_db"));
            }
            let mut walk = Walk {
                is_auto: hash.get("auto_dc_coords").is_some(),
                map: &mut map,
                faults,
            };
            walk.world(node)?;
        }
        if let Some(node) = hash.get("nets") {
            match &node.value {
                Value::Hash(nets) => take_nets(&mut map, nets, faults)?,
                _ => {
                    let file = vscf::load(&dir.join(node.text("nets")?), reader)?;
                    take_nets(&mut map, file.hash("nets")?, faults)?;
                }
            }
        }
        if let (Some(path), Some(node)) = (&map.database, hash.get("geoip2_db"))
            && !path.is_file()
        {
            return Err(node.wrong(
                "geoip2_db",
                &format!("names {}, and there is no such file", path.display()),
            ));
        }
        read.push(map);
    }
    Ok(read)
}

/// Keys of a map.
const KEYS: [&str; 7] = [
    "geoip2_db",
    "datacenters",
    "auto_dc_coords",
    "auto_dc_limit",
    "ignore_ecs",
    "map",
    "nets",
];

/// All but the tree and the networks.
fn head(name: &str, place: &Place, hash: &Hash, dir: &Path) -> Result<Map, ImportError> {
    let Some(node) = hash.get("datacenters") else {
        return Err(ImportError::invalid(
            place,
            format!("map {name:?} has no datacenters"),
        ));
    };
    let datacenters: Vec<String> = node
        .texts("datacenters")?
        .into_iter()
        .map(str::to_owned)
        .collect();
    if datacenters.is_empty() {
        return Err(node.wrong("datacenters", "must not be empty"));
    }
    if (1..datacenters.len()).any(|at| datacenters[..at].contains(&datacenters[at])) {
        return Err(node.wrong("datacenters", "must not name one twice"));
    }
    let coordinates = match hash.hash("auto_dc_coords")? {
        Some(coords) => coordinates(coords, &datacenters)?,
        None => vec![None; datacenters.len()],
    };
    let nearest_max = match hash.get("auto_dc_limit") {
        Some(node) => node.parsed("auto_dc_limit", "a whole number")?,
        None => NEAREST_MAX,
    };
    let database = hash
        .get("geoip2_db")
        .map(|node| node.text("geoip2_db"))
        .transpose()?;
    let ignores_subnet = hash
        .get("ignore_ecs")
        .map_or(Ok(false), |node| node.truth("ignore_ecs"))?;
    let is_auto = hash.get("auto_dc_coords").is_some();
    Ok(Map {
        name: name.to_owned(),
        place: place.clone(),
        database: database.map(|file| dir.join(file)),
        default: if is_auto {
            Prefer::Nearest
        } else {
            Prefer::List((0..datacenters.len()).collect())
        },
        datacenters,
        coordinates,
        nearest_max: (nearest_max > 0).then_some(nearest_max),
        rules: Vec::new(),
        nets: BTreeMap::new(),
        ignores_subnet,
    })
}

fn coordinates(
    hash: &Hash,
    datacenters: &[String],
) -> Result<Vec<Option<(f64, f64)>>, ImportError> {
    let mut all = vec![None; datacenters.len()];
    for entry in &hash.entries {
        let Some(at) = datacenters.iter().position(|known| *known == entry.key) else {
            let why = format!("datacenter {:?} is not among datacenters", entry.key);
            return Err(ImportError::invalid(&entry.place, why));
        };
        let texts = entry.node.texts(&entry.key)?;
        let number = |text: &str, max: f64| {
            text.parse()
                .ok()
                .filter(|degrees: &f64| degrees.abs() <= max)
        };
        let point = match texts[..] {
            [north, east] => number(north, 90.0).zip(number(east, 180.0)),
            _ => None,
        };
        if point.is_none() {
            let why = "must be [degrees north, degrees east]";
            return Err(entry.node.wrong(&entry.key, why));
        }
        all[at] = point;
    }
    Ok(all)
}

/// Reads a list of datacenters.
fn list(node: &Node, datacenters: &[String]) -> Result<Vec<usize>, ImportError> {
    let mut found = Vec::new();
    for text in node.texts("a list of datacenters")? {
        let Some(at) = datacenters.iter().position(|known| known == text) else {
            return Err(node.wrong(
                "a list of datacenters",
                &format!("must not name {text:?}, which is none"),
            ));
        };
        if !found.contains(&at) {
            found.push(at);
        }
    }
    Ok(found)
}

fn take_nets(map: &mut Map, nets: &Hash, faults: &mut Faults) -> Result<(), ImportError> {
    for entry in &nets.entries {
        let what = || format!("maps => {} => nets => {}", map.name, entry.key);
        let Ok(net) = entry.key.parse::<Net>() else {
            let why = format!("{:?} is no network, such as 192.0.2.0/24", entry.key);
            return Err(ImportError::invalid(&entry.place, why));
        };
        let list = list(&entry.node, &map.datacenters)?;
        if list.is_empty() {
            faults.add(&entry.place, Effect::Lost, what(), NOBODY);
        } else if net.is_v6() && net.bits() > V6_BITS_MAX {
            let why = format!("IPv6 networks longer than /{V6_BITS_MAX} are not told apart");
            faults.add(&entry.place, Effect::Lost, what(), why);
        } else if map.nets.get(&net).is_some_and(|known| *known != list) {
            let why = "the same network has another list before, which holds";
            faults.add(&entry.place, Effect::Changed, what(), why);
        } else {
            map.nets.insert(net, list);
        }
    }
    Ok(())
}

/// Fate of an empty list.
const NOBODY: &str =
    "an empty list, which means no answer, has no counterpart: what surrounds it holds here, too";

/// A walk through the tree of places.
struct Walk<'a> {
    is_auto: bool,
    map: &'a mut Map,
    faults: &'a mut Faults,
}

impl Walk<'_> {
    fn world(&mut self, node: &Node) -> Result<(), ImportError> {
        let hash = node.hash("map")?;
        if let Some(default) = hash.get("default")
            && let Some(prefer) = self.prefer(default, &[])?
        {
            self.map.default = prefer;
        }
        let default = self.map.default.clone();
        self.inner(hash, &mut Vec::new(), &default)
    }

    /// Returns what a leaf or a default gives; `None` for nothing at all, which is noted.
    fn prefer(&mut self, node: &Node, path: &[String]) -> Result<Option<Prefer>, ImportError> {
        if self.is_auto && node.texts("a list of datacenters")? == ["auto"] {
            return Ok(Some(Prefer::Nearest));
        }
        let list = list(node, &self.map.datacenters)?;
        if list.is_empty() {
            let what = format!("maps => {} => map => {}", self.map.name, path.join(" => "));
            self.faults.add(&node.place, Effect::Lost, what, NOBODY);
            return Ok(None);
        }
        Ok(Some(Prefer::List(list)))
    }

    /// The entries of an inner hash. `around` is the default that holds where an entry has none of
    /// its own.
    fn inner(
        &mut self,
        hash: &Hash,
        path: &mut Vec<String>,
        around: &Prefer,
    ) -> Result<(), ImportError> {
        for entry in &hash.entries {
            if entry.key == "default" {
                continue;
            }
            path.push(entry.key.clone());
            let prefer = match &entry.node.value {
                Value::Hash(inner) => {
                    let own = match inner.get("default") {
                        Some(node) => self.prefer(node, path)?,
                        None => None,
                    };
                    let here = own.unwrap_or_else(|| around.clone());
                    self.inner(inner, path, &here)?;
                    // An inner hash without a default is an entry, too: once a walk has gone into
                    // it, it stays inside.
                    Some(here)
                }
                _ => self.prefer(&entry.node, path)?,
            };
            if let Some(prefer) = prefer {
                let path = path.clone();
                self.map.rules.push(Rule { path, prefer });
            }
            path.pop();
        }
        Ok(())
    }
}
