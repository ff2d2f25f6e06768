//! The DNS view: everything that DNS derives from a snapshot, built before the snapshot is swapped
//! in and swapped with it. What cannot be answered rightly is refused here, whole, so that serving
//! never meets it.

use crate::fault::ViewError;
use crate::name;
use crate::names::{Names, Place, RrSet};
use crate::prepared::Prepared;
use crate::wire::rtype;
use crate::zone::{Cut, ZoneHead, add_records, body, find_cuts, wire_name, zone_head, zone_of};
use coverage::catalog::Catalog;
use coverage::{EndpointId, ServiceId, Snapshot};
use std::sync::Arc;

/// TTL of the answer to ANY, in seconds: long enough to keep the askers away (RFC 8482 section
/// 4.2).
const ANY_TTL_S: u32 = 3600;

/// Facts a service answers with, beside the map.
#[derive(Clone, Debug)]
pub(crate) struct ServiceFacts {
    pub(crate) ttl_s: u32,
    pub(crate) addresses_max: u8,
    /// True when any client can get an IPv6 address at all.
    pub(crate) any_ipv6: bool,
    /// True when every answer gives all addresses of an endpoint, so that nothing is left to
    /// choose.
    pub(crate) whole: bool,
    /// True when any client can get an alias.
    pub(crate) any_alias: bool,
    /// The aliases that clients can get, as records, ordered by endpoint.
    pub(crate) aliases: Vec<(EndpointId, RrSet)>,
}

/// All DNS derives from one snapshot. Immutable.
#[derive(Debug)]
pub struct DnsView {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) names: Names,
    pub(crate) zones: Vec<ZoneHead>,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) services: Vec<ServiceFacts>,
    pub(crate) any: RrSet,
    /// Names and records that the fast path answers from.
    pub(crate) prepared: Prepared,
}

impl DnsView {
    /// Derives a view. Linear in the catalog, and for each service in its row of the map.
    ///
    /// ```
    /// use dns::DnsView;
    /// # use coverage::{Body, Snapshot, area::AreaTableBuilder};
    /// # use coverage::{catalog::Catalog, map::CoverageMapBuilder};
    /// # use std::sync::Arc;
    /// # let map = CoverageMapBuilder::new(0, 1).finish()?;
    /// # let body = Body { catalog: Catalog::default(), map };
    /// # let table = Arc::new(AreaTableBuilder::new().finish()?);
    /// # let (version, digest, created_at) = Default::default();
    /// # let snapshot = Arc::new(Snapshot::new(version, digest, created_at, table, body)?);
    ///
    /// // A snapshot without services or zones.
    /// let view = DnsView::build(snapshot)?;
    /// assert_eq!(view.service_of("live.example.com."), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ViewError`] names the first fault; whoever called keeps the view it has.
    pub fn build(snapshot: Arc<Snapshot>) -> Result<Self, ViewError> {
        let catalog = &snapshot.catalog;
        let mut names = Names::default();
        let zones = catalog
            .zones
            .iter()
            .map(zone_head)
            .collect::<Result<Vec<_>, _>>()?;
        for (index, zone) in zones.iter().enumerate() {
            if names.get(&zone.apex).is_some() {
                return Err(ViewError::ZoneTwice(name::shown(&zone.apex)));
            }
            names.entry(&zone.apex, index, &zone.apex);
        }
        for zone in &zones {
            // Names between an apex and the zone above it exist, if only as empty non-terminals of
            // the latter.
            if let Some(between) = name::parent(&zone.apex)
                && let Some(above) = zone_of(&zones, between)
            {
                names.entry(between, above, &zones[above].apex);
            }
        }
        for (index, zone) in catalog.zones.iter().enumerate() {
            add_records(&mut names, &zones, index, zone)?;
        }
        let cuts = find_cuts(&mut names, &zones);
        for (index, service) in catalog.services.iter().enumerate() {
            for domain in &service.domains {
                claim(
                    &mut names,
                    &zones,
                    ServiceId::from_index(index),
                    domain,
                    &service.name,
                )?;
            }
        }
        let mut marks = Marks::new(&snapshot);
        let services = (0..catalog.services.len())
            .map(|index| service_facts(&snapshot, &mut marks, ServiceId::from_index(index)))
            .collect::<Result<_, _>>()?;
        let any = RrSet {
            rtype: rtype::HINFO,
            bodies: vec![body(rtype::HINFO, ANY_TTL_S, b"\x07RFC8482\0")],
        };
        let exact = prepared_names(&snapshot.catalog)?;
        let prepared = Prepared::new(&snapshot, exact.iter().map(|(name, id)| (&**name, *id)));
        Ok(Self {
            snapshot,
            names,
            zones,
            cuts,
            services,
            any,
            prepared,
        })
    }

