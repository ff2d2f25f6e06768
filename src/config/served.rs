//! Keys of every service, under a policy as under the optimizer: names, TTL, size of an answer.

use super::section::Section;
use super::zones;
use coverage::catalog::{Service, Zone};
use std::collections::BTreeSet;
use std::time::Duration;

/// Names that were given to services.
#[derive(Default)]
pub(super) struct Claimed {
    names: BTreeSet<String>,
    domains: BTreeSet<String>,
}

/// Reads `name`, `domains`, `redirect-hosts`, `ttl` and `addresses-max`. `default_max` addresses
/// answer where nothing is said.
pub(super) fn read(
    section: &Section<'_>,
    zones: &[Zone],
    claimed: &mut Claimed,
    default_max: u8,
) -> Service {
    let name = section.name("name");
    if !claimed.names.insert(name.clone()) {
        section.fault("name", format!("{name:?} is given to two services"));
    }
    let domains: Vec<String> = section
        .texts("domains")
        .iter()
        .map(|domain| absolute(domain))
        .collect();
    for domain in &domains {
        if let Err(why) = zones::check_domain(domain.trim_start_matches("*."), zones) {
            section.fault("domains", why);
        }
        if !claimed.domains.insert(domain.clone()) {
            section.fault("domains", format!("{domain} belongs to two services"));
        }
    }
    let redirect_hosts: Vec<String> = section
        .texts("redirect-hosts")
        .iter()
        .map(|host| host.to_ascii_lowercase())
        .collect();
    if domains.is_empty() && redirect_hosts.is_empty() {
        section.fault(
            "domains",
            "the service has no name; give it domains or redirect-hosts",
        );
    }
    let ttl = section.span(
        "ttl",
        Duration::from_secs(60),
        Duration::from_secs(1)..=Duration::from_secs(86_400),
    );
    let addresses_max = section.whole("addresses-max", u32::from(default_max), 1..=255);
    Service {
        name,
        domains,
        redirect_hosts,
        ttl_s: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
        addresses_max: u8::try_from(addresses_max).unwrap_or(default_max),
    }
}

/// A domain name, lower-case, with its final dot.
pub(super) fn absolute(domain: &str) -> String {
    format!("{}.", domain.trim_end_matches('.').to_ascii_lowercase())
}
