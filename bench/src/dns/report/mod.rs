//! Medians and ratios, as JSON for programs; `table` has them for people.

use crate::accounting::{CpuTime, count};
use crate::dns::compare::{Agreement, Comparison, Measured, Plan, Series};
use crate::dns::load::Scopes;
use crate::dns::policy::Policy;
use crate::dns::prefixes::{Families, Spread};
use crate::dns::servers::Kind;
use serde::Serialize;
use std::time::Duration;

mod table;

pub use table::figures_table;

/// All that was measured, as `--json` writes it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Kernel release, as the kernel says it.
    pub kernel: String,
    /// Name of the processor.
    pub processor: String,
    /// Versions of the servers.
    pub versions: Vec<(Kind, String)>,
    /// Families that asked.
    pub families: Families,
    /// Spread of prefixes over the address space.
    pub spread: Spread,
    /// Course of the measurement.
    pub plan: Plan,
    /// One per policy.
    pub policies: Vec<PolicyReport>,
}

/// One comparison.
#[derive(Debug, Serialize)]
pub struct PolicyReport {
    /// Policy.
    pub policy: Policy,
    /// The servers, in the order of the runs.
    pub servers: Vec<ServerReport>,
    /// The first server against the others.
    pub ratios: Vec<Ratio>,
    /// Agreement of each other server with the first.
    pub agreements: Vec<Agreement>,
}

/// One server.
#[derive(Debug, Serialize)]
pub struct ServerReport {
    /// Kind of server.
    pub kind: Kind,
    /// Each round.
    pub rounds: Vec<Figures>,
    /// Median of each figure over the rounds.
    pub median: Figures,
    /// User mode per answer over all rounds, microseconds.
    pub user_us: f64,
    /// Kernel per answer over all rounds, microseconds.
    pub system_us: f64,
    /// Correct answers in all rounds.
    pub answers: u64,
    /// Questions without an answer in time.
    pub lost: u64,
    /// Answers that were not correct.
    pub wrong: u64,
    /// Mean scope length of answers to IPv4 prefixes, bits.
    pub scope_v4_bits: Option<f64>,
    /// Mean scope length of answers to IPv6 prefixes, bits.
    pub scope_v6_bits: Option<f64>,
    /// Resident memory, MiB.
    pub rss_mib: f64,
    /// Resident memory with shared pages divided, MiB.
    pub pss_mib: f64,
    /// From start to the first answer, seconds.
    pub ready_s: f64,
}

/// Figures of one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// Correct answers per second.
    pub qps: f64,
    /// Share of the time in which the server was on its core, 0 to 1.
    pub busy: f64,
    /// Processor time per answer, microseconds.
    pub cpu_us: f64,
    /// Median latency, microseconds.
    pub p50_us: f64,
    /// 99th percentile of latency, microseconds.
    pub p99_us: f64,
    /// 99.9th percentile of latency, microseconds.
    pub p999_us: f64,
}

/// The first server's figure divided by another's.
#[derive(Debug, Serialize)]
pub struct Ratio {
    /// Name of the figure.
    pub figure: &'static str,
    /// The other server.
    pub of: Kind,
    /// Median over rounds where rounds have the figure; else over all.
    pub ratio: f64,
    /// Least and greatest of the rounds.
    pub range: Option<(f64, f64)>,
}

impl PolicyReport {
    /// Sums up a comparison.
    #[must_use]
    pub fn new(policy: Policy, comparison: &Comparison) -> Self {
        let servers: Vec<_> = comparison.series.iter().map(ServerReport::new).collect();
        let ratios = match servers.split_first() {
            Some((ours, others)) => others
                .iter()
                .flat_map(|other| ratios(ours, other))
                .collect(),
            None => Vec::new(),
        };
        Self {
            policy,
            servers,
            ratios,
            agreements: comparison.agreements.clone(),
        }
    }
}

impl ServerReport {
    /// Sums up a series.
    fn new(series: &Series) -> Self {
        let rounds: Vec<Figures> = series.rounds.iter().map(Figures::new).collect();
        let sum = |of: fn(&Measured) -> u64| series.rounds.iter().map(of).sum::<u64>();
        let cpu = series
            .rounds
            .iter()
            .fold(CpuTime::default(), |sum, round| CpuTime {
                total: sum.total + round.cpu.total,
                user_ticks: sum.user_ticks + round.cpu.user_ticks,
                system_ticks: sum.system_ticks + round.cpu.system_ticks,
            });
        let answers = sum(|round| round.tally.answers);
        let cpu_us = us(cpu.total) / count(answers.max(1));
        let mean = |of: fn(&Measured) -> Scopes| {
            let scopes = series.rounds.iter().map(of);
            let (bits, number) = scopes.fold((0, 0), |(bits, number), scopes| {
                (bits + scopes.bits, number + scopes.count)
            });
            (number > 0).then(|| count(bits) / count(number))
        };
        Self {
            kind: series.kind,
            median: Figures::median(&rounds),
            rounds,
            user_us: cpu_us * cpu.user_share(),
            system_us: cpu_us * (1.0 - cpu.user_share()),
            answers,
            lost: sum(|round| round.tally.lost),
            wrong: sum(|round| round.tally.wrong),
            scope_v4_bits: mean(|round| round.tally.scopes_v4),
            scope_v6_bits: mean(|round| round.tally.scopes_v6),
            rss_mib: count(series.memory.rss_kib) / 1024.0,
            pss_mib: count(series.memory.pss_kib) / 1024.0,
            ready_s: series.ready_after.as_secs_f64(),
        }
    }
}

