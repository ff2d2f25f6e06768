//! The world by indices: names resolved once, addresses and authorities looked up in O(log n).

use crate::geography::Place;
use crate::world::{Group, Node, Service, Site, World};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Reason why a world does not hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// A name that nothing has.
    #[error("{of} names the unknown {what} `{name}`")]
    Unknown {
        /// Name of what refers to it.
        of: String,
        /// Kind of thing that should have the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two places for one address, authority or name.
    #[error("`{0}` is given to two places: make it unique")]
    Twice(String),
    /// Nothing to ask for or nobody to ask.
    #[error("the world has no {0}")]
    Empty(&'static str),
}

/// Target of an address or an authority. Indices into [`Topology`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The group.
    pub group: usize,
    /// The link that traffic to it takes.
    pub link: usize,
    /// The node; `None` leads to the balancer of the group.
    pub node: Option<usize>,
}

/// A link with its site's place.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkFacts {
    /// Name.
    pub name: String,
    /// Name of the site.
    pub site: String,
    /// Country of the site.
    pub country: String,
    /// Place where the site is.
    pub place: Place,
    /// ISP.
    pub isp: String,
    /// Capacity, Mbps.
    pub capacity_mbps: f64,
}

/// A group with its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Name.
    pub name: String,
    /// Nodes, as a range of [`Topology::nodes`].
    pub nodes: std::ops::Range<usize>,
}

/// The world by indices.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Links.
    pub links: Vec<LinkFacts>,
    /// Groups.
    pub groups: Vec<GroupFacts>,
    /// Nodes of all groups, group by group.
    pub nodes: Vec<Node>,
    /// Services.
    pub services: Vec<Service>,
    /// True when every endpoint can be reached over IPv6.
    pub all_ipv6: bool,
    by_address: BTreeMap<IpAddr, Target>,
    by_authority: BTreeMap<String, Target>,
}

impl World {
    /// Resolves names to indices.
    ///
    /// # Errors
    /// [`WorldError`] names the first fault.
    pub fn topology(&self) -> Result<Topology, WorldError> {
        let sites: BTreeMap<&str, &Site> =
            self.sites.iter().map(|s| (s.name.as_str(), s)).collect();
        let mut built = Topology {
            all_ipv6: true,
            services: self.services.clone(),
            ..Topology::default()
        };
        for link in &self.links {
            let site = find(&sites, &link.site, "site", &link.name)?;
            built.links.push(LinkFacts {
                name: link.name.clone(),
                site: link.site.clone(),
                country: site.country.clone(),
                place: Place {
                    latitude: site.latitude,
                    longitude: site.longitude,
                },
                isp: link.isp.clone(),
                capacity_mbps: link.capacity_mbps,
            });
        }
        let links = (0..)
            .zip(&self.links)
            .map(|(index, link)| (link.name.as_str(), index))
            .collect();
        for group in &self.groups {
            find(&sites, &group.site, "site", &group.name)?;
            built.add_group(group, &links)?;
        }
        let total_share: f64 = self
            .services
            .iter()
            .map(|service| service.share.max(0.0))
            .sum();
        for service in &mut built.services {
            service.share = if total_share > 0.0 {
                service.share.max(0.0) / total_share
            } else {
                0.0
            };
        }
        let empty = [
            ("services", built.services.len()),
            ("links", built.links.len()),
            ("groups", built.groups.len()),
        ];
        match empty.iter().find(|(_, count)| *count == 0) {
            Some((what, _)) => Err(WorldError::Empty(what)),
            None => Ok(built),
        }
    }
}

impl Topology {
    fn add_group(
        &mut self,
        group: &Group,
        links: &BTreeMap<&str, usize>,
    ) -> Result<(), WorldError> {
        let (index, first) = (self.groups.len(), self.nodes.len());
        self.nodes.extend(group.nodes.iter().cloned());
        let own = (first..)
            .zip(&group.nodes)
            .map(|(at, node)| (node.name.as_str(), at))
            .collect();
        self.groups.push(GroupFacts {
            name: group.name.clone(),
            nodes: first..self.nodes.len(),
        });
        for endpoint in &group.endpoints {
            let link = *find(links, &endpoint.link, "link", &group.name)?;
            let front = Target {
                group: index,
                link,
                node: None,
            };
            let v4 = endpoint.ipv4.iter().map(|addr| IpAddr::V4(*addr));
            for addr in v4.chain(endpoint.ipv6.iter().map(|addr| IpAddr::V6(*addr))) {
                once(self.by_address.insert(addr, front), &addr)?;
            }
            let mut has_ipv6 = !endpoint.ipv6.is_empty();
            for port in &endpoint.nodes {
                let node = *find(&own, &port.node, "node", &group.name)?;
                let target = Target {
                    node: Some(node),
                    ..front
                };
                once(
                    self.by_authority.insert(port.authority.clone(), target),
                    &port.authority,
                )?;
                for addr in &port.addresses {
                    has_ipv6 |= addr.is_ipv6();
                    once(self.by_address.insert(*addr, target), addr)?;
                }
            }
            self.all_ipv6 &= has_ipv6;
        }
        Ok(())
    }

    /// Returns where an address leads.
    #[must_use]
    pub fn by_address(&self, addr: IpAddr) -> Option<Target> {
        self.by_address.get(&addr).copied()
    }

    /// Returns where an authority leads.
    #[must_use]
    pub fn by_authority(&self, authority: &str) -> Option<Target> {
        self.by_authority.get(authority).copied()
    }

    /// A link by its name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.name == name)
    }

    /// A node by its name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }
}

fn find<'a, T>(
    names: &'a BTreeMap<&str, T>,
    name: &str,
    what: &'static str,
    of: &str,
) -> Result<&'a T, WorldError> {
    let unknown = || WorldError::Unknown {
        of: of.to_owned(),
        what,
        name: name.to_owned(),
    };
    names.get(name).ok_or_else(unknown)
}

fn once(previous: Option<Target>, key: &impl ToString) -> Result<(), WorldError> {
    previous.map_or(Ok(()), |_| Err(WorldError::Twice(key.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::small;

    #[test]
    fn addresses_and_authorities_lead_to_their_places() {
        let topology = small().topology().unwrap();
        let vip = topology.by_address("192.0.2.2".parse().unwrap()).unwrap();
        assert_eq!(
            vip,
            Target {
                group: 0,
                link: 1,
                node: None
            }
        );
        let node = Target {
            group: 1,
            link: 2,
            node: Some(3),
        };
        assert_eq!(
            topology.by_address("192.0.2.12".parse().unwrap()),
            Some(node)
        );
        assert_eq!(topology.by_authority("bj1-a-2.ct.example:8080"), Some(node));
        assert_eq!(topology.by_authority("elsewhere"), None);
        assert!(topology.all_ipv6);
        assert!((topology.services[0].share - 0.75).abs() < 1e-12);
    }

    #[test]
    fn faults_are_named() {
        let mut world = small();
        world.groups[1].endpoints[0].link = "bj1/cm".into();
        let error = world.topology().unwrap_err();
        assert_eq!(error.to_string(), "bj1-a names the unknown link `bj1/cm`");
        let mut world = small();
        world.groups[0].endpoints[1].ipv4 = vec![[192, 0, 2, 1].into()];
        assert_eq!(
            world.topology().unwrap_err(),
            WorldError::Twice("192.0.2.1".into())
        );
        let mut world = small();
        world.services.clear();
        assert_eq!(world.topology().unwrap_err(), WorldError::Empty("services"));
    }
}
