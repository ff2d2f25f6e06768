//! Maps to policies.

use super::model::{Policy, Preference, Rule};
use super::steer::Unit;
use crate::fault::{Effect, Faults, Place};
use crate::gdnsd::{Map, Prefer, Trouble};
use std::collections::BTreeMap;

/// A map as a resource uses it.
pub(super) struct Expansion<'a> {
    pub(super) map: &'a Map,
    /// The resource, for people.
    pub(super) name: &'a str,
    /// [label]: what it stands for.
    pub(super) units: &'a [Unit<'a>],
    /// A list of the map's datacenters to labels.
    pub(super) expand: &'a dyn Fn(&[usize]) -> Vec<usize>,
    /// True when labels are the map's datacenters.
    pub(super) is_plain: bool,
    /// True when distances among the labels say the same as those among datacenters.
    pub(super) nearest_is_exact: bool,
}

/// A policy that gives everybody the same order.
pub(super) fn fixed(name: String, labels: Vec<String>) -> Policy {
    Policy {
        name,
        default: Preference::Labels((0..labels.len()).collect()),
        nearest_max: None,
        coordinates: vec![None; labels.len()],
        rules: Vec::new(),
        labels,
    }
}

/// The policy of a map.
///
/// # Errors
/// [`Trouble::Lost`] when the default would give nothing.
pub(super) fn of_map(
    name: String,
    expansion: &Expansion<'_>,
    faults: &mut Faults,
    place: &Place,
) -> Result<Policy, Trouble> {
    let map = expansion.map;
    let units = expansion.units;
    let mut lowering = Lowering {
        expansion,
        is_empty_somewhere: false,
        is_cut: false,
    };
    let Some(default) = lowering.prefer(&map.default) else {
        return Err(Trouble::Lost(format!(
            "{} defines none of the datacenters that map {} gives by default",
            expansion.name, map.name
        )));
    };
    let mut rules = Vec::new();
    for rule in &map.rules {
        let prefer = lowering
            .prefer(&rule.prefer)
            .unwrap_or_else(|| default.clone());
        rules.push(Rule {
            nets: Vec::new(),
            path: rule.path.clone(),
            prefer,
        });
    }
    let mut nets: BTreeMap<Preference, Vec<String>> = BTreeMap::new();
    for (net, list) in &map.nets {
        let prefer = lowering
            .prefer(&Prefer::List(list.clone()))
            .unwrap_or_else(|| default.clone());
        nets.entry(prefer).or_default().push(net.to_string());
    }
    rules.extend(nets.into_iter().map(|(prefer, nets)| Rule {
        nets,
        path: Vec::new(),
        prefer,
    }));
    lowering.note(faults, place);
    let located = |unit: &Unit<'_>| unit.by_map.and_then(|at| map.coordinates[at]);
    Ok(Policy {
        name,
        labels: units.iter().map(|unit| unit.label.clone()).collect(),
        default,
        nearest_max: map
            .nearest_max
            .filter(|_| map.coordinates.iter().any(Option::is_some)),
        coordinates: units.iter().map(located).collect(),
        rules,
    })
}

/// Lists of the map to orders of labels, and what is lost on the way.
struct Lowering<'a> {
    expansion: &'a Expansion<'a>,
    /// True when some list defines no label.
    is_empty_somewhere: bool,
    /// True when an order by distance is not quite the same.
    is_cut: bool,
}

impl Lowering<'_> {
    /// `None` for nobody at all.
    fn prefer(&mut self, prefer: &Prefer) -> Option<Preference> {
        let expansion = self.expansion;
        let list = match prefer {
            Prefer::List(list) => (expansion.expand)(list),
            Prefer::Nearest => {
                let all: Vec<usize> = (0..expansion.map.datacenters.len()).collect();
                let whole = (expansion.expand)(&all);
                self.is_cut |= !expansion.nearest_is_exact;
                // Labels by distance come first, or nothing can be said by distance.
                let leads = whole
                    .first()
                    .is_some_and(|first| expansion.units[*first].by_map.is_some());
                if leads {
                    return Some(Preference::Nearest);
                }
                whole
            }
        };
        self.is_empty_somewhere |= list.is_empty();
        (!list.is_empty()).then_some(Preference::Labels(list))
    }

    fn note(&self, faults: &mut Faults, place: &Place) {
        let expansion = self.expansion;
        let what = || format!("{} with map {}", expansion.name, expansion.map.name);
        if self.is_empty_somewhere {
            let why = "some places get only datacenters that it does not define, so no answer; here they get the map's default";
            faults.add(place, Effect::Lost, what(), why);
        }
        if self.is_cut && !expansion.is_plain {
            let why = "an order by distance holds located datacenters alone: what comes before or behind it, skip_first, and \
                       undefined datacenters that count for auto_dc_limit, are not carried over for it";
            faults.add(place, Effect::Lost, what(), why);
        }
    }
}
