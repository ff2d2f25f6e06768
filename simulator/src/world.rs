//! Physical world: places, pipes, machines and the addresses that lead to them.
//! Nothing of the engine.

use crate::curve::Shape;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A machine room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Name, such as `gz1`.
    pub name: String,
    /// Region, such as `south`; for people only.
    pub region: String,
    /// ISO 3166 country code, lower-case.
    pub country: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// An egress port of a site towards one ISP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Name, such as `gz1/ct`.
    pub name: String,
    /// Name of its site.
    pub site: String,
    /// ISP as in area names; `bgp` is reached by all ISPs alike.
    pub isp: String,
    /// Capacity, Mbps.
    pub capacity_mbps: f64,
}

/// One edge host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name, such as `gz1-a-1`.
    pub name: String,
    /// Capacity, Mbps.
    pub capacity_mbps: f64,
}

/// Way in which one node is reached over one link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePort {
    /// Name of the node.
    pub node: String,
    /// Authority in a `Location`: host, optional port.
    pub authority: String,
    /// Own addresses, where answers name nodes one by one.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

/// The presence of a group on a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Name of the link.
    pub link: String,
    /// Addresses of its balancer in IPv4; empty where nodes are named one by one.
    #[serde(default)]
    pub ipv4: Vec<Ipv4Addr>,
    /// The same in IPv6.
    #[serde(default)]
    pub ipv6: Vec<Ipv6Addr>,
    /// Nodes as reached over this link.
    pub nodes: Vec<NodePort>,
}

/// A service cluster in a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name, such as `gz1-a`.
    pub name: String,
    /// Name of its site.
    pub site: String,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Place where it can be reached.
    pub endpoints: Vec<Endpoint>,
}

/// Mechanism that leads clients of a service: DNS or redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Their resolvers ask the DNS server.
    Dns,
    /// Redirect by the 302 server for each session.
    Redirect,
    /// Their application asks the HTTPDNS API.
    Httpdns,
}

/// Service that clients want.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Name, such as `live`.
    pub name: String,
    /// Mechanism that leads its clients.
    pub way: Way,
    /// Domain name that resolvers and HTTPDNS clients ask for.
    pub domain: String,
    /// `Host` that redirect clients send.
    pub redirect_host: String,
    /// Share of the world's demand at the peak; shares are normalised.
    pub share: f64,
    /// Variation of demand over the day.
    #[serde(default)]
    pub shape: Shape,
    /// Time for which a redirect client stays where it was sent, in seconds.
    pub session_s: f64,
}

/// The world, by names: what a configuration is turned into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Sites.
    pub sites: Vec<Site>,
    /// Links.
    pub links: Vec<Link>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Services.
    pub services: Vec<Service>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A service that peaks in the evening.
    pub(crate) fn service(name: &str, way: Way, share: f64) -> Service {
        Service {
            name: name.into(),
            way,
            domain: format!("{name}.example"),
            redirect_host: format!("{name}.example"),
            share,
            shape: Shape::Evening,
            session_s: 30.0,
        }
    }

    /// Two sites, `gz1` with two links and a group behind VIPs, `bj1` with one link and a group of
    /// two named nodes.
    pub(crate) fn small() -> World {
        let site = |name: &str, latitude, longitude| Site {
            name: name.into(),
            region: "r".into(),
            country: "cn".into(),
            latitude,
            longitude,
        };
        let link = |name: &str, capacity_mbps| Link {
            name: name.into(),
            site: name[..3].into(),
            isp: name[4..].into(),
            capacity_mbps,
        };
        let node = |name: &str| Node {
            name: name.into(),
            capacity_mbps: 1000.0,
        };
        let port = |name: &str, tag: &str, addresses: &[&str]| NodePort {
            node: name.into(),
            authority: format!("{name}.{tag}.example:8080"),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        };
        let vip = |link: &str, last: u8, tag: &str| Endpoint {
            link: link.into(),
            ipv4: vec![[192, 0, 2, last].into()],
            ipv6: vec![Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into())],
            nodes: vec![port("gz1-a-1", tag, &[]), port("gz1-a-2", tag, &[])],
        };
        World {
            sites: vec![site("gz1", 23.1, 113.3), site("bj1", 39.9, 116.4)],
            links: vec![
                link("gz1/ct", 4000.0),
                link("gz1/cu", 4000.0),
                link("bj1/ct", 4000.0),
            ],
            groups: vec![
                Group {
                    name: "gz1-a".into(),
                    site: "gz1".into(),
                    nodes: vec![node("gz1-a-1"), node("gz1-a-2")],
                    endpoints: vec![vip("gz1/ct", 1, "ct"), vip("gz1/cu", 2, "cu")],
                },
                Group {
                    name: "bj1-a".into(),
                    site: "bj1".into(),
                    nodes: vec![node("bj1-a-1"), node("bj1-a-2")],
                    endpoints: vec![Endpoint {
                        link: "bj1/ct".into(),
                        ipv4: vec![],
                        ipv6: vec![],
                        nodes: vec![
                            port("bj1-a-1", "ct", &["192.0.2.11", "2001:db8::11"]),
                            port("bj1-a-2", "ct", &["192.0.2.12"]),
                        ],
                    }],
                },
            ],
            services: vec![
                service("live", Way::Dns, 3.0),
                service("static", Way::Redirect, 1.0),
            ],
        }
    }

    #[test]
    fn a_world_survives_json() {
        let text = serde_json::to_string(&small()).unwrap();
        assert_eq!(serde_json::from_str::<World>(&text).unwrap(), small());
    }
}
