//! The file of static policies: checks, pools, policies, and services that follow them.

use super::section::Section;
use super::served::{self, Claimed};
use collectors::probe::{Check, CheckKind};
use coverage::Prefix;
use coverage::catalog::Zone;
use engine::policy::{
    At, Family, Member, Policies, Policy, Pool, PoolKind, Prefer, Rule, Serve, StaticService,
    Steering,
};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// Most addresses of one family in a pool.
const ADDRESSES_MAX: usize = 255;
/// Most that one family of a pool may weigh against each other: each has a 64th at least.
const WEIGHED_MAX: usize = 64;
/// Most labels of one policy.
const LABELS_MAX: usize = 1024;
/// Addresses of an answer where nothing is said: all that fit a datagram.
const ANSWER_MAX: u8 = 64;
/// IPv6 prefixes that areas tell apart.
const V6_BITS_MAX: u8 = 64;
/// Forced states.
const STATES: [(&str, bool); 2] = [("up", true), ("down", false)];

/// Reads the file.
pub(super) fn read(
    root: &Section<'_>,
    zones: &[Zone],
    claimed: &mut Claimed,
) -> (Policies, Vec<Check>) {
    let mut reader = Reader::default();
    let mut checks = Vec::new();
    for section in root.sections("checks") {
        let check = read_check(&section);
        reader.name(&section, Kind::Check, &check.name);
        reader.policies.checks.push(check.name.clone());
        checks.push(check);
        section.finish();
    }
    for section in root.sections("pools") {
        let pool = reader.pool(&section);
        reader.name(&section, Kind::Pool, &pool.name);
        reader.policies.pools.push(pool);
        section.finish();
    }
    for section in root.sections("policies") {
        let policy = read_policy(&section);
        reader.name(&section, Kind::Policy, &policy.name);
        reader.policies.policies.push(policy);
        section.finish();
    }
    for section in root.sections("services") {
        let served = served::read(&section, zones, claimed, ANSWER_MAX);
        if let Some(steering) = reader.steering(&section) {
            let service = StaticService { served, steering };
            reader.policies.services.push(service);
        }
        section.finish();
    }
    (reader.policies, checks)
}

/// Kinds of things that a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Check,
    Pool,
    Policy,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Pool => "pool",
            Self::Policy => "policy",
        }
    }
}

#[derive(Default)]
struct Reader {
    policies: Policies,
    names: BTreeMap<(Kind, String), usize>,
}

impl Reader {
    /// Takes the name of the next one of its kind.
    fn name(&mut self, section: &Section<'_>, kind: Kind, name: &str) {
        let next = match kind {
            Kind::Check => self.policies.checks.len(),
            Kind::Pool => self.policies.pools.len(),
            Kind::Policy => self.policies.policies.len(),
        };
        if self.names.insert((kind, name.to_owned()), next).is_some() {
            section.fault("name", format!("{name:?} is given to two of its kind"));
        }
    }

    /// The index behind a name, or why there is none.
    fn find(&self, kind: Kind, name: &str) -> Result<usize, String> {
        let known = self.names.get(&(kind, name.to_owned())).copied();
        known.ok_or_else(|| format!("there is no {} {name:?}", kind.word()))
    }

    fn all(&self, section: &Section<'_>, key: &'static str, kind: Kind) -> Vec<usize> {
        let one = |name: &String| {
            let found = self.find(kind, name);
            found.map_err(|fault| section.fault(key, fault)).ok()
        };
        section.texts(key).iter().filter_map(one).collect()
    }

    fn pool(&self, section: &Section<'_>) -> Pool {
        let families = (
            section.section("ipv4").map(read_family),
            section.section("ipv6").map(read_family),
        );
        let cname = section.text_or_none("cname");
        let kind = match (families, cname) {
            ((None, None), Some(name)) => PoolKind::Alias(served::absolute(&name)),
            ((ipv4, ipv6), cname) => {
                let any = ipv4.is_some() || ipv6.is_some();
                if any == cname.is_some() {
                    section.fault("", "give the pool `ipv4`, `ipv6` or both, or else `cname`");
                }
                PoolKind::Addresses { ipv4, ipv6 }
            }
        };
        Pool {
            name: section.name("name"),
            checks: self.all(section, "checks", Kind::Check),
            forced: read_state(section),
            kind,
        }
    }