    /// The snapshot that this view was derived from.
    #[must_use]
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The service whose tailored answers a name gets, wildcards included; aliases are not
    /// followed. For explanations.
    #[must_use]
    pub fn service_of(&self, name: &str) -> Option<ServiceId> {
        let wire = name::from_text(name)?;
        match self.names.find(&wire)? {
            Place::Here(node) => node.service,
            Place::Below(encloser) => self.names.node(encloser.wildcard?)?.service,
        }
    }
}

impl AsRef<Self> for DnsView {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// A name on the wire with its service.
type PreparedName = (Box<[u8]>, ServiceId);

/// The names of services that are no wildcards, on the wire.
fn prepared_names(catalog: &Catalog) -> Result<Vec<PreparedName>, ViewError> {
    let services = catalog.services.iter().enumerate();
    let names = services.flat_map(|(index, service)| {
        let exact = service.domains.iter().filter(|name| !name.starts_with('*'));
        exact.map(move |name| Ok((wire_name(name)?, ServiceId::from_index(index))))
    });
    names.collect()
}

/// Puts a domain of a service into the index. A leading `*.` is a wildcard as in RFC 4592.
fn claim(
    names: &mut Names,
    zones: &[ZoneHead],
    id: ServiceId,
    domain: &str,
    service: &str,
) -> Result<(), ViewError> {
    let owner = wire_name(domain)?;
    let (domain, service) = (domain.to_owned(), service.to_owned());
    let Some(zone) = zone_of(zones, &owner) else {
        return Err(ViewError::NoZone { domain, service });
    };
    let mut suffixes = std::iter::successors(Some(&*owner), |name| name::parent(name));
    let above = suffixes.find_map(|suffix| names.get(suffix));
    if above.is_some_and(|node| node.cut.is_some()) {
        return Err(ViewError::Delegated { domain, service });
    }
    let node = names.entry(&owner, zone, &zones[zone].apex);
    let statics = [rtype::A, rtype::AAAA, rtype::CNAME];
    let taken = node.service.is_some_and(|other| other != id);
    if taken || statics.iter().any(|&rtype| node.set(rtype).is_some()) {
        return Err(ViewError::ClaimedTwice(domain));
    }
    node.service = Some(id);
    Ok(())
}

/// Memory from service to service while facts are gathered: for which one an answer set
/// or an endpoint was last seen. A mark costs less than fresh tables for each service would.
struct Marks {
    sets: Vec<Option<ServiceId>>,
    endpoints: Vec<Option<ServiceId>>,
}

impl Marks {
    fn new(snapshot: &Snapshot) -> Self {
        Self {
            sets: vec![None; snapshot.map.answer_sets().len()],
            endpoints: vec![None; snapshot.catalog.endpoints.len()],
        }
    }

    /// Each endpoint that some client of a service can get, once, in no order.
    fn endpoints(&mut self, snapshot: &Snapshot, id: ServiceId) -> Vec<EndpointId> {
        let mut endpoints = Vec::new();
        for set in snapshot.map.row(id) {
            if self.sets[set.index()].replace(id) == Some(id) {
                continue;
            }
            for &(endpoint, _) in &snapshot.map.answer_sets()[set.index()].shares {
                if self.endpoints[endpoint.index()].replace(id) != Some(id) {
                    endpoints.push(endpoint);
                }
            }
        }
        endpoints
    }
}

/// Returns what a service answers with beside the map: what of it any client can get.
fn service_facts(
    snapshot: &Snapshot,
    marks: &mut Marks,
    id: ServiceId,
) -> Result<ServiceFacts, ViewError> {
    let service = &snapshot.catalog.services[id.index()];
    let endpoints = marks.endpoints(snapshot, id);
    let mut named: Vec<(EndpointId, &String)> = endpoints
        .iter()
        .filter_map(|id| Some((*id, snapshot.endpoint(*id).alias.as_ref()?)))
        .collect();
    named.sort_unstable();
    let mut aliases = Vec::new();
    for (id, alias) in named {
        let set = RrSet {
            rtype: rtype::CNAME,
            bodies: vec![body(rtype::CNAME, service.ttl_s, &wire_name(alias)?)],
        };
        aliases.push((id, set));
    }
    Ok(ServiceFacts {
        ttl_s: service.ttl_s,
        addresses_max: service.addresses_max,
        any_ipv6: endpoints
            .iter()
            .any(|id| !snapshot.endpoint(*id).ipv6.is_empty()),
        any_alias: !aliases.is_empty(),
        whole: aliases.is_empty()
            && endpoints.iter().all(|id| {
                let endpoint = snapshot.endpoint(*id);
                let most = endpoint.ipv4.len().max(endpoint.ipv6.len());
                most <= usize::from(service.addresses_max)
            }),
        aliases,
    })
}
