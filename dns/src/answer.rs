//! The one brain: what to say to a question. Pure, and without allocation; encoders and transports
//! stand around it.

use crate::client::Client;
use crate::names::{Node, Place, RrSet};
use crate::view::DnsView;
use crate::wire::{CLASS_IN, Question, rtype};
use crate::zone::{Cut, ZoneHead};
use coverage::split::{SPLIT_PREFIX_V4, SPLIT_PREFIX_V6, mix};
use coverage::{Asked, EndpointId, ServiceId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most aliases that are followed: enough for any sane zone, and a loop ends here.
pub const CHAIN_MAX: usize = 8;

/// Outcome of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There are records.
    Records,
    /// The name exists, the type does not (RFC 2308 section 2.2).
    NoData,
    /// The name does not exist.
    NxDomain,
    /// The name is delegated away.
    Referral,
    /// Not ours, or not offered.
    Refused,
    /// The question makes no sense.
    FormErr,
}

/// Content of an answer, by reference into the view.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'v> {
    /// Outcome.
    pub outcome: Outcome,
    /// Static records of the answer section in order: the owner of the first is the name asked for,
    /// of each other the target of the alias before it.
    pub chain: Chain<'v>,
    /// Tailored addresses after them.
    pub tailored: Option<Tailored<'v>>,
    /// Content of the authority section.
    pub(crate) authority: Authority<'v>,
    /// The AA bit: whether the first name is ours (RFC 1035 section 4.1.1).
    pub authoritative: bool,
    /// Scope in bits for an ECS reply; 0 when the client made no difference.
    pub scope: u8,
}

/// Sets behind their owners.
type Glue<'v> = &'v [(Box<[u8]>, RrSet)];

impl<'v> Answer<'v> {
    /// The set of the authority section behind its owner, if there is one, and the glue that goes
    /// with it, each set behind its own. Owners are lower-cased and in wire form.
    #[must_use]
    pub fn authority(&self) -> Option<(&'v [u8], &'v RrSet, Glue<'v>)> {
        match self.authority {
            Authority::Nothing => None,
            Authority::Soa(zone) => Some((&zone.apex, &zone.negative_soa, &[])),
            Authority::Servers(cut) => Some((&cut.owner, &cut.ns, &cut.glue)),
        }
    }
}

/// Static record sets of an answer, at most one more than [`CHAIN_MAX`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain<'v> {
    sets: [Option<&'v RrSet>; CHAIN_MAX + 1],
    len: usize,
}

impl<'v> Chain<'v> {
    /// The sets in order.
    pub fn iter(&self) -> impl Iterator<Item = &'v RrSet> {
        self.sets.into_iter().flatten()
    }

    /// Tells whether there is room for an alias that was not followed yet.
    fn takes_alias(&self, set: &RrSet) -> bool {
        self.len < CHAIN_MAX && !self.iter().any(|followed| std::ptr::eq(followed, set))
    }

    fn push(&mut self, set: &'v RrSet) {
        if let Some(slot) = self.sets.get_mut(self.len) {
            *slot = Some(set);
            self.len += 1;
        }
    }
}

/// Addresses chosen for a client.
#[derive(Clone, Copy, Debug)]
pub struct Tailored<'v> {
    /// Endpoint that serves.
    pub endpoint: EndpointId,
    /// All addresses of the endpoint in the family asked for; never empty.
    pub addresses: Addresses<'v>,
    /// Place where the answer begins in `addresses`; it goes around the end. `None`: anywhere,
    /// because all of them are given.
    pub first: Option<usize>,
    /// Number of addresses to give.
    pub count: usize,
    /// TTL in seconds.
    pub ttl_s: u32,
}

