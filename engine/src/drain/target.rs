//! Targets of drains: the name people write, and the part of the inventory that it means.

use std::fmt;
use std::str::FromStr;

use coverage::{GroupId, LinkId, NodeId, ServiceId, SiteId};
use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;

/// Longest name in a target, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// A target as people write it and as it is stored: by name, so that it outlives ids.
///
/// Text form, also in JSON: `node:gz1-a-1`, `group:gz1-a`, `site:gz1`, `link:gz1/ct`,
/// `service:live@gz1-a`.
///
/// ```
/// use engine::drain::Target;
///
/// let target: Target = "service:live@gz1-a".parse()?;
/// assert_eq!(target.to_string(), "service:live@gz1-a");
/// assert!("gz1-a".parse::<Target>().is_err());
/// # Ok::<(), engine::drain::TargetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Edge host.
    Node(String),
    /// A service cluster.
    Group(String),
    /// A machine room.
    Site(String),
    /// An egress port.
    Link(String),
    /// Service in one group.
    Service {
        /// Name of the service.
        service: String,
        /// Name of the group.
        group: String,
    },
}

/// Reason why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No known kind stands before the colon.
    #[error(
        "{0:?} is no target: write node:NAME, group:NAME, site:NAME, link:NAME or service:NAME@GROUP"
    )]
    Kind(String),
    /// The name is empty, too long, or has characters that would break logs and tables.
    #[error(
        "the name in {0:?} must have 1 to {NAME_BYTES_MAX} bytes, without spaces or control characters"
    )]
    Name(String),
    /// A service without its group.
    #[error("{0:?} does not say where: write service:NAME@GROUP")]
    Where(String),
}

/// Reason why a target means nothing in the inventory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing has that name.
    #[error("no {kind} named {name:?} in the inventory: check the spelling")]
    Unknown {
        /// The kind that was looked for.
        kind: &'static str,
        /// The name that was looked for.
        name: String,
    },
    /// Both exist, but the group does not serve the service.
    #[error("group {group:?} does not serve {service:?}: there is nothing to drain")]
    NotServed {
        /// The service.
        service: String,
        /// The group.
        group: String,
    },
}

/// A target resolved against one inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Edge host.
    Node(NodeId),
    /// A service cluster.
    Group(GroupId),
    /// A machine room.
    Site(SiteId),
    /// An egress port.
    Link(LinkId),
    /// Service in one group.
    Service(GroupId, ServiceId),
}

impl Target {
    /// The part of `inventory` that this target means.
    ///
    /// # Errors
    /// [`ResolveError`] when the inventory has no such part.
    pub fn resolve(&self, inventory: &Inventory) -> Result<Part, ResolveError> {
        match self {
            Self::Node(name) => {
                let names = inventory.nodes.iter().map(|node| node.name.as_str());
                Ok(Part::Node(NodeId::from_index(find(names, "node", name)?)))
            }
            Self::Group(name) => Ok(Part::Group(find_group(inventory, name)?)),
            Self::Site(name) => {
                let names = inventory.sites.iter().map(|site| site.name.as_str());
                Ok(Part::Site(SiteId::from_index(find(names, "site", name)?)))
            }
            Self::Link(name) => {
                let names = inventory.links.iter().map(|link| link.name.as_str());
                Ok(Part::Link(LinkId::from_index(find(names, "link", name)?)))
            }
            Self::Service { service, group } => {
                let id = find_group(inventory, group)?;
                let names = inventory
                    .services
                    .iter()
                    .map(|entry| entry.served.name.as_str());
                let served = ServiceId::from_index(find(names, "service", service)?);
                if inventory.groups[id.index()].services.contains(&served) {
                    Ok(Part::Service(id, served))
                } else {
                    let (service, group) = (service.clone(), group.clone());
                    Err(ResolveError::NotServed { service, group })
                }
            }
        }
    }
}

impl Part {
    /// The site where the part stands.
    ///
    /// # Panics
    /// When the part was resolved against another inventory.
    #[must_use]
    pub fn site(self, inventory: &Inventory) -> SiteId {
        match self {
            Self::Site(site) => site,
            Self::Link(link) => inventory.links[link.index()].site,
            Self::Group(group) | Self::Service(group, _) => inventory.groups[group.index()].site,
            Self::Node(node) => Self::Group(inventory.nodes[node.index()].group).site(inventory),
        }
    }

