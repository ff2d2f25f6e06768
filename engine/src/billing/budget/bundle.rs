//! Units taken together where there are too many to plan them one by one.
//!
//! A level is the load of many units, and which of two neighbours makes it matters little. Units
//! whose best links are the same, in the same order, become one: what it asks for is their sum, and
//! what a link is like for it their mean.

use super::{Outlook, Scene};
use coverage::LinkId;
use instance::{Instance, Shares, Unit};
use std::collections::BTreeMap;

/// Of how many of their best links units must agree to be taken together; the first that makes few
/// enough counts.
const AGREED: [usize; 5] = [12, 6, 4, 2, 1];
/// Weight of a unit that never asks for anything.
const WEIGHT_MIN: f64 = 1e-9;

/// Fewer units that ask for the same.
pub(super) struct Bundled {
    pub(super) instance: Instance,
    pub(super) scenes: Vec<Scene>,
}

/// The units of an outlook taken together, `None` when they make no more than `flows_max` flows as
/// they are. At most one unit per link is left, so that there may be more flows than that where
/// there are very many links.
pub(super) fn taken_together(outlook: &Outlook<'_>, flows_max: usize) -> Option<Bundled> {
    let units = &outlook.instance.units;
    let scenes = outlook.scenes.len().max(1);
    let fit = |width: usize| width.saturating_mul(scenes) <= flows_max;
    if fit(units.iter().map(width).sum()) {
        return None;
    }
    let ranked: Vec<Vec<LinkId>> = units.iter().map(Unit::ranked).collect();
    let mut groups = Vec::new();
    for agreed in AGREED {
        groups = grouped(&ranked, agreed);
        let widest = |group: &Vec<usize>| group.iter().map(|&unit| width(&units[unit])).max();
        if fit(groups.iter().filter_map(widest).sum()) {
            break;
        }
    }
    let weight = |unit: usize| {
        let scenes = outlook.scenes.iter();
        let asked: f64 = scenes
            .map(|scene| scene.slots * scene.demand_mbps[unit])
            .sum();
        asked + WEIGHT_MIN
    };
    let weights: Vec<f64> = (0..units.len()).map(weight).collect();
    let bundles: Vec<Unit> = groups
        .iter()
        .map(|group| bundle(units, group, &weights))
        .collect();
    let scene = |scene: &Scene| Scene {
        demand_mbps: groups
            .iter()
            .map(|group| group.iter().map(|&unit| scene.demand_mbps[unit]).sum())
            .collect(),
        ..*scene
    };
    Some(Bundled {
        scenes: outlook.scenes.iter().map(scene).collect(),
        instance: Instance {
            units: bundles.into(),
            ..outlook.instance.clone()
        },
    })
}

/// Flows that a unit has in one scene: its candidates, and what is unserved.
const fn width(unit: &Unit) -> usize {
    unit.cand.len() + 1
}

/// Units by their best links.
fn grouped(ranked: &[Vec<LinkId>], agreed: usize) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&[LinkId], Vec<usize>> = BTreeMap::new();
    for (unit, links) in ranked.iter().enumerate() {
        let best = &links[..agreed.min(links.len())];
        groups.entry(best).or_default().push(unit);
    }
    groups.into_values().collect()
}

/// One unit in the place of several: the links that most of their demand may use, as many as one of
/// them has.
fn bundle(units: &[Unit], group: &[usize], weights: &[f64]) -> Unit {
    // Link -> weight of those who may use it, and the sum of their ms by weight.
    let mut links: BTreeMap<LinkId, (f64, f64)> = BTreeMap::new();
    for &unit in group {
        for &(link, ms) in &units[unit].cand {
            let (weight, sum) = links.entry(link).or_default();
            *weight += weights[unit];
            *sum += weights[unit] * ms;
        }
    }
    let mut links: Vec<(LinkId, f64, f64)> = links
        .into_iter()
        .map(|(link, (weight, sum))| (link, weight, sum / weight))
        .collect();
    links.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.2.total_cmp(&b.2)));
    let most = group.iter().map(|&unit| units[unit].cand.len()).max();
    links.truncate(most.unwrap_or(0));
    Unit {
        cand: links.into_iter().map(|(link, _, ms)| (link, ms)).collect(),
        incumbent: Shares::new(),
        ..units[group[0]].clone()
    }
}
