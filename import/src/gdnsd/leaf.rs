//! Resources that hold addresses or a name themselves: multifo, simplefo, static, null, and what all of them share.

use super::address::{Watch, address};
use super::checks::Services;
use super::scope::Scope;
use super::states::States;
use super::weighted;
use crate::fault::{Effect, Faults, ImportError};
use crate::vscf::{Hash, Node, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many addresses are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serve {
    All,
    One,
    First,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) address: IpAddr,
    pub(crate) weight: u32,
    /// State whatever checks say.
    pub(crate) state: Option<bool>,
}

/// The addresses of one family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    pub(crate) serve: Serve,
    /// Share that must be up; `None` where one is enough.
    pub(crate) up_share_min: Option<f64>,
    pub(crate) members: Vec<Member>,
}

/// A resource without resources below it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Leaf {
    Addresses {
        checks: BTreeSet<String>,
        v4: Option<Family>,
        v6: Option<Family>,
    },
    /// Another name, with a forced state.
    Alias(String, Option<bool>),
}

/// What leaves are read with.
pub(super) struct Context<'a> {
    pub(super) services: &'a Services,
    pub(super) states: &'a States,
    pub(super) faults: &'a mut Faults,
    /// The resource, for people.
    pub(super) name: &'a str,
}

/// One family before its states are known.
pub(super) struct Draft<'a> {
    pub(super) serve: Serve,
    /// The threshold, where there is one.
    pub(super) up_thresh: Option<f64>,
    pub(super) watch: Watch<'a>,
    /// Addresses with their weights.
    pub(super) members: Vec<(&'a Node, IpAddr, u32)>,
    /// Whether states count for the threshold alone.
    pub(super) ignores_health: bool,
}

/// The kinds of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeafPlugin {
    Multifo,
    Weighted,
    Simplefo,
    Static,
}

impl LeafPlugin {
    /// The plugin of a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "multifo" => Some(Self::Multifo),
            "weighted" => Some(Self::Weighted),
            "simplefo" => Some(Self::Simplefo),
            "static" => Some(Self::Static),
            _ => None,
        }
    }

    /// Keys that are no resources, and no addresses of one.
    pub(super) const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Multifo => &["service_types", "up_thresh", "ignore_health", "plugin"],
            Self::Weighted => &["service_types", "up_thresh", "multi", "plugin"],
            Self::Simplefo => &["service_types", "plugin"],
            Self::Static => &[],
        }
    }
}

/// Why a leaf cannot be read.
pub(super) enum LeafTrouble {
    Invalid(ImportError),
    /// It has no counterpart.
    Lost(String),
}

impl From<ImportError> for LeafTrouble {
    fn from(error: ImportError) -> Self {
        Self::Invalid(error)
    }
}

/// Reads a leaf. `outer` are hashes whose options it inherits.
pub(super) fn read(
    plugin: LeafPlugin,
    node: &Node,
    outer: &Scope<'_>,
    context: &mut Context<'_>,
) -> Result<Leaf, LeafTrouble> {
    if plugin == LeafPlugin::Static {
        return Ok(fixed(node.text(context.name)?));
    }
    let hash = match &node.value {
        Value::Hash(hash) => Some(hash),
        _ => None,
    };
    let scope = outer.with(hash);
    let keys = ["addrs_v4", "addrs_v6"];
    let families: Vec<&Node> = keys.iter().filter_map(|key| hash?.get(key)).collect();
    if families.is_empty() {
        return one(plugin, &[node], &scope, context);
    }
    let strange = hash
        .into_iter()
        .flat_map(|hash| &hash.entries)
        .find(|entry| {
            let key = entry.key.as_str();
            !keys.contains(&key) && !plugin.options().contains(&key)
        });
    match strange {
        Some(entry) => {
            let why = format!("{:?} stands beside addrs_v4 or addrs_v6", entry.key);
            Err(ImportError::invalid(&entry.place, why).into())
        }
        None => one(plugin, &families, &scope, context),
    }
}

