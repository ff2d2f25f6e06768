//! Two drains: one that must be refused, and one from request to measured empty and back.

use super::stage::group_mbps;
use super::{Stage, chapter};
use crate::commands::demo::ask;
use crate::commands::demo::checks::Checks;
use crate::commands::demo::places::clients;
use crate::commands::output;
use anyhow::Context;
use engine::inventory::Group;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The site whose drain must be refused when its continent has nothing to spare, and what makes it
/// so.
const SCARCE_SITE: &str = "iad1";
const CROWD: &str = "scale *@us 5";
const NO_CROWD: &str = "scale *@us 1";

impl Stage {
    /// A drain that would overload its region is refused, with the bottleneck named.
    pub(super) async fn refused_drain(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        chapter("a flash crowd in the US; now the drain of a site there is refused");
        self.population.say(CROWD).await?;
        sleep(Duration::from_secs(7)).await;
        let request = json!({ "target": format!("site:{SCARCE_SITE}"), "lease": "30m", "reason": "kernel upgrade" });
        let answer = self.api.post_json::<Value>("/v1/drains", &request).await;
        let (status, text) = match &answer {
            Ok(drain) => (201, format!("admitted as {}", drain["id"])),
            Err(fault) => (fault.status().unwrap_or(0), fault.to_string()),
        };
        let named = text.contains("missing") && (text.contains("link:") || text.contains("site:"));
        checks.note(
            status == 409 && named,
            "an overloading drain is refused, bottleneck named",
            text,
        );
        self.population.say(NO_CROWD).await?;
        Ok(())
    }

    /// A group is drained, its traffic is watched leaving until `drained`, then it is given back.
    pub(super) async fn drain(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        let (group, province) = self.group_to_drain().await?;
        chapter(&format!(
            "group:{group} is drained for an upgrade, and refilled after it"
        ));
        let base_mbps = self.population_group(&group).await?;
        let witnesses = self.served_by(&group, &province).await?;
        let request = json!({ "target": format!("group:{group}"), "lease": "30m", "reason": "software upgrade", "ramp": "5s" });
        let drain: Value = self.api.post_json("/v1/drains", &request).await?;
        let id = drain["id"]
            .as_str()
            .context("a drain without an id")?
            .to_owned();
        let state = self
            .watch_drain(&id, "drained", Duration::from_secs(30))
            .await?;
        let left_mbps = self.population_group(&group).await?;
        let seen = format!(
            "{:.1} Gbps -> {:.2} Gbps as its clients measure it",
            base_mbps / 1e3,
            left_mbps / 1e3
        );
        checks.note(
            state == "drained" && base_mbps > 1e3 && left_mbps <= 0.01 * base_mbps + 50.0,
            "drained means measured",
            seen,
        );
        let still = self.still_served_by(&group, &witnesses).await?;
        let seen = format!(
            "{still} of {} clients that it served before",
            witnesses.len()
        );
        checks.note(
            still == 0 && !witnesses.is_empty(),
            "nobody is sent to a drained group",
            seen,
        );
        let _: Value = self.api.delete(&format!("/v1/drains/{id}")).await?;
        let state = self
            .watch_drain(&id, "serving", Duration::from_secs(30))
            .await?;
        sleep(Duration::from_secs(4)).await;
        let back_mbps = self.population_group(&group).await?;
        let seen = format!("{state}, {:.1} Gbps again", back_mbps / 1e3);
        checks.note(
            state == "serving" && back_mbps >= 0.05 * base_mbps,
            "the group is refilled",
            seen,
        );
        Ok(())
    }

    /// The busiest group of a site that has two and is alone in its province: its clients have
    /// reason to come back.
    async fn group_to_drain(&mut self) -> anyhow::Result<(String, String)> {
        let stats = self.population.stats().await?;
        let inventory = &self.config.inventory;
        let suits = |group: &&Group| {
            let groups = inventory
                .groups
                .iter()
                .filter(|other| other.site == group.site)
                .count();
            let province = &inventory.sites[group.site.index()].province;
            let sites = inventory
                .sites
                .iter()
                .filter(|site| site.province == *province)
                .count();
            groups == 2 && sites == 1
        };
        let load = |group: &Group| group_mbps(&stats, &group.name);
        let busiest = inventory
            .groups
            .iter()
            .filter(suits)
            .max_by(|a, b| load(a).total_cmp(&load(b)));
        let group =
            busiest.context("the demo has no site of two groups that is alone in its province")?;
        Ok((
            group.name.clone(),
            inventory.sites[group.site.index()].province.clone(),
        ))
    }

    /// Clients of a province that a group serves now.
    async fn served_by(
        &self,
        group: &str,
        province: &str,
    ) -> anyhow::Result<Vec<(&'static str, Ipv4Addr)>> {
        let mut served = Vec::new();
        for area in ["ct", "cm", "cu"].map(|isp| format!("cn/{province}/{isp}")) {
            for client in clients(&self.table, &area, 40) {
                for name in ["live.cdn.example", "static.cdn.example"] {
                    if self.group_of(name, client).await? == group {
                        served.push((name, client));
                    }
                }
            }
        }
        Ok(served)
    }

    async fn still_served_by(
        &self,
        group: &str,
        clients: &[(&str, Ipv4Addr)],
    ) -> anyhow::Result<usize> {
        let mut still = 0;
        for (name, client) in clients {
            still += usize::from(self.group_of(name, *client).await? == group);
        }
        Ok(still)
    }

    async fn group_of(&self, name: &str, client: Ipv4Addr) -> anyhow::Result<&str> {
        let answer = ask::dns(self.dns, name, client).await?;
        let place = answer
            .addresses
            .first()
            .and_then(|address| self.places.of_address(*address));
        Ok(place
            .context("an answer with a strange address")?
            .0
            .as_str())
    }

    /// Follows a drain until it is in `state`, saying what is left; the state it ended in.
    async fn watch_drain(
        &mut self,
        id: &str,
        state: &str,
        most: Duration,
    ) -> anyhow::Result<String> {
        let since = Instant::now();
        let mut shown = String::new();
        loop {
            let drain: Value = self.api.get_json(&format!("/v1/drains/{id}")).await?;
            let now = drain["state"].as_str().unwrap_or("?").to_owned();
            let target = drain["target"]
                .as_str()
                .and_then(|target| target.split_once(':'));
            let mbps = self
                .population_group(target.map_or("", |(_, name)| name))
                .await?;
            let share = drain["planned_share"].as_f64().unwrap_or(1.0) * 100.0;
            let line = format!(
                "   {now}: planned share {share:.0} %, its clients pull {:.1} Gbps",
                mbps / 1e3
            );
            if line != shown {
                output::tell(&line);
                shown = line;
            }
            if now == state || since.elapsed() > most {
                return Ok(now);
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}
