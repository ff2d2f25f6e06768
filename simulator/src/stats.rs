//! Counts of the simulator: answers and their latency, errors, traffic by place.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sub-buckets of each power of two: a quantile is at most 1/16 too high.
const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;
/// Buckets for all of 64 bits.
const BUCKETS: usize = (1 << SUB_BITS) * (64 - SUB_BITS as usize + 1);

/// A histogram of bounded size over all magnitudes.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            max: 0,
        }
    }
}

impl Histogram {
    /// Counts a value.
    pub(crate) fn record(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
        self.max = self.max.max(value);
    }

    /// The value that `share` of all values do not exceed, rounded up to the edge of its bucket; 0
    /// when empty.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts below 2^52"
        )]
        let wanted = (self.total as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return upper_edge(index).min(self.max);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    let magnitude = value.checked_ilog2().unwrap_or(0).saturating_sub(SUB_BITS);
    // Below 2 x SUB the bucket is the value itself; above, SUB buckets for each doubling.
    let index = u64::from(magnitude) * SUB + (value >> magnitude);
    usize::try_from(index)
        .unwrap_or(BUCKETS - 1)
        .min(BUCKETS - 1)
}

fn upper_edge(index: usize) -> u64 {
    let index = index as u64;
    let magnitude = (index / SUB).saturating_sub(1);
    let mantissa = index - magnitude * SUB;
    ((mantissa + 1) << magnitude).wrapping_sub(1)
}

/// Counters of one way of asking, while they grow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Latency of answers, us.
    pub(crate) latency: Histogram,
    /// Questions without any answer, by what went wrong.
    pub(crate) failures: BTreeMap<&'static str, u64>,
    /// Answers without an address or a place.
    pub(crate) empty: u64,
    /// Answers that name an address or authority of no one.
    pub(crate) unknown_address: u64,
}

impl Tally {
    /// Counts a failure.
    pub(crate) fn fail(&mut self, label: &'static str) {
        *self.failures.entry(label).or_insert(0) += 1;
    }

    /// Returns what to show.
    pub(crate) fn shown(&self) -> WayStats {
        WayStats {
            answers: self.latency.total,
            p50_us: self.latency.quantile(0.5),
            p99_us: self.latency.quantile(0.99),
            max_us: self.latency.max,
            failures: self
                .failures
                .iter()
                .map(|(label, count)| ((*label).to_owned(), *count))
                .collect(),
            empty: self.empty,
            unknown_address: self.unknown_address,
        }
    }
}

/// One way of asking: DNS, 302 or HTTPDNS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayStats {
    /// Questions that were answered.
    pub answers: u64,
    /// Median latency, us.
    pub p50_us: u64,
    /// 99th percentile of latency, us.
    pub p99_us: u64,
    /// Longest latency, us.
    pub max_us: u64,
    /// Questions without an answer, by what went wrong.
    pub failures: BTreeMap<String, u64>,
    /// Hard errors: answers that name nobody.
    pub empty: u64,
    /// Hard errors: answers that name an address of no one.
    pub unknown_address: u64,
}

/// Telemetry sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryStats {
    /// Batches that were taken.
    pub batches: u64,
    /// Lines in them.
    pub lines: u64,
    /// Lines of these that the daemon says it refused.
    pub refused_lines: u64,
    /// Batches that were not taken, by what went wrong.
    pub failures: BTreeMap<String, u64>,
}

/// A link as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkStats {
    /// Traffic clients try to pull through it, Mbps.
    pub offered_mbps: f64,
    /// Traffic that gets through, Mbps.
    pub carried_mbps: f64,
    /// Capacity, Mbps.
    pub capacity_mbps: f64,
    /// True when it is up.
    pub up: bool,
}

/// State of everything after one tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Ticks since the start.
    pub ticks: u64,
    /// Wall time since the start, ms.
    pub elapsed_ms: u64,
    /// Hour of day at Greenwich.
    pub utc_hour: f64,
    /// Traffic all clients want, Mbps.
    pub demand_mbps: f64,
    /// Traffic they get, Mbps.
    pub served_mbps: f64,
    /// Traffic sent to dead places or that does not fit, Mbps.
    pub lost_mbps: f64,
    /// Traffic that knows nowhere to go, Mbps.
    pub unassigned_mbps: f64,
    /// Mean round-trip time of traffic to living places, weighted by Mbps, ms.
    pub mean_rtt_ms: f64,
    /// Served traffic by service, Mbps.
    pub services: BTreeMap<String, f64>,
    /// Served traffic by group and service, Mbps; silent ones are left out.
    pub groups: BTreeMap<String, BTreeMap<String, f64>>,
    /// Links by name.
    pub links: BTreeMap<String, LinkStats>,
    /// Dead nodes by name.
    pub dead_nodes: Vec<String>,
    /// Areas with demand.
    pub areas: usize,
    /// Client prefixes times services (times sessions).
    pub cells: usize,
    /// DNS.
    pub dns: WayStats,
    /// HTTP 302.
    pub redirect: WayStats,
    /// HTTPDNS.
    pub httpdns: WayStats,
    /// Telemetry.
    pub telemetry: TelemetryStats,
    /// Time that the last tick took, ms, waiting for answers included.
    pub tick_ms: u64,
}

impl Stats {
    /// Answers over all ways.
    #[must_use]
    pub const fn answers(&self) -> u64 {
        self.dns.answers + self.redirect.answers + self.httpdns.answers
    }

    /// Hard errors over all ways: answers that no client can use.
    #[must_use]
    pub const fn hard_errors(&self) -> u64 {
        let dns = self.dns.empty + self.dns.unknown_address;
        let redirect = self.redirect.empty + self.redirect.unknown_address;
        dns + redirect + self.httpdns.empty + self.httpdns.unknown_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_of_known_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        (1..=1000).for_each(|value| histogram.record(value));
        let (median, high) = (histogram.quantile(0.5), histogram.quantile(0.99));
        assert!((500..532).contains(&median), "{median}");
        assert!((990..=1000).contains(&high), "{high}");
        assert_eq!(histogram.quantile(1.0), 1000);
    }

    proptest! {
        #[test]
        fn every_value_lies_in_its_bucket(value in any::<u64>()) {
            let index = bucket(value);
            prop_assert!(value <= upper_edge(index));
            prop_assert!(index == 0 || value > upper_edge(index - 1));
            prop_assert!(upper_edge(index) - value <= value / SUB);
        }
    }
}
