//! `policies.toml`.

use super::toml::{Toml, float, inline, list, quoted};
use crate::gdnsd::{Check, CheckKind, Family, Leaf, Serve};
use crate::lower::{Plan, Policy, Pool, Preference, Service, Steering};

/// Addresses of an answer where nothing is said.
const ANSWER_MAX: usize = 64;

/// The file.
pub(crate) fn policies(plan: &Plan) -> String {
    let mut toml =
        Toml::new("Checks, pools, policies and services, translated from gdnsd's configuration.");
    plan.checks.iter().for_each(|one| check(&mut toml, one));
    plan.pools.iter().for_each(|one| pool(&mut toml, one));
    plan.policies.iter().for_each(|one| policy(&mut toml, one));
    plan.services
        .iter()
        .for_each(|one| service(&mut toml, one, plan));
    toml.finish()
}

fn check(toml: &mut Toml, check: &Check) {
    toml.table("[[checks]]");
    toml.text("name", &check.name);
    match &check.kind {
        CheckKind::Tcp => {
            toml.text("kind", "tcp");
            toml.pair("port", check.port);
        }
        CheckKind::Http {
            path,
            host,
            ok_codes,
        } => {
            toml.text("kind", "http");
            toml.pair("port", check.port);
            toml.text("path", path);
            if let Some(host) = host {
                toml.text("host", host);
            }
            toml.pair("ok-codes", list(ok_codes.iter().map(ToString::to_string)));
        }
    }
    toml.text("interval", &format!("{}s", check.interval_s));
    toml.text("timeout", &format!("{}ms", check.timeout_ms));
    toml.pair("up-after", check.up_after);
    toml.pair("down-after", check.down_after);
}

const fn state(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

fn pool(toml: &mut Toml, pool: &Pool) {
    toml.table("[[pools]]");
    toml.text("name", &pool.name);
    if let Some(up) = pool.state {
        toml.text("state", state(up));
    }
    match &pool.leaf {
        Leaf::Alias(name, _) => toml.text("cname", name),
        Leaf::Addresses { checks, v4, v6 } => {
            if !checks.is_empty() {
                toml.texts("checks", &checks.iter().collect::<Vec<_>>());
            }
            for (header, given) in [("[pools.ipv4]", v4), ("[pools.ipv6]", v6)] {
                if let Some(given) = given {
                    toml.table(header);
                    family(toml, given);
                }
            }
        }
    }
}

fn family(toml: &mut Toml, family: &Family) {
    let serve = match family.serve {
        Serve::All => "all",
        Serve::One => "one",
        Serve::First => "first",
    };
    toml.text("serve", serve);
    if let Some(share) = family.up_share_min {
        toml.pair("up-share-min", float(share));
    }
    let member = |member: &crate::gdnsd::Member| {
        let mut pairs = vec![("address".to_owned(), quoted(&member.address.to_string()))];
        if family.serve == Serve::One {
            pairs.push(("weight".to_owned(), member.weight.to_string()));
        }
        if let Some(up) = member.state {
            pairs.push(("state".to_owned(), quoted(state(up))));
        }
        inline(pairs.into_iter())
    };
    toml.lines("addresses", family.members.iter().map(member));
}

fn prefer(preference: &Preference, labels: &[String]) -> String {
    match preference {
        Preference::Nearest => quoted("nearest"),
        Preference::Labels(order) => list(order.iter().map(|at| quoted(&labels[*at]))),
    }
}

fn policy(toml: &mut Toml, policy: &Policy) {
    toml.table("[[policies]]");
    toml.text("name", &policy.name);
    toml.texts("labels", &policy.labels);
    toml.pair("default", prefer(&policy.default, &policy.labels));
    if let Some(max) = policy.nearest_max {
        toml.pair("nearest-max", max);
    }
    if policy.coordinates.iter().any(Option::is_some) {
        toml.table("[policies.coordinates]");
    }
    for (label, point) in policy.labels.iter().zip(&policy.coordinates) {
        if let Some((north, east)) = point {
            toml.pair(
                &quoted(label),
                list([float(*north), float(*east)].into_iter()),
            );
        }
    }
    for rule in &policy.rules {
        toml.table("[[policies.rules]]");
        if !rule.nets.is_empty() {
            toml.lines("nets", rule.nets.iter().map(|net| quoted(net)));
        }
        for (key, name) in ["continent", "country"].iter().zip(&rule.path) {
            toml.text(key, name);
        }
        if let Some(within) = rule.path.get(2..).filter(|within| !within.is_empty()) {
            toml.texts("within", within);
        }
        toml.pair("prefer", prefer(&rule.prefer, &policy.labels));
    }
}

fn service(toml: &mut Toml, service: &Service, plan: &Plan) {
    toml.table("[[services]]");
    toml.text("name", &service.name);
    toml.texts("domains", &service.domains);
    toml.text("ttl", &format!("{}s", service.ttl_s));
    let name = |pool: &usize| quoted(&plan.pools[*pool].name);
    let used: Vec<usize> = match &service.steering {
        Steering::Pools(pools) => pools.clone(),
        Steering::Policy { pools, .. } => pools.concat(),
    };
    let largest = used.iter().map(|pool| addresses(&plan.pools[*pool])).max();
    toml.pair(
        "addresses-max",
        largest.unwrap_or(ANSWER_MAX).max(ANSWER_MAX),
    );
    match &service.steering {
        Steering::Pools(pools) => toml.pair("prefer", list(pools.iter().map(name))),
        Steering::Policy {
            policy,
            pools,
            states,
        } => {
            let policy = &plan.policies[*policy];
            toml.text("policy", &policy.name);
            toml.table("[services.pools]");
            for (label, pools) in policy.labels.iter().zip(pools) {
                toml.pair(&quoted(label), list(pools.iter().map(name)));
            }
            let forced = policy.labels.iter().zip(states);
            let forced: Vec<_> = forced
                .filter_map(|(label, up)| Some((label, (*up)?)))
                .collect();
            if !forced.is_empty() {
                toml.table("[services.states]");
            }
            for (label, up) in forced {
                toml.text(&quoted(label), state(up));
            }
        }
    }
}

/// Most addresses of one family.
fn addresses(pool: &Pool) -> usize {
    match &pool.leaf {
        Leaf::Alias(..) => 0,
        Leaf::Addresses { v4, v6, .. } => {
            let families = v4.iter().chain(v6);
            families
                .map(|family| family.members.len())
                .max()
                .unwrap_or(0)
        }
    }
}
