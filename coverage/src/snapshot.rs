//! The snapshot: all that serving may know, immutable, behind one atomic pointer.

use crate::alike::{Alike, Asked};
use crate::area::{AreaId, AreaTable, Found, ScopeIndex};
use crate::catalog::{Catalog, Endpoint};
use crate::ids::{EndpointId, ServiceId};
use crate::map::{AnswerSet, CoverageMap};
use crate::split::{ClientKey, SPLIT_PREFIX_V4, SPLIT_PREFIX_V6, pick};
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::panic::resume_unwind;
use std::str::FromStr;
use std::sync::Arc;

/// A SHA-256 digest; shown in hex.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// Orders maps: by epoch (who leads), then by version. Clocks play no part.
///
/// ```
/// use coverage::MapVersion;
///
/// let older: MapVersion = "3.1207".parse()?;
/// let newer = MapVersion { epoch: 4, version: 1208 };
/// assert!(older < newer);
/// assert_eq!(newer.to_string(), "4.1208");
/// # Ok::<(), coverage::BadVersion>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MapVersion {
    /// Rises each time a control plane takes the lead.
    pub epoch: u64,
    /// Rises with every published map, over all epochs.
    pub version: u64,
}

impl fmt::Display for MapVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.epoch, self.version)
    }
}

/// Text that is no map version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a map version is written EPOCH.VERSION, such as 3.1207")]
pub struct BadVersion;

impl FromStr for MapVersion {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let (epoch, version) = text.split_once('.').ok_or(BadVersion)?;
        let number = |text: &str| text.parse().map_err(|_| BadVersion);
        Ok(Self {
            epoch: number(epoch)?,
            version: number(version)?,
        })
    }
}

/// Content of a published map; the record of [`crate::record`] carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Catalog the map refers to.
    pub catalog: Catalog,
    /// The map.
    pub map: CoverageMap,
}

/// Reason why a body cannot be served.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// The map or the catalog is not in normal form.
    #[error("malformed map: {0}")]
    Malformed(String),
    /// The map covers another number of areas than the area table.
    #[error(
        "the map covers {map} areas but the area table has {table}: publish with the same table"
    )]
    Areas {
        /// Areas in the map.
        map: u32,
        /// Areas in the table.
        table: usize,
    },
    /// The map covers another number of services than the catalog.
    #[error("the map covers {map} services but the catalog lists {catalog}")]
    Services {
        /// Services in the map.
        map: usize,
        /// Services in the catalog.
        catalog: usize,
    },
}

/// One immutable view of the world. Everything that a reply needs comes from one of these.
///
/// ```
/// use coverage::area::AreaTableBuilder;
/// use coverage::catalog::{Catalog, Endpoint, Group, Service};
/// use coverage::map::{AnswerSet, CoverageMapBuilder};
/// use coverage::{AreaId, Asked, Body, EndpointId, GroupId, ServiceId, Snapshot};
/// # use std::sync::Arc;
/// # let group = Group { name: "gz1-a".into(), site: "gz1".into(), region: "south".into() };
/// # let endpoint = Endpoint {
/// #     group: GroupId(0), link: "gz1/ct".into(), ipv4: vec![[192, 0, 2, 1].into()],
/// #     ipv6: vec![], alias: None, nodes: vec![],
/// # };
/// # let live = Service {
/// #     name: "live".into(), domains: vec!["live.example.com.".into()],
/// #     redirect_hosts: vec![], ttl_s: 30, addresses_max: 2,
/// # };
///
/// let catalog = Catalog {
///     services: vec![live], groups: vec![group], endpoints: vec![endpoint], ..Catalog::default()
/// };
/// let mut map = CoverageMapBuilder::new(1, 1);
/// let alone = AnswerSet { shares: vec![(EndpointId(0), 64)], runners_up: vec![] };
/// map.set(ServiceId(0), AreaId(0), alone);
/// let body = Body { catalog, map: map.finish()? };
/// let table = Arc::new(AreaTableBuilder::new().finish()?);
/// let (version, digest, created_at) = Default::default();
/// let snapshot = Snapshot::new(version, digest, created_at, table, body)?;
///
/// let decision = snapshot.decide(ServiceId(0), "198.51.100.7".parse()?, Asked::Ipv4);
/// assert_eq!((decision.endpoint, decision.scope), (EndpointId(0), 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Snapshot {
    /// Order among snapshots.
    pub version: MapVersion,
    /// Digest of the record that this was read from.
    pub digest: Digest,
    /// Time at which it was published; for age alarms only.
    pub created_at: Timestamp,
    /// Client prefix -> area; shared by consecutive snapshots.
    pub table: Arc<AreaTable>,
    /// Services, endpoints, zones.
    pub catalog: Catalog,
    /// (service, area) -> answers.
    pub map: CoverageMap,
    /// [service][what is asked for]: how answers divide clients.
    scopes: Vec<[Scopes; Asked::ALL.len()]>,
}