/// Reads the families of one leaf.
fn one(
    plugin: LeafPlugin,
    nodes: &[&Node],
    scope: &Scope<'_>,
    context: &mut Context<'_>,
) -> Result<Leaf, LeafTrouble> {
    let mut drafts = Vec::new();
    for node in nodes {
        let inner = match &node.value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        };
        let scope = scope.with(inner);
        match plugin {
            LeafPlugin::Weighted => match weighted::read(node, &scope, context)? {
                weighted::Read::Addresses(draft) => drafts.push(draft),
                weighted::Read::Alias(alias) => return Ok(alias),
            },
            LeafPlugin::Simplefo => drafts.push(simplefo(node, &scope, context)?),
            _ => drafts.push(multifo(node, &scope, context)?),
        }
        // The draft borrows from the nodes, never from this scope.
    }
    finish(drafts, context)
}

/// A single address or name.
pub(super) fn fixed(text: &str) -> Leaf {
    match text.parse() {
        Ok(address) => always(&[address]),
        Err(_) => Leaf::Alias(text.to_owned(), None),
    }
}

/// What the null plugin answers.
pub(super) fn null() -> Leaf {
    always(&[Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()])
}

/// Addresses that are given whatever happens.
fn always(addresses: &[IpAddr]) -> Leaf {
    let family = |is_v6: bool| {
        let members = addresses
            .iter()
            .filter(|address| address.is_ipv6() == is_v6);
        let members: Vec<Member> = members
            .map(|address| Member {
                address: *address,
                weight: 1,
                state: None,
            })
            .collect();
        (!members.is_empty()).then_some(Family {
            serve: Serve::All,
            up_share_min: None,
            members,
        })
    };
    Leaf::Addresses {
        checks: BTreeSet::new(),
        v4: family(false),
        v6: family(true),
    }
}

/// Share of what must be up where nothing is said.
const UP_THRESH: f64 = 0.5;

/// The threshold of a scope.
pub(super) fn threshold(scope: &Scope<'_>) -> Result<f64, ImportError> {
    let Some(node) = scope.get("up_thresh") else {
        return Ok(UP_THRESH);
    };
    let value: f64 = node.parsed("up_thresh", "a number")?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err(node.wrong("up_thresh", "must be above 0 and at most 1"))
    }
}

fn multifo<'a>(
    node: &'a Node,
    scope: &Scope<'a>,
    context: &Context<'_>,
) -> Result<Draft<'a>, ImportError> {
    let nodes: Vec<&Node> = match &node.value {
        Value::Hash(hash) => values(hash, LeafPlugin::Multifo),
        Value::List(items) => items.iter().collect(),
        Value::Text(_) => vec![node],
    };
    let member = |node: &'a Node| Ok((node, address(node)?, 1));
    let members: Result<_, ImportError> = nodes.into_iter().map(member).collect();
    Ok(Draft {
        serve: Serve::All,
        up_thresh: Some(threshold(scope)?),
        watch: Watch::read(scope, context.services)?,
        members: members?,
        ignores_health: scope.truth("ignore_health")?,
    })
}

/// The values of a hash that are no options.
fn values(hash: &Hash, plugin: LeafPlugin) -> Vec<&Node> {
    let entries = hash.entries.iter();
    let own = entries.filter(|entry| !plugin.options().contains(&entry.key.as_str()));
    own.map(|entry| &entry.node).collect()
}

fn simplefo<'a>(
    node: &'a Node,
    scope: &Scope<'a>,
    context: &Context<'_>,
) -> Result<Draft<'a>, ImportError> {
    let hash = node.hash(context.name)?;
    let mut members = Vec::new();
    for key in ["primary", "secondary"] {
        let Some(node) = hash.get(key) else {
            return Err(node.wrong(context.name, &format!("has no {key}")));
        };
        members.push((node, address(node)?, 1));
    }
    Ok(Draft {
        serve: Serve::First,
        up_thresh: None,
        watch: Watch::read(scope, context.services)?,
        members,
        ignores_health: false,
    })
}

/// Most addresses of a family in a pool; of a weighted one.
const MEMBERS_MAX: usize = 255;
const WEIGHED_MAX: usize = 64;

