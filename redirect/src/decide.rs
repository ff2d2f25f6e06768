//! The decision of a redirect: which node a client is sent to.

use crate::config::Scheme;
use crate::host::Host;
use crate::loads::{NodeLoads, Placed};
use crate::location::location;
use crate::ring::hash_bytes;
use crate::view::{HttpView, Member, Roster};
use coverage::{AreaId, Asked, Decision, EndpointId, ServiceId};
use std::net::IpAddr;

/// Longest path and query that is redirected, in bytes: it has to fit the next server's limits too.
pub(crate) const TARGET_BYTES_MAX: usize = 8192;

/// The method of a request, as far as a redirect cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: decided like GET.
    Head,
    /// Any other.
    Other,
}

/// Request as a decision looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method.
    pub method: Method,
    /// The host that was asked for.
    pub host: &'r Host,
    /// Path and query as they came; never the authority of an absolute-form target.
    pub target: &'r str,
    /// The client's own address.
    pub client: IpAddr,
    /// The scheme that the client is to use next.
    pub scheme: Scheme,
}

/// Outcome of a request. Always one of these, never an error.
#[derive(Debug)]
pub enum Outcome<'v> {
    /// 302 (RFC 9110 section 15.4.3).
    Redirect(Redirect<'v>),
    /// 421 (RFC 9110 section 15.5.20): no service redirects this host.
    NotOurHost,
    /// 400: the target is no path.
    BadRequest,
    /// 414: the target is longer than 8192 bytes.
    TargetTooLong,
    /// 405: neither GET nor HEAD.
    MethodNotAllowed,
    /// 503: the endpoint names no node at all, which a checked snapshot rules out.
    Unavailable,
}

/// A redirect, with what an explanation needs.
#[derive(Debug)]
pub struct Redirect<'v> {
    /// The service.
    pub service: ServiceId,
    /// The client's area.
    pub area: AreaId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The node.
    pub node: &'v Member,
    /// True when the endpoint picked by the map had no serving node, so that the next one in order
    /// took its place.
    pub runner_up: bool,
    /// True when no endpoint had a serving node, so that all nodes of the picked one were believed.
    pub failed_open: bool,
    /// True when the object's own node was busier than its bound, so that the next one on the ring
    /// took its place.
    pub spilled: bool,
    /// The value of the `Location` field.
    pub location: String,
}

/// Decides a request. Pure but for `loads`, where the request is counted; one allocation, for the
/// location.
#[must_use]
pub fn decide<'v>(view: &'v HttpView, request: &Request<'_>, loads: &NodeLoads) -> Outcome<'v> {
    if request.method == Method::Other {
        return Outcome::MethodNotAllowed;
    }
    if request.target.len() > TARGET_BYTES_MAX {
        return Outcome::TargetTooLong;
    }
    // `*` and whatever else is no path.
    if !matches!(request.target.bytes().next(), None | Some(b'/' | b'?')) {
        return Outcome::BadRequest;
    }
    let Host::Name(name) = request.host else {
        return Outcome::NotOurHost;
    };
    let Some(service) = view.service_of_host(name) else {
        return Outcome::NotOurHost;
    };
    let decision = view
        .snapshot
        .decide(service, request.client, Asked::Endpoint);
    let (endpoint, roster) = choose_endpoint(view, &decision);
    let seed = view.services[service.index()].seed;
    let key = hash_bytes(seed, path_of(request.target).as_bytes());
    let Some(Placed { member, spilled }) = loads.place(roster, key) else {
        return Outcome::Unavailable;
    };
    Outcome::Redirect(Redirect {
        service,
        area: decision.area,
        endpoint,
        node: member,
        runner_up: endpoint != decision.endpoint,
        failed_open: !roster.serving,
        spilled,
        location: location(request.scheme, &member.authority, request.target),
    })
}

/// The endpoint to use: the picked one if it serves, else the first of the other shares and then of
/// the runners-up that does; if none does, the picked one after all, because a redirect to a node
/// that may be down beats none.
fn choose_endpoint<'v>(view: &'v HttpView, decision: &Decision<'_>) -> (EndpointId, &'v Roster) {
    let picked = (decision.endpoint, view.roster(decision.endpoint));
    if picked.1.serving {
        return picked;
    }
    let shares = decision
        .answers
        .shares
        .iter()
        .map(|(endpoint, _)| *endpoint);
    let mut others = shares
        .chain(decision.answers.runners_up.iter().copied())
        .map(|endpoint| (endpoint, view.roster(endpoint)));
    others.find(|(_, roster)| roster.serving).unwrap_or(picked)
}

/// The path of a target: what names the object. The query often carries tokens that differ from
/// client to client.
fn path_of(target: &str) -> &str {
    target.find('?').map_or(target, |mark| &target[..mark])
}
