//! Breakpoints of costs: of what units share, and of a unit's own cost.
//!
//! Between two breakpoints everything is linear, which is where `crossover` moves traffic about.

use crate::problem::levels::is_late;
use crate::problem::loads::{Loads, ROUNDING};
use crate::problem::money::latency_cny_per_mbps;
use crate::problem::money::money_step;
use crate::problem::money::move_cny_per_mbps;
use crate::problem::requests;
use coverage::LinkId;
use instance::{Instance, Unit};

/// A row this close to a breakpoint, relative to it or to 1 Mbps, is tight; a share this close to
/// one, relative to its unit, is there. It is above the rounding that limits on requests are
/// forgiven.
const TIGHT: f64 = 2.0 * ROUNDING;

/// A row that was moved this close to a breakpoint, relative to it or to 1 Mbps, has come there.
const ARRIVED: f64 = 1e-12;

/// Cost of one Mbps more: overload, late traffic, CNY.
pub(crate) type Slope = [f64; 3];

/// Row that units share: a link, a site, a region, a contract, the requests of a site.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) load: f64,
    /// Breakpoints of its cost, rising.
    breakpoints: Vec<f64>,
    /// The slope below each breakpoint, and beyond the last unless that is a hard limit.
    slopes: Vec<Slope>,
    /// Number among the rows that hold, and the load that it holds.
    pub(crate) held: Option<(u32, f64)>,
}

impl Row {
    fn new(load: f64, breakpoints: &[f64], slopes: &[Slope]) -> Self {
        Self {
            load,
            breakpoints: breakpoints.to_vec(),
            slopes: slopes.to_vec(),
            held: None,
        }
    }

    /// A soft and a hard limit.
    fn limited(load: f64, watermark: f64, capacity: f64) -> Self {
        Self::new(load, &[watermark, capacity], &[[0.0; 3], [1.0, 0.0, 0.0]])
    }

    /// A limit whose excess is charged.
    fn charged(load: f64, free: f64, cny: f64) -> Self {
        if cny > 0.0 && free < f64::INFINITY {
            Self::new(load, &[free], &[[0.0; 3], [0.0, 0.0, cny]])
        } else {
            Self::new(load, &[], &[[0.0; 3]])
        }
    }

    /// Tells whether its load is where its cost bends.
    pub(crate) fn is_tight(&self) -> bool {
        self.breakpoint_within(TIGHT).is_some()
    }

    fn breakpoint_within(&self, share: f64) -> Option<f64> {
        let at = |breakpoint: &f64| (self.load - breakpoint).abs() <= share * breakpoint.max(1.0);
        self.breakpoints.iter().copied().find(at)
    }

    /// The breakpoint that its load has come to, or the next one upwards or downwards; none is
    /// infinitely far.
    pub(crate) fn next(&self, up: bool) -> f64 {
        if let Some(breakpoint) = self.breakpoint_within(ARRIVED) {
            return breakpoint;
        }
        let above = self
            .breakpoints
            .iter()
            .position(|&breakpoint| breakpoint > self.load);
        let above = above.unwrap_or(self.breakpoints.len());
        if up {
            let is_hard = self.slopes.len() == self.breakpoints.len();
            let beyond = self.breakpoints.last().filter(|_| is_hard);
            let next = self.breakpoints.get(above).or(beyond);
            next.copied().unwrap_or(f64::INFINITY)
        } else {
            let below = above.checked_sub(1).map(|at| self.breakpoints[at]);
            below.unwrap_or(f64::NEG_INFINITY)
        }
    }

    pub(crate) fn slope(&self) -> Slope {
        let above = self
            .breakpoints
            .iter()
            .filter(|&&breakpoint| breakpoint < self.load)
            .count();
        let last = self.slopes.len() - 1;
        self.slopes[above.min(last)]
    }
}

/// The piece of a unit's cost on a link that its share lies on: its ends in Mbps, and its slope.
/// `None` at a breakpoint.
pub(crate) fn piece(
    input: &Instance,
    unit: &Unit,
    link: LinkId,
    share: f64,
) -> Option<((f64, f64), Slope)> {
    let &(_, quality_ms) = unit.cand.iter().find(|cand| cand.0 == link)?;
    let late = if is_late(unit, quality_ms) { 1.0 } else { 0.0 };
    let latency = latency_cny_per_mbps(input, quality_ms);
    let stay = unit.incumbent.on(link);
    if stay > 0.0 && (share - stay).abs() <= TIGHT {
        return None;
    }
    // A share ends at nothing, or where it no longer stays; the whole unit is where all others have
    // ended.
    let never_moves = unit.incumbent.is_empty() || stay >= 1.0;
    let (between, move_cny) = if never_moves {
        ((0.0, f64::INFINITY), 0.0)
    } else if share < stay {
        ((0.0, stay * unit.mbps), 0.0)
    } else {
        ((stay * unit.mbps, f64::INFINITY), move_cny_per_mbps(input))
    };
    Some((between, [0.0, late, latency + move_cny]))
}

/// Links, sites, regions, contracts and the requests of sites.
pub(crate) fn rows(input: &Instance, loads: &Loads, per_rps: f64) -> Vec<Row> {
    let links = input.links.iter().zip(&loads.links);
    let links = links.map(|(l, &load)| Row::limited(load, l.watermark_mbps(), l.capacity_mbps));
    let sites = input.sites.iter().zip(&loads.sites);
    let sites = sites.map(|(s, &load)| Row::limited(load, s.watermark_mbps(), s.capacity_mbps));
    let regions = input.regions.iter().zip(&loads.regions);
    let regions = regions.map(|(r, &load)| Row::limited(load, r.watermark_mbps(), r.capacity_mbps));
    let contracts = input
        .contracts
        .iter()
        .zip(&loads.contracts)
        .map(|(contract, &load)| {
            let (free, cny) = money_step(input, contract);
            Row::charged(load, free, cny)
        });
    let excess_cny = requests::excess_cny_per_rps(input) / per_rps;
    let asked = input.sites.iter().zip(&loads.requests);
    let asked = asked.map(|(site, &load)| {
        let limit = requests::filled_rps(site).unwrap_or(f64::INFINITY);
        Row::charged(load * per_rps, limit * per_rps, excess_cny)
    });
    links
        .chain(sites)
        .chain(regions)
        .chain(contracts)
        .chain(asked)
        .collect()
}
