//! HTTPDNS: the addresses of a service over HTTP, for applications that pass their resolver by.
//!
//! One decision, [`resolve`], and three thin shapes of question and answer around it, so that
//! existing client libraries can be pointed here:
//!
//! ```text
//! GET /httpdns/d?host=NAME&query=4,6[&ip=CLIENT]
//!     JSON {host, ips, ipsv6, ttl, client_ip, map_version}
//! GET /d?dn=NAME[&type=AAAA][&ip=CLIENT]
//!     text 192.0.2.1;192.0.2.2,60
//! GET /resolve?name=NAME&type=A[&edns_client_subnet=P]
//!     JSON in the shape of public DoH resolvers
//! ```
//!
//! The client is whoever asks. To ask for another one takes the token (as `token=` or
//! `Authorization: Bearer`), or an address among the trusted ones: otherwise anybody could map the
//! network by asking in everybody's name.

mod reply;

use crate::config::Token;
use crate::host::HostName;
use crate::query::{BadQuery, parameter};
use crate::view::HttpView;
use coverage::split::{SPLIT_PREFIX_V4, SPLIT_PREFIX_V6, mix};
use coverage::{Asked, EndpointId, Prefix, ServiceId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use reply::Reply;

/// DNS type code of an IPv4 address.
const TYPE_A: u16 = 1;
/// DNS type code of an IPv6 address.
const TYPE_AAAA: u16 = 28;

/// Caller as the connection shows it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'r> {
    /// The caller's own address.
    pub client: IpAddr,
    /// True when that address may ask for other clients.
    pub trusted: bool,
    /// The credentials of `Authorization: Bearer`.
    pub bearer: Option<&'r [u8]>,
}

/// Addresses of a service for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The service.
    pub service: ServiceId,
    /// The endpoint that they belong to.
    pub endpoint: EndpointId,
    /// IPv4 addresses, at most as many as the service allows.
    pub ipv4: Vec<Ipv4Addr>,
    /// IPv6 addresses, at most as many as the service allows.
    pub ipv6: Vec<Ipv6Addr>,
    /// Time for which they may be kept, in seconds.
    pub ttl_s: u32,
    /// Clients that share this many leading bits get the same.
    pub scope: u8,
}

/// The one decision: the same that DNS takes for this name and client. `None` when no service has
/// the name.
#[must_use]
pub fn resolve(view: &HttpView, name: &HostName, client: IpAddr) -> Option<Addresses> {
    let client = client.to_canonical();
    let service = view.service_of_domain(name)?;
    let facts = &view.snapshot.catalog.services[service.index()];
    let decision = view.snapshot.decide(service, client, Asked::Endpoint);
    let endpoint = view.snapshot.endpoint(decision.endpoint);
    let most = usize::from(facts.addresses_max);
    let (prefix, bits) = client_prefix(client);
    let seed = u64::from(service.0) << 32 | u64::from(decision.endpoint.0);
    let spread = mix(mix(prefix).wrapping_add(seed));
    let cut = endpoint.ipv4.len() > most || endpoint.ipv6.len() > most;
    Some(Addresses {
        service,
        endpoint: decision.endpoint,
        ipv4: some_of(&endpoint.ipv4, most, spread),
        ipv6: some_of(&endpoint.ipv6, most, spread),
        ttl_s: facts.ttl_s,
        // Where one answer cannot hold all addresses, the client's prefix decided which ones it
        // got.
        scope: if cut {
            decision.scope.max(bits)
        } else {
            decision.scope
        },
    })
}

/// At most `most` addresses, beginning where `spread` says, so that clients share out what one
/// answer cannot hold.
fn some_of<A: Copy>(all: &[A], most: usize, spread: u64) -> Vec<A> {
    if all.len() <= most {
        return all.to_vec();
    }
    // A remainder by a length is an index.
    let first = usize::try_from(spread % all.len() as u64).unwrap_or(0);
    all.iter().cycle().skip(first).take(most).copied().collect()
}

/// The prefix of a client that takes part in choices between equals, and its length.
fn client_prefix(client: IpAddr) -> (u64, u8) {
    match client {
        IpAddr::V4(v4) => (u64::from(u32::from(v4) >> 8), SPLIT_PREFIX_V4),
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments().map(u64::from);
            (a << 32 | b << 16 | c, SPLIT_PREFIX_V6)
        }
    }
}

/// Answers a request for `target` (path and query).
#[must_use]
pub fn answer(view: &HttpView, caller: &Caller<'_>, target: &str, token: Option<&Token>) -> Reply {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let answered = match path {
        "/healthz" => return Reply::health(),
        "/httpdns/d" => answer_plain(view, caller, query, token),
        "/d" => answer_text(view, caller, query, token),
        "/resolve" => answer_resolve(view, caller, query, token),
        _ => Err(Refusal::NoSuchPath),
    };
    answered.unwrap_or_else(Reply::refusal)
}

