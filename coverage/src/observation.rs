//! Observations: raw samples from collectors, already resolved to ids.

use crate::area::AreaId;
use crate::ids::{CheckId, GroupId, LinkId, NodeId, ServiceId, SiteId};
use crate::units::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One raw sample with the time it was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Time at which the sample was taken, by the clock of its source (bounded by the collector).
    pub at: Timestamp,
    /// Sample that was seen.
    pub sample: Sample,
}

/// Kinds of observation.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// Path quality from an area to a site, or to one of its links.
    Quality {
        /// Place where the clients are.
        area: AreaId,
        /// Machine room.
        site: SiteId,
        /// One of its links; `None` holds for all of them.
        link: Option<LinkId>,
        /// Round-trip time in milliseconds.
        rtt_ms: f64,
        /// Share of packets lost, 0..=1.
        loss: f64,
    },
    /// State of one node.
    Node {
        /// The node.
        node: NodeId,
        /// True when it can serve.
        healthy: bool,
        /// Share of its capacity in use, 0..; above 1 is overload.
        load: f64,
        /// Traffic it serves, in Mbps.
        mbps: f64,
    },
    /// Traffic of one service in one group, in Mbps.
    Group {
        /// The group.
        group: GroupId,
        /// The service.
        service: ServiceId,
        /// Traffic in Mbps.
        mbps: f64,
    },
    /// Traffic through a link: also the billing sample of its slot.
    Link {
        /// The link.
        link: LinkId,
        /// Traffic in Mbps.
        mbps: f64,
    },
    /// Verdict of a check on an address, after its thresholds.
    Check {
        /// The check.
        check: CheckId,
        /// The address.
        address: IpAddr,
        /// True when it may serve.
        up: bool,
    },
    /// Traffic that clients want.
    Demand {
        /// Place where they are.
        area: AreaId,
        /// Service they want.
        service: ServiceId,
        /// Traffic in Mbps.
        mbps: f64,
        /// Requests per second, where they are counted.
        rps: Option<f64>,
    },
}

impl Sample {
    /// The kind as telemetry spells it, for counters.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Quality { .. } => "quality",
            Self::Node { .. } => "node",
            Self::Group { .. } => "group",
            Self::Link { .. } => "link",
            Self::Check { .. } => "check",
            Self::Demand { .. } => "demand",
        }
    }
}

/// Names -> ids of one inventory: all that a collector knows of it.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Sites by name.
    pub sites: BTreeMap<String, SiteId>,
    /// Links by name (`site/link`), with the site of each.
    pub links: BTreeMap<String, (LinkId, SiteId)>,
    /// Groups by name.
    pub groups: BTreeMap<String, GroupId>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, NodeId>,
    /// Services by name.
    pub services: BTreeMap<String, ServiceId>,
    /// Checks by name, each with the addresses that it probes, ascending.
    pub checks: BTreeMap<String, (CheckId, Vec<IpAddr>)>,
}