impl Figures {
    /// The figures of one measurement.
    pub(super) fn new(measured: &Measured) -> Self {
        let elapsed_s = measured.elapsed.as_secs_f64();
        let answers = count(measured.tally.answers.max(1));
        let quantile = |quantile| us(measured.tally.latency.quantile(quantile));
        Self {
            qps: count(measured.tally.answers) / elapsed_s,
            busy: measured.cpu.total.as_secs_f64() / elapsed_s,
            cpu_us: us(measured.cpu.total) / answers,
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
        }
    }

    /// The median of each figure by itself.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            qps: of(|round| round.qps),
            busy: of(|round| round.busy),
            cpu_us: of(|round| round.cpu_us),
            p50_us: of(|round| round.p50_us),
            p99_us: of(|round| round.p99_us),
            p999_us: of(|round| round.p999_us),
        }
    }
}

/// Our figures divided by another server's.
fn ratios(ours: &ServerReport, other: &ServerReport) -> Vec<Ratio> {
    let rounds = |figure: &'static str, of: fn(&Figures) -> f64| {
        let pairs = ours.rounds.iter().zip(&other.rounds);
        let each: Vec<f64> = pairs.map(|(ours, other)| of(ours) / of(other)).collect();
        let least = each.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = each.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Ratio {
            figure,
            of: other.kind,
            ratio: median(each),
            range: Some((least, greatest)),
        })
    };
    let whole = |figure: &'static str, ours: Option<f64>, theirs: Option<f64>| {
        let (ours, theirs) = ours.zip(theirs)?;
        (theirs > 0.0).then_some(Ratio {
            figure,
            of: other.kind,
            ratio: ours / theirs,
            range: None,
        })
    };
    // The floor keeps no data and spends next to nothing in user mode: only its whole cost is a
    // measure.
    if other.kind == Kind::Echo {
        let cost = [
            rounds("CPU per answer", |round| round.cpu_us),
            rounds("answers per second", |round| round.qps),
        ];
        return cost.into_iter().flatten().collect();
    }
    let all = [
        rounds("CPU per answer", |round| round.cpu_us),
        whole(
            "user CPU per answer",
            Some(ours.user_us),
            Some(other.user_us),
        ),
        rounds("answers per second", |round| round.qps),
        whole("RSS", Some(ours.rss_mib), Some(other.rss_mib)),
        whole("mean scope IPv4", ours.scope_v4_bits, other.scope_v4_bits),
        whole("mean scope IPv6", ours.scope_v6_bits, other.scope_v6_bits),
    ];
    all.into_iter().flatten().collect()
}

/// The middle value, the mean of the two in the middle for an even number; 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => 0.0,
        values if values.len() % 2 == 1 => values[middle],
        values => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A duration in microseconds.
fn us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::Memory;
    use crate::dns::load::Tally;

    fn series(kind: Kind, cpu_ms: [u64; 3]) -> Series {
        let round = |cpu_ms| Measured {
            tally: Tally {
                answers: 1_000,
                scopes_v4: Scopes {
                    count: 10,
                    bits: 165,
                },
                ..Tally::default()
            },
            elapsed: Duration::from_millis(20),
            cpu: CpuTime {
                total: Duration::from_millis(cpu_ms),
                user_ticks: 1,
                system_ticks: 3,
            },
        };
        Series {
            kind,
            ready_after: Duration::from_secs(1),
            memory: Memory {
                rss_kib: 2048,
                pss_kib: 1024,
            },
            rounds: cpu_ms.map(round).into(),
        }
    }

    #[test]
    fn ratios_are_medians_of_rounds() {
        let comparison = Comparison {
            series: vec![
                series(Kind::Watershed, [2, 3, 30]),
                series(Kind::Gdnsd, [4, 4, 40]),
            ],
            agreements: Vec::new(),
        };
        let report = PolicyReport::new(Policy::Map, &comparison);
        let ours = &report.servers[0];
        assert!((ours.median.cpu_us - 3.0).abs() < 1e-9);
        assert!((ours.median.qps - 50_000.0).abs() < 1e-6);
        assert!((ours.user_us - 35.0 / 3.0 / 4.0).abs() < 1e-9);
        assert_eq!((ours.scope_v4_bits, ours.scope_v6_bits), (Some(16.5), None));
        let cpu = &report.ratios[0];
        assert!((cpu.ratio - 0.75).abs() < 1e-9, "{cpu:?}");
        let (least, greatest) = cpu.range.unwrap();
        assert!((least - 0.5).abs() < 1e-9 && (greatest - 0.75).abs() < 1e-9);
        let text = report.text();
        assert!(
            text.contains("watershed / gdnsd: CPU per answer       0.750"),
            "{text}"
        );
        assert!(
            serde_json::to_string(&report)
                .unwrap()
                .contains("\"scope_v4_bits\":16.5")
        );
    }

    #[test]
    fn medians() {
        for (values, wanted) in [
            (vec![], 0.0),
            (vec![3.0, 1.0, 2.0], 2.0),
            (vec![4.0, 2.0], 3.0),
        ] {
            assert!((median(values) - wanted).abs() < 1e-9);
        }
    }
}
