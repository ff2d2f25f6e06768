//! The weighted plugin: draws among addresses, groups of addresses, or names.

use super::address::{Watch, address};
use super::family::{Draft, Serve, threshold};
use super::leaf::{Context, Leaf, LeafPlugin, LeafTrouble};
use super::scope::Scope;
use crate::fault::{Effect, ImportError};
use crate::vscf::{Entry, Node, Value};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Content of a family, or of a resource without families.
pub(super) enum Read<'a> {
    Addresses(Draft<'a>),
    Alias(Leaf),
}

/// Largest weight.
const WEIGHT_MAX: u32 = (1 << 20) - 1;

/// Reads a family.
pub(super) fn read<'a>(
    node: &'a Node,
    scope: &Scope<'a>,
    context: &mut Context<'_>,
) -> Result<Read<'a>, LeafTrouble> {
    let hash = node.hash(context.name)?;
    let own = |entry: &&Entry| !LeafPlugin::Weighted.options().contains(&entry.key.as_str());
    let entries: Vec<&Entry> = hash.entries.iter().filter(own).collect();
    let watch = Watch::read(scope, context.services)?;
    if let Some(alias) = alias(&entries, &watch, context)? {
        return Ok(Read::Alias(alias));
    }
    let mut groups = Vec::new();
    for entry in &entries {
        groups.push(match &entry.node.value {
            Value::Hash(group) => group
                .entries
                .iter()
                .map(item)
                .collect::<Result<Vec<_>, _>>()?,
            _ => vec![item(entry)?],
        });
    }
    let (serve, exact) = serve(&groups, scope.truth("multi")?);
    if !exact {
        let why = match serve {
            Serve::All => {
                "all addresses that are up are given, where gdnsd leaves some out by chance"
            }
            _ => {
                "one address is drawn by its weight among all groups, where gdnsd gives several of one group"
            }
        };
        context
            .faults
            .add(&node.place, Effect::Changed, context.name, why);
    }
    Ok(Read::Addresses(Draft {
        serve,
        up_thresh: Some(threshold(scope)?),
        watch,
        members: groups.into_iter().flatten().collect(),
        ignores_health: false,
    }))
}

/// Tells how a set of groups is served, and whether that is exactly what gdnsd does.
fn serve(groups: &[Vec<(&Node, IpAddr, u32)>], multi: bool) -> (Serve, bool) {
    let weights = || groups.iter().flatten().map(|(_, _, weight)| weight);
    let same = weights().collect::<BTreeSet<_>>().len() <= 1;
    let single_members = groups.iter().all(|group| group.len() == 1);
    match (multi, single_members, groups.len()) {
        // One group: the draw among groups is none, and within the group the rule is the other one.
        (false, false, 1) => (Serve::All, same),
        (true, false, 1) => (Serve::One, true),
        (false, true, _) => (Serve::One, true),
        // Everything with the greatest weight is given, the rest by chance.
        (true, true, _) => (Serve::All, same),
        (false, false, _) => (Serve::One, false),
        (true, false, _) => (Serve::All, false),
    }
}

/// `label => [ address, weight ]`.
fn item(entry: &Entry) -> Result<(&Node, IpAddr, u32), ImportError> {
    let (node, weight) = pair(entry)?;
    Ok((node, address(node)?, weight))
}

fn pair(entry: &Entry) -> Result<(&Node, u32), ImportError> {
    let wrong = || {
        let why = format!("must be [ ADDRESS, WEIGHT ] with a weight from 1 to {WEIGHT_MAX}");
        entry.node.wrong(&entry.key, &why)
    };
    let Value::List(items) = &entry.node.value else {
        return Err(wrong());
    };
    let [node, weight] = items.as_slice() else {
        return Err(wrong());
    };
    let weight: u32 = weight.parsed("a weight", "a whole number")?;
    if !(1..=WEIGHT_MAX).contains(&weight) {
        return Err(wrong());
    }
    Ok((node, weight))
}

/// The resource as another name, when its entries are names.
fn alias(
    entries: &[&Entry],
    watch: &Watch<'_>,
    context: &mut Context<'_>,
) -> Result<Option<Leaf>, LeafTrouble> {
    let is_name = |entry: &&Entry| match &entry.node.value {
        Value::List(items) => {
            let text = items.first().and_then(|node| node.text("an address").ok());
            text.is_some_and(|text| text.parse::<IpAddr>().is_err() && text.ends_with('.'))
        }
        _ => false,
    };
    if !entries.iter().any(is_name) {
        return Ok(None);
    }
    let [entry] = entries else {
        let why = format!(
            "{} draws by weight among names; only addresses can be drawn",
            context.name
        );
        return Err(LeafTrouble::Lost(why));
    };
    let (node, _) = pair(entry)?;
    let name = node.text(context.name)?.to_owned();
    let state = watch.state(
        &name,
        &node.place,
        &BTreeSet::new(),
        context.services,
        context.states,
        context.faults,
    );
    Ok(Some(Leaf::Alias(name, state)))
}