    fn steering(&self, section: &Section<'_>) -> Option<Steering> {
        let by_label = section.texts_by_label("pools");
        let forced = section.choices_by_label("states", &STATES);
        let Some(name) = section.text_or_none("policy") else {
            let pools = self.all(section, "prefer", Kind::Pool);
            if pools.is_empty() {
                section.fault(
                    "prefer",
                    "give `prefer`, a list of pools, or `policy` and `pools`",
                );
            }
            if !by_label.is_empty() || !forced.is_empty() {
                section.fault("pools", "goes with `policy` alone");
            }
            return Some(Steering::Pools(pools));
        };
        if !section.texts("prefer").is_empty() {
            section.fault(
                "prefer",
                "does not go with `policy`: the policy says who is preferred",
            );
        }
        let found = self.find(Kind::Policy, &name);
        let policy = found.map_err(|fault| section.fault("policy", fault)).ok()?;
        let labels = &self.policies.policies[policy].labels;
        let index = |key: &str, label: &str| {
            let found = labels.iter().position(|known| known == label);
            if found.is_none() {
                section.label_fault(key, label, format!("policy {name:?} has no such label"));
            }
            found
        };
        let mut pools = vec![Vec::new(); labels.len()];
        for (label, names) in &by_label {
            let Some(at) = index("pools", label) else {
                continue;
            };
            for name in names {
                match self.find(Kind::Pool, name) {
                    Ok(pool) => pools[at].push(pool),
                    Err(fault) => section.label_fault("pools", label, fault),
                }
            }
        }
        for (label, pools) in labels.iter().zip(&pools) {
            if pools.is_empty() {
                section.fault("pools", format!("has no pool for label {label:?}"));
            }
        }
        let mut states = vec![None; labels.len()];
        for (label, state) in forced {
            if let Some(at) = index("states", label) {
                states[at] = Some(state);
            }
        }
        Some(Steering::Policy {
            policy,
            pools,
            states,
        })
    }
}

/// A forced state, if there is one.
fn read_state(section: &Section<'_>) -> Option<bool> {
    let words = STATES.map(|(word, up)| (word, Some(up)));
    section.choice("state", Some(None), &words).flatten()
}

fn read_check(section: &Section<'_>) -> Check {
    let seconds = |key, default| {
        let range = Duration::from_millis(100)..=Duration::from_secs(3600);
        section.span(key, Duration::from_secs(default), range)
    };
    let http = section.choice("kind", None, &[("tcp", false), ("http", true)]);
    let path = section.text_or_none("path");
    let host = section.text_or_none("host");
    let codes = section.wholes("ok-codes", 100..=599);
    let kind = if http == Some(true) {
        CheckKind::Http {
            path: path.unwrap_or_else(|| "/".into()),
            host,
            ok_codes: if codes.is_empty() { vec![200] } else { codes },
        }
    } else {
        if path.is_some() || host.is_some() || !codes.is_empty() {
            section.fault(
                "kind",
                "`path`, `host` and `ok-codes` go with kind \"http\" alone",
            );
        }
        CheckKind::Tcp
    };
    let port = section.whole("port", 0, 1..=65_535);
    if port == 0 {
        section.fault("port", "is missing");
    }
    Check {
        name: section.name("name"),
        kind,
        port: u16::try_from(port).unwrap_or(0),
        interval: seconds("interval", 10),
        timeout: seconds("timeout", 3),
        up_after: section.whole("up-after", 3, 1..=1000),
        down_after: section.whole("down-after", 3, 1..=1000),
    }
}

fn read_family<A: FromStr + Copy + Ord>(section: Section<'_>) -> Family<A> {
    let words = [
        ("all", Serve::All),
        ("one", Serve::One),
        ("first", Serve::First),
    ];
    let serve = section.choice("serve", Some(Serve::All), &words);
    let serve = serve.unwrap_or(Serve::All);
    let mut members: Vec<Member<A>> = Vec::new();
    for member in section.sections("addresses") {
        let text = member.text("address");
        match text.parse() {
            Ok(address) if members.iter().all(|known| known.address != address) => {
                members.push(Member {
                    address,
                    weight: member.whole("weight", 1, 0..=1_048_576),
                    forced: read_state(&member),
                });
            }
            Ok(_) => member.fault("address", format!("{text} is listed twice")),
            Err(_) => member.fault("address", format!("{text:?} is no address of this family")),
        }
        member.finish();
    }
    let max = if serve == Serve::One {
        WEIGHED_MAX
    } else {
        ADDRESSES_MAX
    };
    if members.is_empty() || members.len() > max {
        let message = format!("has {} addresses; give 1 to {max}", members.len());
        section.fault("addresses", message);
    }
    let family = Family {
        serve,
        up_share_min: section
            .number_or_none("up-share-min", 0.0..=1.0)
            .unwrap_or(0.5),
        members,
    };
    section.finish();
    family
}