/// Addresses of one family.
#[derive(Clone, Copy, Debug)]
pub enum Addresses<'v> {
    /// For A.
    V4(&'v [Ipv4Addr]),
    /// For AAAA.
    V6(&'v [Ipv6Addr]),
}

impl Addresses<'_> {
    /// Number of them.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::V4(addresses) => addresses.len(),
            Self::V6(addresses) => addresses.len(),
        }
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The authority section.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Authority<'v> {
    /// Empty: answers are minimal.
    Nothing,
    /// The SOA of a zone, for a negative answer.
    Soa(&'v ZoneHead),
    /// The servers of a cut, with glue in the additional section.
    Servers(&'v Cut),
}

/// Answers a question for a client. Deterministic; takes time bounded by the depth of our zones and
/// [`CHAIN_MAX`].
#[must_use]
pub fn answer<'v>(question: &Question<'_>, client: &Client<'_>, view: &'v DnsView) -> Answer<'v> {
    let mut answer = Answer {
        outcome: Outcome::Refused,
        chain: Chain::default(),
        tailored: None,
        authority: Authority::Nothing,
        authoritative: false,
        scope: 0,
    };
    match question.qtype {
        // RFC 6895 section 3.1: OPT is a pseudo type that cannot be asked for.
        rtype::OPT | 0 => {
            answer.outcome = Outcome::FormErr;
            return answer;
        }
        // RFC 5936 section 2.2.1: a server that does not offer the transfer refuses it.
        rtype::AXFR | rtype::IXFR => return answer,
        // Other classes hold nothing of ours; CH id.server would name this machine to strangers.
        _ if question.qclass != CLASS_IN => return answer,
        _ => {}
    }
    follow(&mut answer, question, client, view);
    answer
}

/// Follows the name through aliases of its zone until something ends the chain.
fn follow<'v>(
    answer: &mut Answer<'v>,
    question: &Question<'_>,
    client: &Client<'_>,
    view: &'v DnsView,
) {
    let mut step = step(question.name.as_wire(), question.qtype, client, view);
    let Some(zone) = step.zone else { return };
    answer.authoritative = true;
    loop {
        // RFC 6604 section 3: the response code is that of the last name of the chain.
        match step.end {
            End::Alias(set, scope) if answer.chain.takes_alias(set) => {
                answer.chain.push(set);
                answer.outcome = Outcome::Records;
                // The reply as a whole depends on the client as much as its most dependent part.
                answer.scope = answer.scope.max(scope);
                step = self::step(set.first_rdata(), question.qtype, client, view);
                // A target outside the zone is for the resolver to find: it would not believe us.
                if step.zone != Some(zone) {
                    return;
                }
                continue;
            }
            // The chain ends here, but which alias it was still depended on the client.
            End::Alias(_, scope) => answer.scope = answer.scope.max(scope),
            End::Records(set) => {
                answer.chain.push(set);
                answer.outcome = Outcome::Records;
            }
            End::Tailored(tailored, scope) => {
                answer.tailored = Some(tailored);
                answer.outcome = Outcome::Records;
                answer.scope = answer.scope.max(scope);
            }
            End::NoData(scope) => {
                answer.outcome = Outcome::NoData;
                answer.authority = Authority::Soa(&view.zones[zone]);
                answer.scope = answer.scope.max(scope);
            }
            End::NxDomain => {
                answer.outcome = Outcome::NxDomain;
                answer.authority = Authority::Soa(&view.zones[zone]);
            }
            End::Cut(cut) => {
                answer.authority = Authority::Servers(cut);
                // RFC 1035 section 4.1.1: AA speaks of the first owner name, which a bare referral
                // has none of.
                answer.authoritative = answer.chain.len > 0;
                answer.outcome = Outcome::Referral;
            }
        }
        return;
    }
}

/// Target of one name of a chain.
struct Step<'v> {
    /// Index of the zone it lies in; `None` when in none of ours.
    zone: Option<usize>,
    end: End<'v>,
}