/// Puts the families together and fixes states.
fn finish(drafts: Vec<Draft<'_>>, context: &mut Context<'_>) -> Result<Leaf, LeafTrouble> {
    let checks: BTreeSet<String> = drafts
        .iter()
        .flat_map(|draft| draft.watch.checks.iter().cloned())
        .collect();
    let (mut v4, mut v6) = (None, None);
    for draft in &drafts {
        for (is_v6, slot) in [(false, &mut v4), (true, &mut v6)] {
            if let Some(family) = family(draft, is_v6, &checks, context)? {
                *slot = Some(family);
            }
        }
    }
    if v4.is_none() && v6.is_none() {
        return Err(LeafTrouble::Lost(format!(
            "{} has no address",
            context.name
        )));
    }
    Ok(Leaf::Addresses { checks, v4, v6 })
}

fn family(
    draft: &Draft<'_>,
    is_v6: bool,
    checks: &BTreeSet<String>,
    context: &mut Context<'_>,
) -> Result<Option<Family>, LeafTrouble> {
    let mut members: Vec<Member> = Vec::new();
    let mut at: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut total = 0_u32;
    for (node, address, weight) in draft
        .members
        .iter()
        .filter(|(_, address, _)| address.is_ipv6() == is_v6)
    {
        let state = draft.watch.state(
            node,
            checks,
            context.services,
            context.states,
            context.faults,
        )?;
        total = total.saturating_add(*weight);
        if let Some(known) = at.get(address) {
            if draft.serve == Serve::One {
                // Two chances of one address are one chance with both weights.
                members[*known].weight = members[*known].weight.saturating_add(*weight);
            } else {
                let what = format!("{} {address}", context.name);
                let why = "is listed twice and counts once, also for up_thresh";
                context.faults.add(&node.place, Effect::Changed, what, why);
                total -= weight;
            }
            continue;
        }
        at.insert(*address, members.len());
        members.push(Member {
            address: *address,
            weight: *weight,
            state,
        });
    }
    let max = if draft.serve == Serve::One {
        WEIGHED_MAX
    } else {
        MEMBERS_MAX
    };
    if members.len() > max {
        let why = format!(
            "{} has {} addresses of one family, and a pool can have {max}",
            context.name,
            members.len()
        );
        return Err(LeafTrouble::Lost(why));
    }
    if members.is_empty() {
        return Ok(None);
    }
    let shares = if draft.serve == Serve::One {
        total
    } else {
        members.len().try_into().unwrap_or(u32::MAX)
    };
    note_ignored_health(draft, &members, checks, shares, context);
    Ok(Some(Family {
        serve: draft.serve,
        up_share_min: draft.up_thresh.map(|thresh| share(thresh, shares)),
        members,
    }))
}

/// Whoever ignores health gives addresses that are down, too; a pool does so only below its threshold.
fn note_ignored_health(
    draft: &Draft<'_>,
    members: &[Member],
    checks: &BTreeSet<String>,
    total: u32,
    context: &mut Context<'_>,
) {
    let may_be_down = members.iter().any(|member| match member.state {
        Some(up) => !up,
        None => !checks.is_empty(),
    });
    let all_needed = needed(draft.up_thresh.unwrap_or(1.0), total) >= f64::from(total);
    if let Some((node, ..)) = draft.members.first()
        && draft.ignores_health
        && may_be_down
        && !all_needed
    {
        let what = format!("{} ignore_health", context.name);
        let why = "addresses that are down are left out while enough others are up";
        context.faults.add(&node.place, Effect::Changed, what, why);
    }
}

/// How much must be up, as gdnsd counts.
fn needed(thresh: f64, total: u32) -> f64 {
    (thresh * f64::from(total)).ceil()
}

/// The share with which Watershed needs exactly as much to be up as gdnsd does: the threshold itself, unless their ways of
/// rounding its product with the total differ.
fn share(thresh: f64, total: u32) -> f64 {
    let need = needed(thresh, total);
    // Watershed forgives the last bits of a product.
    let ours = thresh.mul_add(f64::from(total), -1e-9).ceil();
    if (ours - need).abs() < 0.5 {
        thresh
    } else {
        (need - 0.5) / f64::from(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_as_much_must_be_up(hundredths in 1_u32..=100, total in 1_u32..100_000) {
            let thresh = f64::from(hundredths) / 100.0;
            let share = share(thresh, total);
            let need = needed(thresh, total);
            let enough = |up: f64| up >= share * f64::from(total) - 1e-9;
            prop_assert!(enough(need) && !enough(need - 1.0), "{thresh} of {total}: {need}, {share}");
        }
    }
}
