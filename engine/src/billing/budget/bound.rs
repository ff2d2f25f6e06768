//! Bound that no plan can go below: the Lagrangian value of any prices.

use super::program::{Dual, Program};

/// The bound of `dual` as it is, or with its prices of levels made consistent, whichever is higher.
/// CNY.
pub(super) fn lower(program: &Program<'_>, dual: &Dual) -> f64 {
    value(program, dual).max(value(program, &consistent(program, dual)))
}

/// Prices below a level never above the price of going above it, and together never more than the
/// level itself costs: else the value would take the largest level or the largest excess, far from
/// any plan.
fn consistent(program: &Program<'_>, dual: &Dual) -> Dual {
    let mut dual = dual.clone();
    let contracts = program.widths()[2];
    let levels = &program.outlook.levels;
    let mut worth = vec![0.0; levels.len()];
    for (scene_index, scene) in program.outlook.scenes.iter().enumerate() {
        for index in scene_index * contracts..(scene_index + 1) * contracts {
            match program.level_at[index] {
                Some(level) if levels[level].tokens > 0.0 => {
                    dual.contract[index] = dual.contract[index].min(dual.token[level]);
                }
                Some(_) => {}
                None => dual.contract[index] = 0.0,
            }
            if let Some(level) = program.level_at[index] {
                worth[level] += scene.slots * dual.contract[index];
            }
        }
    }
    for (index, price) in dual.contract.iter_mut().enumerate() {
        if let Some(level) = program.level_at[index] {
            let most = levels[level].price_cny_per_mbps + levels[level].tokens * dual.token[level];
            if worth[level] > most {
                *price *= most / worth[level];
            }
        }
    }
    dual
}

/// The Lagrangian function at these prices, minimized over flows, excesses and levels.
fn value(program: &Program<'_>, dual: &Dual) -> f64 {
    let [links, sites, contracts, _] = program.widths();
    let levels = &program.outlook.levels;
    let mut total = 0.0;
    let mut worth = vec![0.0; levels.len()];
    for (scene_index, scene) in program.outlook.scenes.iter().enumerate() {
        let (link_dual, site_dual) = (
            &dual.link[scene_index * links..],
            &dual.site[scene_index * sites..],
        );
        let contract_dual = &dual.contract[scene_index * contracts..(scene_index + 1) * contracts];
        let price = |link: usize| {
            let held =
                program.level_at[scene_index * contracts + program.contract_of[link]].is_some();
            let contract = if held {
                contract_dual[program.contract_of[link]]
            } else {
                0.0
            };
            link_dual[link] + site_dual[program.site_of[link]] + contract
        };
        let prices: Vec<f64> = (0..links).map(price).collect();
        let mut slot = 0.0;
        for (unit, demand) in scene.demand_mbps.iter().enumerate() {
            let own = &program.candidates[program.first[unit]..program.first[unit + 1]];
            let cheapest = own
                .iter()
                .map(|candidate| {
                    candidate.cost + prices.get(candidate.link).copied().unwrap_or(0.0)
                })
                .fold(f64::INFINITY, f64::min);
            slot += demand * cheapest;
        }
        slot -= (0..links)
            .map(|link| link_dual[link] * program.link_mbps[link])
            .sum::<f64>();
        slot -= (0..sites)
            .map(|site| site_dual[site] * program.site_mbps[site])
            .sum::<f64>();
        for (contract, price) in contract_dual.iter().enumerate() {
            if let Some(level) = program.level_at[scene_index * contracts + contract] {
                worth[level] += scene.slots * price;
                // Excess pays when the price below the level is above that of a token; there is a
                // largest one.
                slot += (dual.token[level] - price).min(0.0) * levels[level].max_mbps;
            }
        }
        total += scene.slots * slot;
    }
    for (index, level) in levels.iter().enumerate() {
        let least_mbps = level.min_mbps.min(level.max_mbps);
        let slope = level.price_cny_per_mbps - worth[index] + level.tokens * dual.token[index];
        let mbps = if slope >= 0.0 {
            least_mbps
        } else {
            level.max_mbps
        };
        total += slope * mbps - level.tokens * dual.token[index] * level.max_mbps;
    }
    total
}