    /// Most traffic that the part could carry with nothing drained, in Mbps.
    ///
    /// # Panics
    /// When the part was resolved against another inventory.
    #[must_use]
    pub fn capacity_mbps(self, inventory: &Inventory) -> f64 {
        match self {
            Self::Node(node) => inventory.nodes[node.index()].capacity_mbps,
            Self::Group(group) | Self::Service(group, _) => inventory.group_capacity_mbps(group),
            Self::Link(link) => inventory.links[link.index()].capacity_mbps,
            Self::Site(site) => {
                let links = inventory.links.iter().filter(|link| link.site == site);
                let egress_mbps: f64 = links.map(|link| link.capacity_mbps).sum();
                let groups = (0..inventory.groups.len()).map(GroupId::from_index);
                let serving_mbps: f64 = groups
                    .filter(|group| inventory.groups[group.index()].site == site)
                    .map(|group| inventory.group_capacity_mbps(group))
                    .sum();
                egress_mbps.min(serving_mbps)
            }
        }
    }
}

/// Index of `name` among the names of one kind. O(n): drains are asked for by people and rollouts,
/// not by packets.
fn find<'a>(
    mut names: impl Iterator<Item = &'a str>,
    kind: &'static str,
    name: &str,
) -> Result<usize, ResolveError> {
    let unknown = || ResolveError::Unknown {
        kind,
        name: name.to_owned(),
    };
    names
        .position(|candidate| candidate == name)
        .ok_or_else(unknown)
}

/// The group of that name.
fn find_group(inventory: &Inventory, name: &str) -> Result<GroupId, ResolveError> {
    let names = inventory.groups.iter().map(|group| group.name.as_str());
    Ok(GroupId::from_index(find(names, "group", name)?))
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(out, "node:{name}"),
            Self::Group(name) => write!(out, "group:{name}"),
            Self::Site(name) => write!(out, "site:{name}"),
            Self::Link(name) => write!(out, "link:{name}"),
            Self::Service { service, group } => write!(out, "service:{service}@{group}"),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (kind, name) = text
            .split_once(':')
            .ok_or_else(|| TargetError::Kind(shorten(text)))?;
        let checked = |name: &str| {
            let bad = |c: char| c.is_whitespace() || c.is_control();
            let good = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(bad);
            good.then(|| name.to_owned())
                .ok_or_else(|| TargetError::Name(shorten(text)))
        };
        match kind {
            "node" => Ok(Self::Node(checked(name)?)),
            "group" => Ok(Self::Group(checked(name)?)),
            "site" => Ok(Self::Site(checked(name)?)),
            "link" => Ok(Self::Link(checked(name)?)),
            "service" => {
                let (service, group) = name
                    .split_once('@')
                    .ok_or_else(|| TargetError::Where(shorten(text)))?;
                Ok(Self::Service {
                    service: checked(service)?,
                    group: checked(group)?,
                })
            }
            _ => Err(TargetError::Kind(shorten(text))),
        }
    }
}

/// The beginning of a text that a stranger sent, short enough for an error.
fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_round_trip() {
        let texts = [
            "node:gz1-a-1",
            "group:gz1-a",
            "site:gz1",
            "link:gz1/ct",
            "service:live@gz1-a",
        ];
        for text in texts {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), text);
            let json = serde_json::to_string(&target).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Target>(&json).unwrap(), target);
        }
    }

    #[test]
    fn faults_say_what_to_write() {
        assert!(matches!("gz1".parse::<Target>(), Err(TargetError::Kind(_))));
        assert!(matches!(
            "rack:gz1".parse::<Target>(),
            Err(TargetError::Kind(_))
        ));
        assert!(matches!(
            "site:".parse::<Target>(),
            Err(TargetError::Name(_))
        ));
        assert!(matches!(
            "site:a b".parse::<Target>(),
            Err(TargetError::Name(_))
        ));
        assert!(matches!(
            "service:live".parse::<Target>(),
            Err(TargetError::Where(_))
        ));
        assert!(matches!(
            "service:@gz1-a".parse::<Target>(),
            Err(TargetError::Name(_))
        ));
        let long = format!("node:{}", "x".repeat(NAME_BYTES_MAX + 1));
        assert!(matches!(long.parse::<Target>(), Err(TargetError::Name(_))));
    }
}
