//! Content of the `dcmap` of metafo and geoip.

use super::leaf::{self, LeafPlugin};
use super::resources::{Datacenter, Kind, Resource, Resources, Trouble};
use super::scope::Scope;
use crate::fault::ImportError;
use crate::vscf::{Hash, Node, Value};
use std::net::IpAddr;

impl Resources<'_> {
    /// A metafo resource, from the file or synthesized below geoip.
    pub(super) fn failover(
        &mut self,
        name: &str,
        node: &Node,
        hash: &Hash,
        outer: &Scope<'_>,
    ) -> Result<Kind, Trouble> {
        let scope = outer.with(Some(hash));
        let Some(list) = scope.get("datacenters") else {
            return Err(node.wrong(name, "has no datacenters").into());
        };
        let dcmap = dcmap(name, node, hash)?;
        let labels = list.texts("datacenters")?;
        if let Some(strange) = dcmap
            .entries
            .iter()
            .find(|entry| !labels.contains(&entry.key.as_str()))
        {
            let why = format!("{:?} is not among the datacenters of {name}", strange.key);
            return Err(ImportError::invalid(&strange.place, why).into());
        }
        let mut datacenters = Vec::new();
        for label in labels {
            let Some(value) = dcmap.get(label) else {
                return Err(list
                    .wrong(
                        "datacenters",
                        &format!("names {label:?}, which dcmap does not define"),
                    )
                    .into());
            };
            datacenters.push(Datacenter {
                label: label.to_owned(),
                forced: self
                    .installation
                    .states
                    .forced(&format!("metafo/{name}/{label}")),
                resource: self.datacenter("metafo", name, label, value, &scope)?,
            });
        }
        Ok(Kind::Failover(datacenters))
    }

    /// A geoip resource.
    pub(super) fn geo(
        &mut self,
        name: &str,
        node: &Node,
        hash: &Hash,
        outer: &Scope<'_>,
    ) -> Result<Kind, Trouble> {
        let scope = outer.with(Some(hash));
        let Some(map) = scope.get("map") else {
            return Err(node.wrong(name, "has no map").into());
        };
        let map_name = map.text("map")?;
        let maps = &self.installation.maps;
        let Some(index) = maps.iter().position(|known| known.name == map_name) else {
            return Err(map
                .wrong("map", &format!("names {map_name:?}, which is not defined"))
                .into());
        };
        let labels = &maps[index].datacenters;
        let dcmap = dcmap(name, node, hash)?;
        if let Some(strange) = dcmap
            .entries
            .iter()
            .find(|entry| !labels.contains(&entry.key))
        {
            let why = format!(
                "{:?} is not among the datacenters of map {map_name}",
                strange.key
            );
            return Err(ImportError::invalid(&strange.place, why).into());
        }
        let undefined_is_fine = scope.truth("undefined_datacenters_ok")?;
        let mut datacenters = Vec::new();
        for label in labels {
            let Some(value) = dcmap.get(label) else {
                if undefined_is_fine {
                    datacenters.push(None);
                    continue;
                }
                return Err(node
                    .wrong(
                        name,
                        &format!("does not define datacenter {label:?} of its map"),
                    )
                    .into());
            };
            let state = |of: &str| {
                self.installation
                    .states
                    .forced(&format!("geoip/{of}/{label}"))
            };
            let (by_resource, by_map) = (state(name), state(map_name));
            datacenters.push(Some(Datacenter {
                label: label.clone(),
                forced: by_resource.or(by_map),
                resource: self.datacenter("geoip", name, label, value, &scope)?,
            }));
        }
        Ok(Kind::Geo(index, datacenters))
    }

    /// Returns what stands behind one datacenter.
    fn datacenter(
        &mut self,
        meta: &str,
        resource: &str,
        label: &str,
        node: &Node,
        scope: &Scope<'_>,
    ) -> Result<Resource, Trouble> {
        let inherited = scope
            .get("plugin")
            .map(|node| node.text("plugin"))
            .transpose()?
            .unwrap_or("multifo");
        let synthesized = format!("{meta}_{resource}_{label}");
        let plugin = match &node.value {
            Value::Hash(hash) => match hash.get("plugin") {
                Some(node) => node.text("plugin")?,
                None => inherited,
            },
            Value::List(_) => "multifo",
            Value::Text(text) => {
                if let Some(reference) = text.strip_prefix('%') {
                    let Some((plugin, name)) = reference.split_once('!') else {
                        return Err(node.wrong(label, "must be %plugin!resource").into());
                    };
                    return self.find(plugin, name, &node.place);
                }
                if let Some(name) = text.strip_prefix('!') {
                    return self.find(inherited, name, &node.place);
                }
                if text.parse::<IpAddr>().is_err() {
                    let leaf = leaf::fixed(node, label)?;
                    return Ok(self.leaf(synthesized, leaf));
                }
                "multifo"
            }
        };
        if plugin == "metafo" && meta == "geoip" {
            let hash = node.hash(label)?;
            let skips_first = Scope::outermost(Some(hash)).truth("skip_first")?;
            let kind = self.failover(&synthesized, node, hash, scope)?;
            return Ok(Resource { kind, skips_first });
        }
        let Some(kind) = LeafPlugin::parse(plugin) else {
            return Err(Trouble::Lost(format!(
                "datacenter {label:?} uses plugin {plugin:?}, which has no counterpart"
            )));
        };
        // As if it stood among the plugin's own resources, whose options lie further outwards.
        let scope = scope.within(self.installation.plugins.hash(plugin)?);
        self.read_leaf(kind, format!("{plugin}!{synthesized}"), node, &scope)
    }
}

fn dcmap<'a>(name: &str, node: &Node, hash: &'a Hash) -> Result<&'a Hash, ImportError> {
    hash.hash("dcmap")?
        .ok_or_else(|| node.wrong(name, "has no dcmap"))
}