/// Way in which the answers of one service divide its clients. Services whose answers divide them
/// alike share the parts.
#[derive(Clone)]
struct Scopes {
    index: Arc<ScopeIndex>,
    alike: Arc<Alike>,
}

/// Decision of the map for one client of one service.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The client's area.
    pub area: AreaId,
    /// Everyone who could have been picked.
    pub answers: &'a AnswerSet,
    /// Endpoint that was picked.
    pub endpoint: EndpointId,
    /// Shortest honest scope: no address that shares this many bits would get another answer.
    pub scope: u8,
}

impl Snapshot {
    /// Checks a body and builds the indices that serving needs.
    ///
    /// # Errors
    /// [`BodyFault`] when the body would leave a name without an answer or does not fit the table.
    pub fn new(
        version: MapVersion,
        digest: Digest,
        created_at: Timestamp,
        table: Arc<AreaTable>,
        body: Body,
    ) -> Result<Self, BodyFault> {
        let Body { catalog, map } = body;
        let fault = catalog
            .fault()
            .or_else(|| map.fault(catalog.endpoints.len()));
        if let Some(fault) = fault {
            return Err(BodyFault::Malformed(fault));
        }
        if map.areas() as usize != table.areas().len() {
            return Err(BodyFault::Areas {
                map: map.areas(),
                table: table.areas().len(),
            });
        }
        if map.services() != catalog.services.len() {
            return Err(BodyFault::Services {
                map: map.services(),
                catalog: catalog.services.len(),
            });
        }
        let scopes = scopes(&table, &catalog, &map);
        Ok(Self {
            version,
            digest,
            created_at,
            table,
            catalog,
            map,
            scopes,
        })
    }

    /// Decides for a client that asks for `asked`. `addr` is the client's address or the network
    /// address of its prefix; bits beyond the prefix are zero. Pure; no allocation.
    #[must_use]
    #[inline]
    pub fn decide(&self, service: ServiceId, addr: IpAddr, asked: Asked) -> Decision<'_> {
        self.decide_at(service, addr, self.table.lookup(addr), asked)
    }

    /// As [`Snapshot::decide`], where the table has been asked for `addr` before and has `found`
    /// this.
    #[must_use]
    #[inline]
    pub fn decide_at(
        &self,
        service: ServiceId,
        addr: IpAddr,
        found: Found,
        asked: Asked,
    ) -> Decision<'_> {
        let addr = addr.to_canonical();
        let Found { area, leaf } = found;
        let set = self.map.id(service, area);
        let answers = &self.map.answer_sets()[set.index()];
        let Scopes { index, alike } = &self.scopes[service.index()][asked as usize];
        let mut scope = index.scope(&self.table, leaf, addr);
        if alike.splits[set.index()] {
            // The client's own prefix took part in the choice, so the scope is at least that long.
            scope = scope.max(if addr.is_ipv4() {
                SPLIT_PREFIX_V4
            } else {
                SPLIT_PREFIX_V6
            });
        }
        let picked = pick(&answers.shares, service, ClientKey::of(addr));
        // A set without shares is refused by `new`, so there is always a first one to fall back to.
        let endpoint = picked.unwrap_or_else(|| answers.shares[0].0);
        Decision {
            area,
            answers,
            endpoint,
            scope,
        }
    }

    /// The endpoint behind an id.
    #[must_use]
    pub fn endpoint(&self, id: EndpointId) -> &Endpoint {
        &self.catalog.endpoints[id.index()]
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Snapshot {} {}", self.version, self.digest)
    }
}

