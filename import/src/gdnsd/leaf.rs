//! Resources that hold addresses or a name themselves: multifo, simplefo, static, null, and what
//! all of them share.

use super::address::{Watch, address};
use super::checks::Services;
use super::family::{self, Draft, Family, Member, Serve, threshold};
use super::scope::Scope;
use super::states::States;
use super::weighted;
use crate::fault::{Faults, ImportError};
use crate::vscf::{Hash, Node, Value};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Context that leaves are read with.
pub(super) struct Context<'a> {
    pub(super) services: &'a Services,
    pub(super) states: &'a States,
    pub(super) faults: &'a mut Faults,
    /// The resource, for people.
    pub(super) name: &'a str,
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

/// Reason why a leaf cannot be read.
pub(super) enum LeafTrouble {
    Invalid(ImportError),
    /// Without counterpart.
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
        return Ok(fixed(node, context.name)?);
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
    }
    family::finish(drafts, context)
}

/// A single address or name.
///
/// # Errors
/// [`ImportError::Invalid`] for a name that does not end in a dot.
pub(super) fn fixed(node: &Node, what: &str) -> Result<Leaf, ImportError> {
    let text = node.text(what)?;
    match text.parse() {
        Ok(address) => Ok(always(&[address])),
        Err(_) if text.ends_with('.') => Ok(Leaf::Alias(text.to_owned(), None)),
        Err(_) => Err(node.wrong(
            what,
            &format!("must be an address or a name with a dot at its end, not {text:?}"),
        )),
    }
}

/// Returns what the null plugin answers.
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
