//! Resources by name.

use super::Installation;
use super::leaf::{self, Context, Leaf, LeafPlugin, LeafTrouble};
use super::maps::Map;
use super::scope::Scope;
use crate::fault::{Faults, ImportError, Place};
use crate::vscf::Node;
use std::collections::{BTreeMap, BTreeSet};

/// Plugins whose settings are read.
pub(super) const KNOWN_PLUGINS: [&str; 8] = [
    "multifo", "weighted", "simplefo", "static", "metafo", "geoip", "null", "reflect",
];
/// Deepest chain of references; longer ones go round.
const DEPTH_MAX: usize = 24;

/// Target a name refers to.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    /// True when the first datacenter of a list is never used.
    pub(crate) skips_first: bool,
}

/// Kinds of resources.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Index into [`Resources::leaves`].
    Leaf(usize),
    /// Datacenters in order.
    Failover(Vec<Datacenter>),
    /// Datacenters of the map with this index, each at the index it has there; `None` for one that
    /// is undefined.
    Geo(usize, Vec<Option<Datacenter>>),
}

/// One datacenter of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Datacenter {
    pub(crate) label: String,
    /// State that an operator forces.
    pub(crate) forced: Option<bool>,
    pub(crate) resource: Resource,
}

/// Reason why there is no resource.
#[derive(Debug)]
pub(crate) enum Trouble {
    Invalid(ImportError),
    /// Without counterpart.
    Lost(String),
}

impl From<ImportError> for Trouble {
    fn from(error: ImportError) -> Self {
        Self::Invalid(error)
    }
}

impl From<LeafTrouble> for Trouble {
    fn from(trouble: LeafTrouble) -> Self {
        match trouble {
            LeafTrouble::Invalid(error) => Self::Invalid(error),
            LeafTrouble::Lost(why) => Self::Lost(why),
        }
    }
}

/// Looks resources up.
pub(crate) struct Resources<'a> {
    pub(super) installation: &'a Installation,
    faults: &'a mut Faults,
    /// Leaves found so far, with their names.
    pub(crate) leaves: Vec<(String, Leaf)>,
    by_name: BTreeMap<String, usize>,
    /// `plugin!resource` of all that was asked for.
    used: BTreeSet<String>,
    depth: usize,
}

impl<'a> Resources<'a> {
    pub(crate) fn new(installation: &'a Installation, faults: &'a mut Faults) -> Self {
        Self {
            installation,
            faults,
            leaves: Vec::new(),
            by_name: BTreeMap::new(),
            used: BTreeSet::new(),
            depth: 0,
        }
    }

    /// Returns where faults are noted.
    pub(crate) const fn faults(&mut self) -> &mut Faults {
        self.faults
    }