fn read_policy(section: &Section<'_>) -> Policy {
    let labels = section.texts("labels");
    if labels.is_empty() || labels.len() > LABELS_MAX {
        let message = format!("has {} labels; give 1 to {LABELS_MAX}", labels.len());
        section.fault("labels", message);
    }
    if (1..labels.len()).any(|at| labels[..at].contains(&labels[at])) {
        section.fault("labels", "lists a label twice");
    }
    let mut coordinates = vec![None; labels.len()];
    for (label, point) in section.coordinates_by_label("coordinates") {
        match labels.iter().position(|known| known == label) {
            Some(at) => coordinates[at] = Some(point),
            None => section.label_fault("coordinates", label, "is not among `labels`"),
        }
    }
    let located = coordinates.iter().any(Option::is_some);
    let prefer = |section: &Section<'_>, key| read_prefer(section, key, &labels, located);
    let all = || (0..).take(labels.len()).collect();
    let mut policy = Policy {
        name: section.name("name"),
        default: prefer(section, "default").unwrap_or_else(|| Prefer::Labels(all())),
        nearest_max: section.whole("nearest-max", u32::MAX, 1..=u32::MAX) as usize,
        rules: Vec::new(),
        nets: Vec::new(),
        labels: labels.clone(),
        coordinates,
    };
    for rule in section.sections("rules") {
        let number = u32::try_from(policy.rules.len()).unwrap_or(u32::MAX);
        let nets: Vec<Prefix> = rule.list("nets");
        for net in &nets {
            if net.addr().is_ipv6() && net.bits() > V6_BITS_MAX {
                let message = format!(
                    "{net} is longer than /{V6_BITS_MAX}, the longest IPv6 prefix that is told apart"
                );
                rule.fault("nets", message);
            }
        }
        let at = read_at(&rule);
        if nets.is_empty() == (at == At::default()) {
            rule.fault("nets", "give the rule `nets` or a place, and not both");
        }
        match prefer(&rule, "prefer") {
            Some(prefer) => policy.rules.push(Rule {
                at,
                prefer,
                pinned: rule.flag("pinned", false),
            }),
            None => rule.fault("prefer", "is missing: give labels, or \"nearest\""),
        }
        policy
            .nets
            .extend(nets.into_iter().map(|net| (net, number)));
        rule.finish();
    }
    policy
}

fn read_at(section: &Section<'_>) -> At {
    let lower = |key| section.text_or_none(key).map(|text| text.to_lowercase());
    let asn = section.whole("asn", 0, 0..=u32::MAX);
    let names = section.texts("within");
    At {
        continent: lower("continent"),
        country: lower("country"),
        within: names.iter().map(|name| name.to_lowercase()).collect(),
        asn: (asn != 0).then_some(asn),
    }
}

/// `"nearest"`, or a list of labels; `None` when the key is missing or nothing in it can be used.
fn read_prefer(
    section: &Section<'_>,
    key: &'static str,
    labels: &[String],
    located: bool,
) -> Option<Prefer> {
    if section.is_text(key) {
        section.choice(key, None, &[("nearest", ())])?;
        if !located {
            section.fault(key, "\"nearest\" needs `coordinates` of at least one label");
        }
        return Some(Prefer::Nearest);
    }
    let mut order = Vec::new();
    for label in section.texts(key) {
        match labels.iter().position(|known| *known == label) {
            Some(at) => order.push(u16::try_from(at).unwrap_or(u16::MAX)),
            None => section.fault(key, format!("{label:?} is not among `labels`")),
        }
    }
    (!order.is_empty()).then_some(Prefer::Labels(order))
}
