//! One parsed line -> one observation: names become ids, numbers are held against their bounds.

use crate::decode::Limits;
use crate::line::TelemetryLine;
use coverage::observation::{Directory, Observation, Sample};
use coverage::{AreaId, AreaTable, LinkId, ServiceId, SiteId, Timestamp};
use std::net::IpAddr;
use std::time::Duration;

/// Greatest round-trip time that is believed, ms: beyond it a path is down, not slow.
pub const RTT_MS_MAX: f64 = 10_000.0;
/// Greatest load of a node that is believed, as a share of its capacity.
pub const LOAD_MAX: f64 = 100.0;
/// Greatest traffic of one record that is believed, Mbps: 100 Tbps.
pub const MBPS_MAX: f64 = 100_000_000.0;
/// Most requests per second that a sample may claim.
const RPS_MAX: f64 = 1e12;
/// IPv4 prefixes this long or longer count by their first address, even where they touch two areas.
const FINE_PREFIX_V4: u8 = 24;
/// The same for IPv6.
const FINE_PREFIX_V6: u8 = 48;

/// Reason why a line was refused. The sender is at fault in each case; the same line will be
/// refused again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    /// The line is not JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// No such kind of record.
    #[error("unknown kind `{0}`: send quality, node, group, link, check or demand")]
    Kind(String),
    /// Keys are missing, unknown, doubled or of a wrong type.
    #[error("wrong keys: {0}")]
    Keys(String),
    /// A name that the inventory or the area table does not have.
    #[error("unknown {what} `{name}`: use a name of the inventory")]
    Name {
        /// Kind of thing that should have had the name.
        what: &'static str,
        /// The name, cut to a bounded length.
        name: String,
    },
    /// A link of another site than the line says.
    #[error("link `{link}` is not of site `{site}`")]
    ForeignLink {
        /// The link.
        link: String,
        /// The site.
        site: String,
    },
    /// A number outside its bounds.
    #[error("{key} is {value}: send 0 to {max}")]
    Number {
        /// The key.
        key: &'static str,
        /// Value.
        value: f64,
        /// The greatest value that is believed.
        max: f64,
    },
    /// A client prefix that is malformed or lies in several areas.
    #[error("client `{client}` {fault}")]
    Client {
        /// The client as sent, cut to a bounded length.
        client: String,
        /// Fault of the client as sent.
        fault: &'static str,
    },
    /// A time too far from now.
    #[error("at is {ms} ms {side}: set the clock, or send within the bound")]
    Skew {
        /// Distance from now, ms.
        ms: u64,
        /// `behind` or `ahead`.
        side: &'static str,
    },
    /// The line is too long.
    #[error("{bytes} bytes are more than the {max} that a line may have")]
    LineTooLong {
        /// Length, bytes.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The batch has too many lines; this one came after the last that was read.
    #[error("more than {max} lines: send smaller batches")]
    TooManyLines {
        /// The bound.
        max: usize,
    },
}

impl Reason {
    /// A short label for counters.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not-json",
            Self::Kind(_) => "kind",
            Self::Keys(_) => "keys",
            Self::Name { .. } => "name",
            Self::ForeignLink { .. } => "foreign-link",
            Self::Number { .. } => "number",
            Self::Client { .. } => "client",
            Self::Skew { .. } => "skew",
            Self::LineTooLong { .. } => "line-too-long",
            Self::TooManyLines { .. } => "too-many-lines",
        }
    }
}

/// Text of a sender, cut so that a refusal stays small.
pub(crate) fn cut(text: &str) -> String {
    const CHARS_MAX: usize = 64;
    text.chars().take(CHARS_MAX).collect()
}

/// All that resolving looks at besides the line.
pub(crate) struct Resolver<'a> {
    /// Names of the inventory.
    directory: &'a Directory,
    /// Areas.
    table: &'a AreaTable,
    /// True when the areas after the first stand in the order of their names, as builders leave
    /// them.
    areas_sorted: bool,
    /// Time of arrival.
    now: Timestamp,
    /// Limits on the distance of a sample from that.
    limits: &'a Limits,
}

impl<'a> Resolver<'a> {
    /// A resolver for one batch; O(areas).
    pub(crate) fn new(
        directory: &'a Directory,
        table: &'a AreaTable,
        now: Timestamp,
        limits: &'a Limits,
    ) -> Self {
        let named = table.areas().get(1..).unwrap_or_default();
        let areas_sorted = named.is_sorted_by(|a, b| a.name <= b.name);
        Self {
            directory,
            table,
            areas_sorted,
            now,
            limits,
        }
    }

