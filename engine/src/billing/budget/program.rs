//! The program in arrays.
//!
//! Rows of a scene are scaled by its slots. Prices are then per slot, and all scenes move at the
//! same pace.

use super::outlook::Outlook;
use std::collections::BTreeMap;

/// Candidate of a unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Index of the link; `usize::MAX`: unserved.
    pub(super) link: usize,
    /// CNY per Mbps and slot: latency and volume, or what being unserved costs.
    pub(super) cost: f64,
}

/// The program in arrays. Prices and loads are `[scene × rows]`, flows `[scene × candidates]`.
pub(super) struct Program<'a> {
    pub(super) outlook: &'a Outlook<'a>,
    pub(super) candidates: Vec<Candidate>,
    /// `[unit]` -> first candidate, and one more entry.
    pub(super) first: Vec<usize>,
    /// `[link]` -> capacity, Mbps.
    pub(super) link_mbps: Vec<f64>,
    /// `[link]` -> site.
    pub(super) site_of: Vec<usize>,
    /// `[site]` -> capacity, Mbps.
    pub(super) site_mbps: Vec<f64>,
    /// `[link]` -> contract.
    pub(super) contract_of: Vec<usize>,
    /// `[scene × contract]` -> level that holds there.
    pub(super) level_at: Vec<Option<usize>>,
    /// `[level]` -> slots of its scenes.
    pub(super) level_slots: Vec<f64>,
    /// Candidates per link, site and contract, for steps.
    pub(super) uses: [Vec<f64>; 3],
}

/// Flows, what goes above levels, and levels.
#[derive(Clone)]
pub(super) struct Primal {
    pub(super) flow: Vec<f64>,
    /// `[scene × contract]`.
    pub(super) above: Vec<f64>,
    pub(super) level: Vec<f64>,
}

/// Prices per Mbps and slot.
#[derive(Clone)]
pub(super) struct Dual {
    /// `[scene × link]`.
    pub(super) link: Vec<f64>,
    /// `[scene × site]`.
    pub(super) site: Vec<f64>,
    /// `[scene × contract]`: of being below the level.
    pub(super) contract: Vec<f64>,
    /// `[level]`: of going above it.
    pub(super) token: Vec<f64>,
}

impl<'a> Program<'a> {
    pub(super) fn new(outlook: &'a Outlook<'a>) -> Self {
        let instance = outlook.instance;
        let site_index = index(instance.sites.iter().map(|site| site.id.as_str()));
        let contract_index = index(
            instance
                .contracts
                .iter()
                .map(|contract| contract.id.as_str()),
        );
        let place = |of: &BTreeMap<&str, usize>, id: &str| of.get(id).copied().unwrap_or(0);
        let site_of: Vec<usize> = instance
            .links
            .iter()
            .map(|link| place(&site_index, &link.site))
            .collect();
        let contract_of: Vec<usize> = instance
            .links
            .iter()
            .map(|link| place(&contract_index, &link.contract))
            .collect();
        let mut candidates = Vec::new();
        let mut first = vec![0];
        for unit in &instance.units {
            candidates.extend(unit.cand.iter().map(|&(link, ms)| Candidate {
                link: link.index(),
                cost: instance.value_cny_per_gbps_ms_slot * ms / 1000.0
                    + outlook.volume_cny_per_mbps[contract_of[link.index()]],
            }));
            candidates.push(Candidate {
                link: usize::MAX,
                cost: outlook.unserved_cny_per_mbps,
            });
            first.push(candidates.len());
        }
        let mut uses = [
            vec![0.0; instance.links.len()],
            vec![0.0; instance.sites.len()],
            vec![0.0; instance.contracts.len()],
        ];
        for candidate in candidates
            .iter()
            .filter(|candidate| candidate.link != usize::MAX)
        {
            uses[0][candidate.link] += 1.0;
            uses[1][site_of[candidate.link]] += 1.0;
            uses[2][contract_of[candidate.link]] += 1.0;
        }
        let (level_at, level_slots) = place_levels(outlook);
        Self {
            outlook,
            candidates,
            first,
            link_mbps: instance
                .links
                .iter()
                .map(|link| link.watermark_mbps().min(link.capacity_mbps))
                .collect(),
            site_of,
            site_mbps: instance
                .sites
                .iter()
                .map(|site| site.watermark_mbps().min(site.capacity_mbps))
                .collect(),
            contract_of,
            level_at,
            level_slots,
            uses,
        }
    }

    /// Links, sites, contracts, candidates.
    pub(super) const fn widths(&self) -> [usize; 4] {
        [
            self.link_mbps.len(),
            self.site_mbps.len(),
            self.uses[2].len(),
            self.candidates.len(),
        ]
    }
}

/// Finds the level that holds at each place, and the slots of each level.
fn place_levels(outlook: &Outlook<'_>) -> (Vec<Option<usize>>, Vec<f64>) {
    let contracts = outlook.instance.contracts.len();
    let mut level_at = vec![None; outlook.scenes.len() * contracts];
    let mut level_slots = vec![0.0; outlook.levels.len()];
    for (index, level) in outlook.levels.iter().enumerate() {
        for (scene_index, scene) in outlook.scenes.iter().enumerate() {
            if level.day.is_none_or(|day| day == scene.day) {
                level_at[scene_index * contracts + level.contract] = Some(index);
                level_slots[index] += scene.slots;
            }
        }
    }
    (level_at, level_slots)
}

/// Name -> place.
fn index<'i>(ids: impl Iterator<Item = &'i str>) -> BTreeMap<&'i str, usize> {
    ids.enumerate().map(|(index, id)| (id, index)).collect()
}