/// Reason why a question gets no addresses. The text goes to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// 400.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// 400.
    #[error(
        "the parameter {0} is missing or malformed: see the parameters of this path in the manual"
    )]
    Parameter(&'static str),
    /// 403.
    #[error("asking for another client takes the token: leave {0} out to ask for yourself")]
    Forbidden(&'static str),
    /// 404.
    #[error("no such path: ask /httpdns/d?host=NAME, /d?dn=NAME or /resolve?name=NAME")]
    NoSuchPath,
    /// 404.
    #[error(
        "no service answers for this name: check its spelling, or add it to the domains of a service"
    )]
    NoSuchName,
}

/// `/httpdns/d`.
fn answer_plain(
    view: &HttpView,
    caller: &Caller<'_>,
    query: &str,
    token: Option<&Token>,
) -> Result<Reply, Refusal> {
    let name = name_parameter(query, "host")?;
    let families = parameter(query, "query")?.unwrap_or_else(|| "4".to_owned());
    let (mut v4, mut v6) = (false, false);
    for family in families.split(',') {
        match family {
            "4" => v4 = true,
            "6" => v6 = true,
            _ => return Err(Refusal::Parameter("query")),
        }
    }
    let (client, _) = client_of(caller, query, "ip", token)?;
    let found = resolve(view, &name, client).ok_or(Refusal::NoSuchName)?;
    Ok(Reply::plain(view, &name, client, found, (v4, v6)))
}

/// `/d`.
fn answer_text(
    view: &HttpView,
    caller: &Caller<'_>,
    query: &str,
    token: Option<&Token>,
) -> Result<Reply, Refusal> {
    let name = name_parameter(query, "dn")?;
    let rtype = type_parameter(query)?;
    if rtype != TYPE_A && rtype != TYPE_AAAA {
        return Err(Refusal::Parameter("type"));
    }
    let (client, _) = client_of(caller, query, "ip", token)?;
    let found = resolve(view, &name, client).ok_or(Refusal::NoSuchName)?;
    Ok(Reply::text(&found, rtype))
}

/// `/resolve`.
fn answer_resolve(
    view: &HttpView,
    caller: &Caller<'_>,
    query: &str,
    token: Option<&Token>,
) -> Result<Reply, Refusal> {
    let name = name_parameter(query, "name")?;
    let rtype = type_parameter(query)?;
    let (client, named) = client_of(caller, query, "edns_client_subnet", token)?;
    let found = resolve(view, &name, client).ok_or(Refusal::NoSuchName)?;
    Ok(Reply::resolve(
        &name,
        rtype,
        named.then_some(client),
        &found,
    ))
}

/// The name asked for.
fn name_parameter(query: &str, parameter_name: &'static str) -> Result<HostName, Refusal> {
    let text = parameter(query, parameter_name)?.unwrap_or_default();
    HostName::parse(&text).map_err(|_| Refusal::Parameter(parameter_name))
}

/// The type asked for: a mnemonic or a number, A when there is none.
fn type_parameter(query: &str) -> Result<u16, Refusal> {
    let Some(text) = parameter(query, "type")? else {
        return Ok(TYPE_A);
    };
    match text.to_ascii_uppercase().as_str() {
        "A" => Ok(TYPE_A),
        "AAAA" => Ok(TYPE_AAAA),
        number => number.parse().map_err(|_| Refusal::Parameter("type")),
    }
}

/// The client that is asked for, and whether the caller named it. A prefix is asked for by its
/// first address.
fn client_of(
    caller: &Caller<'_>,
    query: &str,
    parameter_name: &'static str,
    token: Option<&Token>,
) -> Result<(IpAddr, bool), Refusal> {
    let Some(text) = parameter(query, parameter_name)? else {
        return Ok((caller.client, false));
    };
    let in_query = parameter(query, "token")?;
    let given = caller
        .bearer
        .or_else(|| in_query.as_ref().map(String::as_bytes));
    let known = token
        .zip(given)
        .is_some_and(|(token, given)| token.matches(given));
    if !caller.trusted && !known {
        return Err(Refusal::Forbidden(parameter_name));
    }
    let client = parse_client(&text).ok_or(Refusal::Parameter(parameter_name))?;
    Ok((client, true))
}

/// An address, or the network address of a prefix.
fn parse_client(text: &str) -> Option<IpAddr> {
    match text.split_once('/') {
        Some((addr, len)) => {
            Prefix::around(addr.parse().ok()?, len.parse().ok()?).map(Prefix::addr)
        }
        None => text.parse().ok(),
    }
}
