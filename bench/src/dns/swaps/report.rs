//! Report of swaps, for people and for programs.

use super::SwapRound;
use crate::accounting::count;
use crate::dns::compare::{Measured, Plan};
use crate::dns::report::{Figures, figures_table, median};
use serde::Serialize;
use std::fmt::Write as _;

/// The experiment, as `--json` writes it.
#[derive(Debug, Serialize)]
pub struct SwapReport {
    /// Course of the measurement.
    pub plan: Plan,
    /// Without swaps.
    pub still: Side,
    /// With swaps.
    pub swapped: Side,
    /// Swaps that the edge made in a second, median of the rounds.
    pub swaps_per_s: f64,
    /// Share of answers of the second generation while maps were swapped, 0 to 1.
    pub upper_share: f64,
    /// Answers per second with swaps divided by those without, median of the rounds.
    pub qps_ratio: f64,
}

/// One side of the experiment.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Each round.
    pub rounds: Vec<Figures>,
    /// Median of each figure.
    pub median: Figures,
    /// Correct answers.
    pub answers: u64,
    /// Questions without an answer in time.
    pub lost: u64,
    /// Answers that were not the right ones.
    pub wrong: u64,
}

impl Side {
    /// Sums up one side.
    fn new<'a>(rounds: impl Iterator<Item = &'a Measured>) -> Self {
        let mut side = Self {
            rounds: Vec::new(),
            median: Figures::median(&[]),
            answers: 0,
            lost: 0,
            wrong: 0,
        };
        for measured in rounds {
            side.rounds.push(Figures::new(measured));
            side.answers += measured.tally.answers;
            side.lost += measured.tally.lost;
            side.wrong += measured.tally.wrong;
        }
        side.median = Figures::median(&side.rounds);
        side
    }
}

impl SwapReport {
    /// Sums up the rounds.
    #[must_use]
    pub fn new(plan: Plan, rounds: &[SwapRound]) -> Self {
        let still = Side::new(rounds.iter().map(|round| &round.still));
        let swapped = Side::new(rounds.iter().map(|round| &round.swapped));
        let pace = rounds.iter().map(|round| {
            let length = round.swapped.elapsed + plan.warm_up;
            count(round.swaps) / length.as_secs_f64()
        });
        let upper = rounds.iter().map(|round| round.swapped.tally.upper).sum();
        let pairs = still.rounds.iter().zip(&swapped.rounds);
        let ratios = pairs.map(|(still, swapped)| swapped.qps / still.qps);
        Self {
            plan,
            swaps_per_s: median(pace.collect()),
            upper_share: count(upper) / count(swapped.answers.max(1)),
            qps_ratio: median(ratios.collect()),
            still,
            swapped,
        }
    }

    /// The table and the lines below it.
    #[must_use]
    pub fn text(&self) -> String {
        let rows = [("still", &self.still), ("swapped", &self.swapped)];
        let rows = rows.map(|(name, side)| (name, &side.median, side.lost, side.wrong));
        let mut out = format!(
            "\nSwaps of the map under full load\n{}\n",
            figures_table(&rows)
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:.1} swaps a second; {:.1} % of {} answers were of the second map\n\
             answers per second, swapped / still: {:.3}",
            self.swaps_per_s,
            self.upper_share * 100.0,
            self.swapped.answers,
            self.qps_ratio,
        );
        out
    }
}