    /// All maps.
    pub(crate) fn maps(&self) -> &'a [Map] {
        &self.installation.maps
    }

    /// The resource of a name.
    ///
    /// # Errors
    /// [`Trouble`].
    pub(crate) fn find(
        &mut self,
        plugin: &str,
        name: &str,
        from: &Place,
    ) -> Result<Resource, Trouble> {
        if self.depth == DEPTH_MAX {
            let why = format!(
                "{plugin}!{name} refers to itself, or through more than {DEPTH_MAX} others"
            );
            return Err(ImportError::invalid(from, why).into());
        }
        self.depth += 1;
        let found = self.look_up(plugin, name, from);
        self.depth -= 1;
        found
    }

    fn look_up(&mut self, plugin: &str, name: &str, from: &Place) -> Result<Resource, Trouble> {
        let full = format!("{plugin}!{name}");
        match plugin {
            "null" => return Ok(self.leaf("null".to_owned(), leaf::null())),
            "reflect" => {
                return Err(Trouble::Lost(
                    "answers the client's own address, which Watershed cannot".to_owned(),
                ));
            }
            "metafo" | "geoip" => return self.meta(plugin, name, from),
            _ => {}
        }
        let Some(kind) = LeafPlugin::parse(plugin) else {
            return Err(Trouble::Lost(format!(
                "plugin {plugin:?} has no counterpart"
            )));
        };
        let top = self.installation.plugins.hash(plugin)?;
        let own = || kind.options().contains(&name);
        match top.and_then(|top| top.get(name)).filter(|_| !own()) {
            Some(node) => {
                self.used.insert(full.clone());
                self.read_leaf(kind, full, node, &Scope::outermost(top))
            }
            None => self
                .synthesized(name, from)?
                .ok_or_else(|| missing(&full, from)),
        }
    }

    /// A leaf by the name that metafo and geoip give to what stands in their `dcmap`:
    /// `geoip_www_eu`.
    fn synthesized(&mut self, name: &str, from: &Place) -> Result<Option<Resource>, Trouble> {
        for plugin in ["metafo", "geoip"] {
            let Some(rest) = name
                .strip_prefix(plugin)
                .and_then(|rest| rest.strip_prefix('_'))
            else {
                continue;
            };
            for (resource, _) in rest.match_indices('_').map(|(at, _)| rest.split_at(at)) {
                let dc = &rest[resource.len() + 1..];
                if self.resource_node(plugin, resource)?.is_some() {
                    return Ok(Some(self.find(
                        plugin,
                        &format!("{resource}/{dc}"),
                        from,
                    )?));
                }
            }
        }
        Ok(None)
    }

    /// The definition of a resource of metafo or geoip.
    fn resource_node(&self, plugin: &str, name: &str) -> Result<Option<&'a Node>, ImportError> {
        let Some(top) = self.installation.plugins.hash(plugin)? else {
            return Ok(None);
        };
        Ok(top
            .hash("resources")?
            .and_then(|resources| resources.get(name)))
    }

    fn meta(&mut self, plugin: &str, name: &str, from: &Place) -> Result<Resource, Trouble> {
        let full = format!("{plugin}!{name}");
        if let Some(node) = self.resource_node(plugin, name)? {
            self.used.insert(full);
            let top = Scope::outermost(self.installation.plugins.hash(plugin)?);
            let hash = node.hash(name)?;
            let kind = if plugin == "metafo" {
                self.failover(name, node, hash, &top)?
            } else {
                self.geo(name, node, hash, &top)?
            };
            let skips_first = top.with(Some(hash)).truth("skip_first")?;
            return Ok(Resource { kind, skips_first });
        }
        let parent = name.rsplit_once('/');
        let Some((parent, label)) =
            parent.filter(|(parent, _)| matches!(self.resource_node(plugin, parent), Ok(Some(_))))
        else {
            return Err(missing(&full, from));
        };
        let datacenters = match self.find(plugin, parent, from)?.kind {
            Kind::Failover(datacenters) => datacenters,
            Kind::Geo(_, datacenters) => datacenters.into_iter().flatten().collect(),
            Kind::Leaf(_) => Vec::new(),
        };
        let found = datacenters
            .into_iter()
            .find(|datacenter| datacenter.label == label);
        found
            .map(|datacenter| datacenter.resource)
            .ok_or_else(|| missing(&full, from))
    }

    /// A leaf, read once.
    pub(super) fn read_leaf(
        &mut self,
        kind: LeafPlugin,
        name: String,
        node: &Node,
        outer: &Scope<'_>,
    ) -> Result<Resource, Trouble> {
        if let Some(known) = self.by_name.get(&name) {
            return Ok(plain(*known));
        }
        let mut context = Context {
            services: &self.installation.services,
            states: &self.installation.states,
            faults: self.faults,
            name: &name,
        };
        let leaf = leaf::read(kind, node, outer, &mut context)?;
        Ok(self.leaf(name, leaf))
    }

    /// A leaf under its name.
    pub(super) fn leaf(&mut self, name: String, leaf: Leaf) -> Resource {
        let next = self.leaves.len();
        let index = *self.by_name.entry(name.clone()).or_insert(next);
        if index == next {
            self.leaves.push((name, leaf));
        }
        plain(index)
    }

    /// Notes resources that nothing asked for.
    pub(crate) fn note_unused(&mut self) -> Result<(), ImportError> {
        for entry in &self.installation.plugins.entries {
            let plugin = entry.key.as_str();
            let resources = match (plugin, LeafPlugin::parse(plugin)) {
                ("metafo" | "geoip", _) => entry.node.hash(plugin)?.hash("resources")?,
                (_, Some(_)) => Some(entry.node.hash(plugin)?),
                _ => None,
            };
            let options = LeafPlugin::parse(plugin).map_or(&[][..], LeafPlugin::options);
            for entry in resources.into_iter().flat_map(|hash| &hash.entries) {
                let full = format!("{plugin}!{}", entry.key);
                if !options.contains(&entry.key.as_str()) && !self.used.contains(&full) {
                    let why = "no record of any zone asks for it, so nothing was written";
                    self.faults
                        .add(&entry.place, crate::fault::Effect::Moot, full, why);
                }
            }
        }
        Ok(())
    }
}

fn missing(name: &str, from: &Place) -> Trouble {
    ImportError::invalid(from, format!("there is no resource {name}")).into()
}

const fn plain(leaf: usize) -> Resource {
    Resource {
        kind: Kind::Leaf(leaf),
        skips_first: false,
    }
}