    /// Resolves one line.
    pub(crate) fn observation(&self, line: &TelemetryLine<'_>) -> Result<Observation, Reason> {
        let behind_max = match line {
            TelemetryLine::Link { .. } => self.limits.link_behind_max,
            _ => self.limits.behind_max,
        };
        let at = self.time(line.at(), behind_max)?;
        let sample = match line {
            TelemetryLine::Quality {
                area,
                site,
                link,
                rtt_ms,
                loss,
                ..
            } => {
                let site_id = *known(&self.directory.sites, "site", site)?;
                Sample::Quality {
                    area: self.area(area)?,
                    site: site_id,
                    link: link
                        .as_deref()
                        .map(|link| self.link_of(link, site, site_id))
                        .transpose()?,
                    rtt_ms: bounded("rtt_ms", *rtt_ms, RTT_MS_MAX)?,
                    loss: bounded("loss", *loss, 1.0)?,
                }
            }
            TelemetryLine::Node {
                node,
                healthy,
                load,
                mbps,
                ..
            } => Sample::Node {
                node: *known(&self.directory.nodes, "node", node)?,
                healthy: *healthy,
                load: bounded("load", *load, LOAD_MAX)?,
                mbps: bounded("mbps", *mbps, MBPS_MAX)?,
            },
            TelemetryLine::Group {
                group,
                service,
                mbps,
                ..
            } => Sample::Group {
                group: *known(&self.directory.groups, "group", group)?,
                service: self.service(service)?,
                mbps: bounded("mbps", *mbps, MBPS_MAX)?,
            },
            TelemetryLine::Link { link, mbps, .. } => Sample::Link {
                link: known(&self.directory.links, "link", link)?.0,
                mbps: bounded("mbps", *mbps, MBPS_MAX)?,
            },
            TelemetryLine::Check {
                check, address, up, ..
            } => self.check(check, address, *up)?,
            TelemetryLine::Demand {
                area,
                client,
                service,
                mbps,
                rps,
                ..
            } => Sample::Demand {
                area: self.place(area.as_deref(), client.as_deref())?,
                service: self.service(service)?,
                mbps: bounded("mbps", *mbps, MBPS_MAX)?,
                rps: rps.map(|rps| bounded("rps", rps, RPS_MAX)).transpose()?,
            },
        };
        Ok(Observation { at, sample })
    }

    fn time(&self, at: Option<u64>, behind_max: Duration) -> Result<Timestamp, Reason> {
        let Some(at) = at.map(Timestamp) else {
            return Ok(self.now);
        };
        let (behind, ahead) = (self.now.since(at), at.since(self.now));
        let (span, side) = if behind > behind_max {
            (behind, "behind")
        } else if ahead > self.limits.ahead_max {
            (ahead, "ahead")
        } else {
            return Ok(at);
        };
        Err(Reason::Skew {
            ms: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            side,
        })
    }

    fn check(&self, check: &str, address: &str, up: bool) -> Result<Sample, Reason> {
        let (check, addresses) = known(&self.directory.checks, "check", check)?;
        let probed = |address: &IpAddr| addresses.binary_search(address).is_ok();
        let unknown = || Reason::Name {
            what: "address of that check",
            name: cut(address),
        };
        let address = address.parse().ok().filter(probed).ok_or_else(unknown)?;
        Ok(Sample::Check {
            check: *check,
            address,
            up,
        })
    }

    fn service(&self, name: &str) -> Result<ServiceId, Reason> {
        known(&self.directory.services, "service", name).copied()
    }

    fn link_of(&self, link: &str, site: &str, site_id: SiteId) -> Result<LinkId, Reason> {
        let (id, owner) = *known(&self.directory.links, "link", link)?;
        if owner == site_id {
            Ok(id)
        } else {
            Err(Reason::ForeignLink {
                link: cut(link),
                site: cut(site),
            })
        }
    }

    /// An area by its name: O(log areas) for tables in the order of their names.
    fn area(&self, name: &str) -> Result<AreaId, Reason> {
        let areas = self.table.areas();
        let found = if !self.areas_sorted || areas.first().is_some_and(|area| area.name == name) {
            self.table.by_name(name)
        } else {
            let named = areas.get(1..).unwrap_or_default();
            let index = named
                .binary_search_by(|area| area.name.as_str().cmp(name))
                .ok();
            index
                .and_then(|index| u32::try_from(index + 1).ok())
                .map(AreaId)
        };
        found.ok_or_else(|| Reason::Name {
            what: "area",
            name: cut(name),
        })
    }

    fn place(&self, area: Option<&str>, client: Option<&str>) -> Result<AreaId, Reason> {
        match (area, client) {
            (Some(area), None) => self.area(area),
            (None, Some(client)) => self.client_area(client).map_err(|fault| Reason::Client {
                client: cut(client),
                fault,
            }),
            _ => Err(Reason::Keys(
                "send exactly one of `area` and `client`".to_owned(),
            )),
        }
    }

    /// The area of a client prefix. A prefix as fine as senders may report (/24, /48) counts by its
    /// first address; a coarser one must lie in one area, or its traffic would be booked where it
    /// is not.
    fn client_area(&self, client: &str) -> Result<AreaId, &'static str> {
        let (addr, len) = client
            .split_once('/')
            .map_or((client, None), |(a, l)| (a, Some(l)));
        let addr: IpAddr = addr.parse().map_err(|_| "is no address or prefix")?;
        let (bits, fine) = if addr.is_ipv4() {
            (32, FINE_PREFIX_V4)
        } else {
            (128, FINE_PREFIX_V6)
        };
        let len = match len {
            Some(text) => text
                .parse::<u8>()
                .ok()
                .filter(|len| *len <= bits)
                .ok_or("has a bad length")?,
            None => bits,
        };
        let first = network(addr, len);
        let found = self.table.lookup(first);
        if len < fine && len < self.table.prefix_len(found.leaf, first) {
            return Err("lies in several areas: send longer prefixes");
        }
        Ok(found.area)
    }
}

/// The address with all bits after the first `len` cleared.
fn network(addr: IpAddr, len: u8) -> IpAddr {
    let len = u32::from(len);
    match addr {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(len))
                .unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(len))
                .unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

fn known<'n, T>(
    names: &'n std::collections::BTreeMap<String, T>,
    what: &'static str,
    name: &str,
) -> Result<&'n T, Reason> {
    names.get(name).ok_or_else(|| Reason::Name {
        what,
        name: cut(name),
    })
}

/// The value, when it is a number from 0 to `max`.
fn bounded(key: &'static str, value: f64, max: f64) -> Result<f64, Reason> {
    if (0.0..=max).contains(&value) {
        Ok(value)
    } else {
        Err(Reason::Number { key, value, max })
    }
}
