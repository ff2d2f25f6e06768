//! The evening peak.

use super::{Stage, chapter};
use crate::commands::demo::checks::Checks;
use crate::commands::output;
use engine::inventory::BillingModel;
use serde_json::Value;
use std::time::Duration;
use tokio::time::sleep;

/// Evening in China, as an hour at Greenwich.
const EVENING: f64 = 13.0;

impl Stage {
    /// The evening peak comes; flat ports, which cost nothing more, fill, and the map moves no more
    /// than it must.
    pub(super) async fn evening(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        chapter("the evening peak: flat ports fill first, and the map moves just enough");
        let (full_before, before_mbps) = self.flat_ports().await?;
        let before = self.map().await?;
        for hour in [10.0, 11.0, 12.0, EVENING] {
            self.population.say(&format!("hour {hour}")).await?;
            sleep(Duration::from_millis(2500)).await;
            let map = self.map().await?;
            let plan = &map["cycle"]["plan"];
            let least = plan["moved_min_possible_mbps"].as_f64();
            let least = least.map_or_else(String::new, |mbps| {
                format!(" of which {:.0} had to", mbps / 1e3)
            });
            output::tell(&format!(
                "   {hour:>4} h at Greenwich: demand {:.2} Tbps, moved {:.0} Gbps{least}, gap {:.6} %",
                map["cycle"]["demand_mbps"].as_f64().unwrap_or(0.0) / 1e6,
                plan["levels"]["moved_mbps"].as_f64().unwrap_or(0.0) / 1e3,
                plan["gap"].as_f64().unwrap_or(1.0) * 100.0,
            ));
        }
        sleep(Duration::from_secs(5)).await;
        let (full_after, after_mbps) = self.flat_ports().await?;
        let seen = format!(
            "{:.0} -> {:.0} Gbps, {:.0} -> {:.0} % of their watermarks",
            before_mbps / 1e3,
            after_mbps / 1e3,
            full_before * 100.0,
            full_after * 100.0
        );
        checks.note(
            full_after >= 0.85 && full_after > full_before,
            "flat ports, which cost nothing more, fill",
            seen,
        );
        let after = self.map().await?;
        let level = |name: &str| {
            after["cycle"]["plan"]["levels"][name]
                .as_f64()
                .unwrap_or(f64::INFINITY)
        };
        let demand = |map: &Value| map["cycle"]["demand_mbps"].as_f64().unwrap_or(0.0);
        let seen = format!(
            "demand {:.1} -> {:.1} Tbps, unserved {:.0}, overload {:.0} Mbps",
            demand(&before) / 1e6,
            demand(&after) / 1e6,
            level("unserved_mbps"),
            level("overload_mbps")
        );
        checks.note(
            level("unserved_mbps") < 1.0 && level("overload_mbps") < 1.0,
            "everybody is served at the peak",
            seen,
        );
        let share = level("moved_mbps") / demand(&after);
        let seen = format!("the last plan moves {:.1} % of all traffic", share * 100.0);
        checks.note(share < 0.1, "the map moves just enough", seen);
        let stats = self.population.stats().await?;
        let lost = stats.lost_mbps / stats.demand_mbps;
        let seen = format!(
            "{:.2} % of what clients want does not fit where answers sent them",
            lost * 100.0
        );
        checks.note(lost < 0.01, "traffic fits where it is sent", seen);
        let gap = after["cycle"]["plan"]["gap"].as_f64().unwrap_or(1.0);
        checks.note(
            gap < 0.001,
            "the plan is certified",
            format!("at most {:.5} % above the proved bound", gap * 100.0),
        );
        Ok(())
    }

    /// How full the flat ports of the country are on average, as shares of their watermarks, and
    /// what they carry in Mbps.
    async fn flat_ports(&mut self) -> anyhow::Result<(f64, f64)> {
        let stats = self.population.stats().await?;
        let inventory = &self.config.inventory;
        let flat = inventory.links.iter().filter(|link| {
            let site = &inventory.sites[link.site.index()];
            inventory.meters[link.meter].model == BillingModel::Flat && site.country == "cn"
        });
        let load = |name: &str| stats.links.get(name).map_or(0.0, |link| link.carried_mbps);
        let carried_mbps: f64 = flat.clone().map(|link| load(&link.name)).sum();
        let watermarks_mbps: f64 = flat.map(|link| link.watermark_mbps).sum();
        anyhow::ensure!(watermarks_mbps > 0.0, "the demo has no flat port");
        Ok((carried_mbps / watermarks_mbps, carried_mbps))
    }
}
