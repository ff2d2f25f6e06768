//! One round of the method: flows and levels against prices, then prices against loads.

use super::program::Program;
use super::run::Run;
use super::{Level, simplex};

/// Rows that a candidate takes part in: its link, its site, its level.
const ROWS_PER_CANDIDATE: f64 = 3.0;

impl Program<'_> {
    /// One step of flows and levels against the prices, one step of prices against the extrapolated
    /// loads.
    pub(super) fn round(&self, run: &mut Run) {
        let before = run.primal.level.clone();
        self.step_levels(run);
        let levels = run.primal.level.iter().zip(&before);
        let level_ahead: Vec<f64> = levels.map(|(new, old)| ahead(*new, *old)).collect();
        let of_level = |(level, ahead): (&Level, &f64)| level.tokens * (ahead - level.max_mbps);
        let mut token_use: Vec<f64> = self
            .outlook
            .levels
            .iter()
            .zip(&level_ahead)
            .map(of_level)
            .collect();
        let mut link_load = vec![0.0; self.link_mbps.len()];
        for scene in 0..self.outlook.scenes.len() {
            self.step_flows(run, scene, &mut link_load);
            self.step_prices(run, scene, &link_load, &level_ahead, &mut token_use);
        }
        for (index, level) in self.outlook.levels.iter().enumerate() {
            let step = run.weight / (self.level_slots[index] + level.tokens).max(1.0);
            let token = &mut run.dual.token[index];
            *token = (*token + step * token_use[index]).max(0.0);
        }
        run.add();
    }

    /// Moves a scene's flows against the prices of its links; `load` becomes what links would carry
    /// one step ahead.
    fn step_flows(&self, run: &mut Run, scene: usize, load: &mut [f64]) {
        let [links, sites, contracts, width] = self.widths();
        let price = |link: usize| {
            run.dual.link[scene * links + link]
                + run.dual.site[scene * sites + self.site_of[link]]
                + run.dual.contract[scene * contracts + self.contract_of[link]]
        };
        let price: Vec<f64> = (0..links).map(price).collect();
        let pace = 1.0 / run.weight / ROWS_PER_CANDIDATE;
        load.fill(0.0);
        let flow = &mut run.primal.flow[scene * width..(scene + 1) * width];
        let mut moved = Vec::new();
        for (unit, &demand) in self.outlook.scenes[scene].demand_mbps.iter().enumerate() {
            let own = self.first[unit]..self.first[unit + 1];
            moved.clear();
            moved.extend(own.clone().map(|index| {
                let candidate = &self.candidates[index];
                let priced = candidate.cost + price.get(candidate.link).copied().unwrap_or(0.0);
                flow[index] - pace * priced
            }));
            simplex::project(&mut moved, demand);
            for (index, new) in own.zip(&moved) {
                if let Some(load) = load.get_mut(self.candidates[index].link) {
                    *load += ahead(*new, flow[index]);
                }
                flow[index] = *new;
            }
        }
    }

    /// Moves a scene's excesses and the prices of its rows.
    fn step_prices(
        &self,
        run: &mut Run,
        scene: usize,
        link_load: &[f64],
        level_ahead: &[f64],
        token_use: &mut [f64],
    ) {
        let [links, sites, contracts, _] = self.widths();
        let step = run.weight;
        let mut site_load = vec![0.0; sites];
        let mut contract_load = vec![0.0; contracts];
        for (link, load) in link_load.iter().enumerate() {
            site_load[self.site_of[link]] += load;
            contract_load[self.contract_of[link]] += load;
            let price = &mut run.dual.link[scene * links + link];
            *price = (*price + step / self.uses[0][link].max(1.0) * (load - self.link_mbps[link]))
                .max(0.0);
        }
        for (site, load) in site_load.iter().enumerate() {
            let price = &mut run.dual.site[scene * sites + site];
            *price = (*price + step / self.uses[1][site].max(1.0) * (load - self.site_mbps[site]))
                .max(0.0);
        }
        for (contract, load) in contract_load.iter().enumerate() {
            let index = scene * contracts + contract;
            let Some(level) = self.level_at[index] else {
                continue;
            };
            let before = run.primal.above[index];
            let gradient = run.dual.token[level] - run.dual.contract[index];
            let above = (before - gradient / 2.0 / run.weight)
                .clamp(0.0, self.outlook.levels[level].max_mbps);
            run.primal.above[index] = above;
            let above_ahead = ahead(above, before);
            let over = load - level_ahead[level] - above_ahead;
            let price = &mut run.dual.contract[index];
            *price = (*price + step / (self.uses[2][contract] + 2.0) * over).max(0.0);
            token_use[level] += self.outlook.scenes[scene].slots * above_ahead;
        }
    }

    fn step_levels(&self, run: &mut Run) {
        let pace = 1.0 / run.weight;
        let contracts = self.widths()[2];
        let mut worth: Vec<f64> = vec![0.0; self.outlook.levels.len()];
        for (scene_index, scene) in self.outlook.scenes.iter().enumerate() {
            for contract in 0..contracts {
                let index = scene_index * contracts + contract;
                if let Some(level) = self.level_at[index] {
                    worth[level] += scene.slots * run.dual.contract[index];
                }
            }
        }
        for (index, level) in self.outlook.levels.iter().enumerate() {
            let gradient =
                level.price_cny_per_mbps - worth[index] + level.tokens * run.dual.token[index];
            let step = pace / (self.level_slots[index] + level.tokens).max(1.0);
            let value = &mut run.primal.level[index];
            *value = (*value - step * gradient)
                .clamp(level.min_mbps.min(level.max_mbps), level.max_mbps);
        }
    }
}

/// One step beyond the new point, away from the old one.
fn ahead(new: f64, old: f64) -> f64 {
    2.0f64.mul_add(new, -old)
}
