//! State of the method: the present point, the mean since the last restart, the balance of
//! steps.

use super::Level;
use super::program::{Dual, Primal, Program};

/// Weight of the newest ratio of movements in the primal weight, in logarithms.
const WEIGHT_SMOOTHING: f64 = 0.5;
/// First primal weight, relative to what a level costs per slot over what a contract carries.
/// Prices have to grow to what a token is worth, which is twenty times that where one slot of
/// twenty is free.
const WEIGHT_START: f64 = 20.0;

/// State of the method.
pub(super) struct Run {
    pub(super) primal: Primal,
    pub(super) dual: Dual,
    pub(super) sum: (Primal, Dual),
    pub(super) summed: f64,
    /// Point at which the last restart began.
    origin: (Primal, Dual),
    /// Ratio of dual to primal steps (the primal weight).
    pub(super) weight: f64,
}

impl Run {
    pub(super) fn start(program: &Program<'_>) -> Self {
        let [links, sites, contracts, width] = program.widths();
        let outlook = program.outlook;
        let scenes = outlook.scenes.len();
        let mut flow = vec![0.0; scenes * width];
        let (mut demand, mut slots) = (0.0, 0.0);
        for (scene_index, scene) in outlook.scenes.iter().enumerate() {
            for (unit, mbps) in scene.demand_mbps.iter().enumerate() {
                flow[scene_index * width + program.first[unit]] = *mbps;
                demand += mbps * scene.slots;
            }
            slots += scene.slots;
        }
        let primal = Primal {
            flow,
            above: vec![0.0; scenes * contracts],
            level: outlook
                .levels
                .iter()
                .map(|level| level.min_mbps.min(level.max_mbps))
                .collect(),
        };
        let dual = Dual {
            link: vec![0.0; scenes * links],
            site: vec![0.0; scenes * sites],
            contract: vec![0.0; scenes * contracts],
            token: vec![0.0; outlook.levels.len()],
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers of units and levels are small"
        )]
        let per = |total: f64, parts: usize| total / (parts as f64).max(1.0);
        let per_slot = |(level, slots): (&Level, &f64)| level.price_cny_per_mbps / slots.max(1.0);
        let price: f64 = outlook
            .levels
            .iter()
            .zip(&program.level_slots)
            .map(per_slot)
            .sum();
        let price = per(price, outlook.levels.len()).max(1e-9);
        let mbps = per(demand / slots.max(1.0), contracts).max(1e-9);
        let zero = (scaled(&primal, 0.0), scaled_dual(&dual, 0.0));
        Self {
            origin: (primal.clone(), dual.clone()),
            primal,
            dual,
            sum: zero,
            summed: 0.0,
            weight: WEIGHT_START * price / mbps,
        }
    }

    pub(super) fn add(&mut self) {
        self.summed += 1.0;
        let pairs = parts(&mut self.sum.0, &mut self.sum.1)
            .into_iter()
            .zip(parts(&mut self.primal, &mut self.dual));
        for (sum, now) in pairs {
            for (sum, now) in sum.iter_mut().zip(now.iter()) {
                *sum += now;
            }
        }
    }

    pub(super) fn mean(&self) -> (Primal, Dual) {
        let part = 1.0 / self.summed.max(1.0);
        (scaled(&self.sum.0, part), scaled_dual(&self.sum.1, part))
    }

    /// Begins anew from the mean, with steps balanced by how far both sides went.
    pub(super) fn restart(&mut self, mean: (Primal, Dual)) {
        (self.primal, self.dual) = mean;
        let far = |now: &[&mut Vec<f64>], then: &[&mut Vec<f64>]| {
            let squares = |(a, b): (&&mut Vec<f64>, &&mut Vec<f64>)| {
                a.iter()
                    .zip(b.iter())
                    .map(|(a, b)| (a - b).powi(2))
                    .sum::<f64>()
            };
            now.iter().zip(then).map(squares).sum::<f64>().sqrt()
        };
        let now = parts(&mut self.primal, &mut self.dual);
        let then = parts(&mut self.origin.0, &mut self.origin.1);
        let (primal, dual) = (far(&now[..1], &then[..1]), far(&now[3..6], &then[3..6]));
        if primal > 1e-12 && dual > 1e-12 {
            let weight = WEIGHT_SMOOTHING * (dual / primal).ln()
                + (1.0 - WEIGHT_SMOOTHING) * self.weight.ln();
            self.weight = weight.exp();
        }
        self.origin = (self.primal.clone(), self.dual.clone());
        self.sum = (scaled(&self.primal, 0.0), scaled_dual(&self.dual, 0.0));
        self.summed = 0.0;
    }
}

/// All arrays of a point: flows, above, levels, then prices of links, sites, contracts, tokens.
const fn parts<'p>(primal: &'p mut Primal, dual: &'p mut Dual) -> [&'p mut Vec<f64>; 7] {
    [
        &mut primal.flow,
        &mut primal.above,
        &mut primal.level,
        &mut dual.link,
        &mut dual.site,
        &mut dual.contract,
        &mut dual.token,
    ]
}

fn times(values: &[f64], by: f64) -> Vec<f64> {
    values.iter().map(|value| value * by).collect()
}

fn scaled(primal: &Primal, by: f64) -> Primal {
    Primal {
        flow: times(&primal.flow, by),
        above: times(&primal.above, by),
        level: times(&primal.level, by),
    }
}

fn scaled_dual(dual: &Dual, by: f64) -> Dual {
    Dual {
        link: times(&dual.link, by),
        site: times(&dual.site, by),
        contract: times(&dual.contract, by),
        token: times(&dual.token, by),
    }
}