/// Scopes of every service: how its answers divide its clients.
fn scopes(
    table: &AreaTable,
    catalog: &Catalog,
    map: &CoverageMap,
) -> Vec<[Scopes; Asked::ALL.len()]> {
    let mut alike: BTreeMap<(usize, u8), Arc<Alike>> = BTreeMap::new();
    let mut divisions = Divisions::new(map.answer_sets().len());
    let services = catalog.services.iter().enumerate();
    let parts: Vec<[_; Asked::ALL.len()]> = services
        .map(|(service, facts)| {
            let row = map.row(ServiceId::from_index(service));
            Asked::ALL.map(|asked| {
                let key = (asked as usize, facts.addresses_max);
                let of = || Arc::new(Alike::of(catalog, map, asked, facts.addresses_max));
                let alike = Arc::clone(alike.entry(key).or_insert_with(of));
                let classes = row.iter().map(|set| alike.class[set.index()]);
                (divisions.number(classes), alike)
            })
        })
        .collect();
    let indices = build_all(table, &divisions.into_rows());
    let with_index = |(division, alike)| Scopes {
        index: Arc::clone(&indices[division]),
        alike,
    };
    let services = parts.into_iter();
    services.map(|parts| parts.map(with_index)).collect()
}

/// Ways to divide the areas, without repetition.
struct Divisions {
    /// A row of classes, numbered in the order in which they come, so that equal divisions are
    /// equal rows -> its number.
    known: BTreeMap<Vec<u32>, usize>,
    /// [class] -> in which row it came last, counted from 1, and its number there; kept, so that no
    /// row needs a new table.
    last: Vec<(usize, u32)>,
    rows: usize,
}

impl Divisions {
    /// None yet; classes are below `classes`.
    fn new(classes: usize) -> Self {
        Self {
            known: BTreeMap::new(),
            last: vec![(0, 0); classes],
            rows: 0,
        }
    }

    /// The number of the division that these classes make, one for each area.
    fn number(&mut self, classes: impl Iterator<Item = u32>) -> usize {
        self.rows += 1;
        let mut next = 0;
        let renumbered = classes.map(|class| {
            let last = &mut self.last[class as usize];
            if last.0 != self.rows {
                *last = (self.rows, next);
                next += 1;
            }
            last.1
        });
        let row = renumbered.collect();
        let number = self.known.len();
        *self.known.entry(row).or_insert(number)
    }

    /// The divisions, each at the index that is its number.
    fn into_rows(self) -> Vec<Vec<u32>> {
        let mut rows: Vec<_> = self.known.into_iter().collect();
        rows.sort_unstable_by_key(|(_, number)| *number);
        rows.into_iter().map(|(row, _)| row).collect()
    }
}

/// The scope index of each division, in order. Each takes a pass over the table, so all processors
/// share the work.
fn build_all(table: &AreaTable, rows: &[Vec<u32>]) -> Vec<Arc<ScopeIndex>> {
    let build = |row: &Vec<u32>| Arc::new(ScopeIndex::build(table, row));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = rows.len().div_ceil(threads).max(ROWS_PER_THREAD_MIN);
    std::thread::scope(|scope| {
        let mut shares = rows.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || share.iter().map(build).collect::<Vec<_>>()))
            .collect();
        let mut indices: Vec<_> = own.iter().map(build).collect();
        for other in others {
            // A panic there is a fault of ours and goes on here, as it would without threads.
            indices.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        indices
    })
}

/// For fewer indices starting a thread costs more than it saves.
const ROWS_PER_THREAD_MIN: usize = 8;
