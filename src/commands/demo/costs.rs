//! Costs of the slot: the map in force against what simpler policies would have done on the same
//! input.

use crate::commands::output;
use anyhow::Context;
use comfy_table::{CellAlignment, Table};
use coverage::LinkId;
use engine::baseline;
use instance::{Instance, Levels, Plan};
use optimizer::SolveOptions;
use std::time::Duration;
use watershed::client::ApiClient;

/// One policy's figures.
pub(super) struct Row {
    pub(super) policy: &'static str,
    pub(super) levels: Levels,
}

/// Figures of all policies, the map in force first, and the proved lower bound of level 4.
pub(super) struct Costs {
    pub(super) rows: Vec<Row>,
    pub(super) lower_bound: f64,
}

/// Number of inputs that are looked at, and pause between two.
const INPUTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);

/// Asks the control plane for its input and the map in force, and lets every policy answer it.
/// Nobody is charged for moves, so that the map in force has no advantage over those who would
/// start from nothing.
///
/// Contracts count the mean of a slot. A second's deviation from it is in no bill, and no map could
/// follow it. So demand is the mean of several seconds.
pub(super) async fn compare(api: &ApiClient) -> anyhow::Result<Costs> {
    let mut input: Instance = api.get_json("/v1/instance?fresh=true").await?;
    for already in 1..INPUTS {
        tokio::time::sleep(PAUSE).await;
        let next: Instance = api.get_json("/v1/instance?fresh=true").await?;
        let weight = 1.0 / f64::from(already + 1);
        let mean = |mean: f64, next: f64| mean + weight * (next - mean);
        let before = std::mem::replace(&mut input, next);
        for (unit, before) in input.units.iter_mut().zip(&before.units) {
            unit.mbps = mean(before.mbps, unit.mbps);
            unit.rps = mean(before.rps, unit.rps);
        }
    }
    let in_force: Instance = api.get_json("/v1/instance").await?;
    let shares = in_force
        .units
        .iter()
        .map(|unit| unit.incumbent.clone())
        .collect();
    let map = Plan {
        shares,
        input_digest: input.digest(),
    };
    let solved = optimizer::solve(&input, &SolveOptions::default(), None);
    let evaluate = |policy, plan: &Plan| -> anyhow::Result<Row> {
        Ok(Row {
            policy,
            levels: checker::evaluate(&input, plan)
                .with_context(|| policy)?
                .levels,
        })
    };
    let rows = vec![
        evaluate("map in force", &with_candidates(&input, &map))?,
        evaluate("optimum, starting anew", &solved.plan)?,
        Row {
            policy: "nearest site",
            levels: baseline::nearest(&input)?.levels,
        },
        Row {
            policy: "rank with watermark",
            levels: baseline::rank_and_fill(&input, 1)?.levels,
        },
        Row {
            policy: "stable allocation",
            levels: baseline::stable(&input)?.levels,
        },
    ];
    Ok(Costs {
        rows,
        lower_bound: solved.certificate.lower_bound,
    })
}

/// The plan without links that are no candidates of a fresh start: their share counts as unserved.
fn with_candidates(input: &Instance, plan: &Plan) -> Plan {
    let units = input.units.iter().zip(&plan.shares);
    let shares = units.map(|(unit, shares)| {
        let known = |link: LinkId| unit.cand.iter().any(|(cand, _)| *cand == link);
        shares
            .iter()
            .copied()
            .filter(|(link, _)| known(*link))
            .collect()
    });
    Plan {
        shares: shares.collect(),
        input_digest: plan.input_digest.clone(),
    }
}

impl Costs {
    /// As a table.
    pub(super) fn table(&self) -> Table {
        let mut table = output::table(&[
            "policy",
            "unserved Gbps",
            "overload Gbps",
            "too slow Gbps",
            "latency CNY/slot",
            "bandwidth beyond levels CNY/slot",
            "both, over the bound",
        ]);
        for Row { policy, levels } in &self.rows {
            let over = (levels.cost_cny() / self.lower_bound - 1.0) * 100.0;
            table.add_row([
                (*policy).to_owned(),
                format!("{:.1}", levels.unserved_mbps / 1000.0),
                format!("{:.1}", levels.overload_mbps / 1000.0),
                format!("{:.1}", levels.late_mbps / 1000.0),
                format!("{:.0}", levels.latency_cny),
                format!("{:.0}", levels.money_cny),
                format!("{over:+.2} %"),
            ]);
        }
        for column in 1..=6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}
