//! Forms of answers, in each of the three shapes.

use super::{Addresses, Refusal, TYPE_A, TYPE_AAAA};
use crate::counters::Event;
use crate::host::HostName;
use crate::view::HttpView;
use coverage::ServiceId;
use serde::Serialize;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Event it counts as.
    pub event: Event,
    /// Status code.
    pub status: u16,
    /// Media type.
    pub content_type: &'static str,
    /// Time for which the client itself may keep it, in seconds; `None` forbids keeping it.
    pub max_age_s: Option<u32>,
    /// The service it is counted for.
    pub service: Option<ServiceId>,
    /// The body.
    pub body: String,
}

/// The body of `/httpdns/d`.
#[derive(Serialize)]
struct Plain<'r> {
    host: &'r str,
    ips: Vec<Ipv4Addr>,
    ipsv6: Vec<Ipv6Addr>,
    ttl: u32,
    client_ip: IpAddr,
    map_version: String,
}

/// The body of `/resolve`, in the names that public resolvers use.
#[derive(Serialize)]
struct Resolved<'r> {
    #[serde(rename = "Status")]
    status: u8,
    #[serde(rename = "TC")]
    truncated: bool,
    #[serde(rename = "RD")]
    recursion_desired: bool,
    #[serde(rename = "RA")]
    recursion_available: bool,
    #[serde(rename = "AD")]
    authenticated: bool,
    #[serde(rename = "CD")]
    checking_disabled: bool,
    #[serde(rename = "Question")]
    question: [ResolvedQuestion<'r>; 1],
    #[serde(rename = "Answer", skip_serializing_if = "Vec::is_empty")]
    answer: Vec<ResolvedRecord<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edns_client_subnet: Option<String>,
}

/// The question, repeated.
#[derive(Serialize)]
struct ResolvedQuestion<'r> {
    name: &'r str,
    #[serde(rename = "type")]
    rtype: u16,
}

/// One record.
#[derive(Serialize)]
struct ResolvedRecord<'r> {
    name: &'r str,
    #[serde(rename = "type")]
    rtype: u16,
    #[serde(rename = "TTL")]
    ttl_s: u32,
    data: String,
}

/// The body of a refusal.
#[derive(Serialize)]
struct Refused {
    /// NXDOMAIN (3) for a name that nobody answers for, as callers of `/resolve` expect it.
    #[serde(rename = "Status", skip_serializing_if = "Option::is_none")]
    status: Option<u8>,
    error: String,
}

impl Reply {
    /// Alive, and a map is served: there is no view without one.
    pub(super) fn health() -> Self {
        Self::fixed(Event::Health, (200, "ok\n"))
    }

    /// A status and a fixed text.
    pub(crate) fn fixed(event: Event, (status, text): (u16, &str)) -> Self {
        Self {
            event,
            status,
            content_type: "text/plain",
            max_age_s: None,
            service: None,
            body: text.to_owned(),
        }
    }

    /// `/httpdns/d`, with the families asked for.
    pub(super) fn plain(
        view: &HttpView,
        name: &HostName,
        client: IpAddr,
        found: Addresses,
        (v4, v6): (bool, bool),
    ) -> Self {
        let body = Plain {
            host: name.as_str(),
            ips: if v4 { found.ipv4 } else { vec![] },
            ipsv6: if v6 { found.ipv6 } else { vec![] },
            ttl: found.ttl_s,
            client_ip: client,
            map_version: view.snapshot.version.to_string(),
        };
        Self::answered(
            found.service,
            found.ttl_s,
            "application/json",
            to_json(&body),
        )
    }

    /// `/d`: addresses and TTL in one line, `0` when there is none of that type.
    pub(super) fn text(found: &Addresses, rtype: u16) -> Self {
        let addresses = addresses_of(found, rtype);
        let body = match addresses.is_empty() {
            true => "0".to_owned(),
            false => format!("{},{}", addresses.join(";"), found.ttl_s),
        };
        Self::answered(found.service, found.ttl_s, "text/plain", body)
    }

    /// `/resolve`. `named` is the client that the caller asked for.
    pub(super) fn resolve(
        name: &HostName,
        rtype: u16,
        named: Option<IpAddr>,
        found: &Addresses,
    ) -> Self {
        let name = format!("{}.", name.as_str());
        let record = |data| ResolvedRecord {
            name: &name,
            rtype,
            ttl_s: found.ttl_s,
            data,
        };
        let body = Resolved {
            status: 0,
            truncated: false,
            recursion_desired: true,
            recursion_available: false,
            authenticated: false,
            checking_disabled: false,
            question: [ResolvedQuestion { name: &name, rtype }],
            answer: addresses_of(found, rtype).into_iter().map(record).collect(),
            edns_client_subnet: named.map(|client| format!("{client}/{}", found.scope)),
        };
        Self::answered(
            found.service,
            found.ttl_s,
            "application/dns-json",
            to_json(&body),
        )
    }

    /// An error, in words that say what to do. Nothing of the request is repeated in it.
    pub(super) fn refusal(refusal: Refusal) -> Self {
        let (status, event) = match refusal {
            Refusal::Query(_) | Refusal::Parameter(_) => (400, Event::BadRequest),
            Refusal::Forbidden(_) => (403, Event::Forbidden),
            Refusal::NoSuchPath | Refusal::NoSuchName => (404, Event::NotFound),
        };
        let nx_domain = (refusal == Refusal::NoSuchName).then_some(3);
        let body = Refused {
            status: nx_domain,
            error: refusal.to_string(),
        };
        Self {
            event,
            status,
            content_type: "application/json",
            max_age_s: None,
            service: None,
            body: to_json(&body),
        }
    }

    fn answered(service: ServiceId, ttl_s: u32, content_type: &'static str, body: String) -> Self {
        Self {
            event: Event::HttpDns,
            status: 200,
            content_type,
            max_age_s: Some(ttl_s),
            service: Some(service),
            body,
        }
    }
}

/// The addresses of one type, in text.
fn addresses_of(found: &Addresses, rtype: u16) -> Vec<String> {
    fn texts<A: Display>(addresses: &[A]) -> Vec<String> {
        addresses.iter().map(A::to_string).collect()
    }
    match rtype {
        TYPE_A => texts(&found.ipv4),
        TYPE_AAAA => texts(&found.ipv6),
        _ => vec![],
    }
}

/// JSON of a body. Our own types cannot fail: no maps with odd keys, no failing `Serialize`.
fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}
