//! The chapter of what the slot costs.

use super::{Stage, chapter};
use crate::commands::demo::checks::Checks;
use crate::commands::demo::costs::{self, Costs};
use crate::commands::output;
use anyhow::Context;

impl Stage {
    /// Shows the costs of this slot under the map and under simpler policies.
    pub(super) async fn costs(&mut self, checks: &mut Checks) -> anyhow::Result<Costs> {
        chapter("what this slot costs");
        let costs = costs::compare(&self.api).await?;
        output::tell(&costs.table().to_string());
        let row = |policy: &str| {
            costs
                .rows
                .iter()
                .find(|row| row.policy == policy)
                .map(|row| row.levels)
        };
        let (map, rank, nearest) = (
            row("map in force"),
            row("rank with watermark"),
            row("nearest site"),
        );
        let (map, rank, nearest) = (
            map.context("no map")?,
            rank.context("no rank")?,
            nearest.context("no nearest")?,
        );
        let saved = 1.0 - map.cost_cny() / rank.cost_cny();
        checks.note(
            saved > 0.0 && map.unserved_mbps <= rank.unserved_mbps + 1.0,
            "cheaper than rank with watermark",
            format!("{:.1} % less, and no more unserved", saved * 100.0),
        );
        let seen = format!(
            "nearest leaves {:.0} Gbps unserved and {:.0} Gbps over watermarks; the map {:.1} and {:.1}",
            nearest.unserved_mbps / 1e3,
            nearest.overload_mbps / 1e3,
            map.unserved_mbps / 1e3,
            map.overload_mbps / 1e3
        );
        checks.note(
            map.unserved_mbps + map.overload_mbps < nearest.unserved_mbps + nearest.overload_mbps,
            "better served than by the nearest site",
            seen,
        );
        Ok(costs)
    }
}