/// The ways on from a name.
enum End<'v> {
    Records(&'v RrSet),
    /// With the scope that the choice of the alias needs.
    Alias(&'v RrSet, u8),
    Tailored(Tailored<'v>, u8),
    NoData(u8),
    NxDomain,
    Cut(&'v Cut),
}

/// Looks at one name.
fn step<'v>(name: &[u8], qtype: u16, client: &Client<'_>, view: &'v DnsView) -> Step<'v> {
    let Some(place) = view.names.find(name) else {
        return Step {
            zone: None,
            end: End::NxDomain,
        };
    };
    let (Place::Here(nearest) | Place::Below(nearest)) = place;
    let zone = Some(nearest.zone);
    let cut = nearest.cut.and_then(|cut| view.cuts.get(cut));
    // RFC 4035 section 3.1.4.1: DS at a cut is the parent's to answer. Everything else at or below
    // it is the child's.
    if let Some(cut) = cut.filter(|cut| qtype != rtype::DS || *cut.owner != *name) {
        return Step {
            zone,
            end: End::Cut(cut),
        };
    }
    let node = match place {
        Place::Here(node) => Some(node),
        // RFC 4592 section 3.3.1: the source of synthesis is the wildcard right below the closest
        // encloser, no other.
        Place::Below(encloser) => encloser.wildcard.and_then(|id| view.names.node(id)),
    };
    let end = node.map_or(End::NxDomain, |node| at_node(node, qtype, client, view));
    Step { zone, end }
}

/// Looks at a name that exists, or is synthesized from a wildcard that does.
fn at_node<'v>(node: &'v Node, qtype: u16, client: &Client<'_>, view: &'v DnsView) -> End<'v> {
    match (node.service, qtype) {
        (Some(service), rtype::A | rtype::AAAA) => return tailor(service, qtype, client, view),
        // An alias stands for all types, so whether there is one must be known before anything else
        // is said.
        (Some(service), _) if view.services[service.index()].any_alias => {
            return tailor(service, qtype, client, view);
        }
        // RFC 8482 section 4.2: one conventional HINFO record instead of everything.
        (_, rtype::ANY) if !node.is_empty() => return End::Records(&view.any),
        _ => {}
    }
    let alias = || node.set(rtype::CNAME).map(|set| End::Alias(set, 0));
    node.set(qtype)
        .map(End::Records)
        .or_else(alias)
        .unwrap_or(End::NoData(0))
}

/// Chooses addresses of a service for a client, or the alias that stands for them.
fn tailor<'v>(service: ServiceId, qtype: u16, client: &Client<'_>, view: &'v DnsView) -> End<'v> {
    let facts = &view.services[service.index()];
    if qtype == rtype::AAAA && !facts.any_ipv6 && !facts.any_alias {
        // No client anywhere gets another answer.
        return End::NoData(0);
    }
    let asked = match qtype {
        rtype::A => Asked::Ipv4,
        rtype::AAAA => Asked::Ipv6,
        _ => Asked::Endpoint,
    };
    let decision = view.snapshot.decide(service, client.addr, asked);
    let scope = client.scope(decision.scope);
    if facts.any_alias
        && let Ok(alias) = facts
            .aliases
            .binary_search_by_key(&decision.endpoint, |(endpoint, _)| *endpoint)
    {
        return End::Alias(&facts.aliases[alias].1, scope);
    }
    let endpoint = view.snapshot.endpoint(decision.endpoint);
    let addresses = match qtype {
        rtype::A => Addresses::V4(&endpoint.ipv4),
        rtype::AAAA => Addresses::V6(&endpoint.ipv6),
        _ => return End::NoData(scope),
    };
    let total = addresses.len();
    if total == 0 {
        return End::NoData(scope);
    }
    let count = total.min(usize::from(facts.addresses_max));
    let mut tailored = Tailored {
        endpoint: decision.endpoint,
        addresses,
        first: None,
        count,
        ttl_s: facts.ttl_s,
    };
    if count == total {
        return End::Tailored(tailored, scope);
    }
    // Clients have to share out addresses that one answer cannot hold. The client's prefix decides
    // who gets which, as in a split of the map, so the scope covers no more than that prefix.
    let (key, bits) = client_prefix(client.addr);
    let seed = u64::from(service.0) << 32 | u64::from(decision.endpoint.0);
    let spread = mix(mix(key).wrapping_add(seed)) % total as u64;
    tailored.first = usize::try_from(spread).ok();
    End::Tailored(tailored, client.scope(decision.scope.max(bits)))
}

/// The prefix of a client that takes part in choices between equals, and its length.
fn client_prefix(addr: IpAddr) -> (u64, u8) {
    match addr.to_canonical() {
        IpAddr::V4(v4) => (u64::from(u32::from(v4) >> 8), SPLIT_PREFIX_V4),
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            (
                u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c),
                SPLIT_PREFIX_V6,
            )
        }
    }
}
