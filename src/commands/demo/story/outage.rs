//! The control plane dies, and nobody notices.

use super::{AREAS, Stage, chapter};
use crate::commands::demo::ask;
use crate::commands::demo::checks::Checks;
use crate::commands::demo::places::clients;
use anyhow::Context;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

impl Stage {
    /// The control plane is killed, and answers go on. It comes back and forgets nothing.
    pub(super) async fn control_dies(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        chapter("the control plane is killed with -9; answers go on");
        let request = json!({ "target": "node:can1-a-1", "lease": "30m", "reason": "disk swap" });
        let drain: Value = self.api.post_json("/v1/drains", &request).await?;
        let id = drain["id"]
            .as_str()
            .context("a drain without an id")?
            .to_owned();
        let before = self.map().await?;
        self.control.kill().await?;
        let (mut answered, mut asked) = (0_u32, 0_u32);
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(4) {
            for area in AREAS {
                for client in clients(&self.table, area, 1) {
                    asked += 2;
                    let dns = ask::dns(self.dns, "live.cdn.example", client).await;
                    answered += u32::from(dns.is_ok_and(|answer| !answer.addresses.is_empty()));
                    answered += u32::from(
                        self.web
                            .redirect("dl.cdn.example", "/film.mp4", client)
                            .await
                            .is_ok(),
                    );
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        checks.note(
            answered == asked,
            "answers go on without a control plane",
            format!("{answered} of {asked}"),
        );
        let url = self.api.base_url().to_owned();
        self.control.reopen(&url)?;
        let again = self
            .wait_for_map(|map| map["version"] != before["version"] && map["version"].is_string())
            .await?;
        let drains: Value = self.api.get_json("/v1/drains").await?;
        let kept = drains.to_string().contains(&format!("\"{id}\""));
        let state: Value = self.api.get_json(&format!("/v1/drains/{id}")).await?;
        checks.note(
            kept && state["state"] != "serving",
            "it comes back and has lost no drain",
            format!(
                "{id} is {}, map {} -> {}",
                state["state"], before["version"], again["version"]
            ),
        );
        let _: Value = self.api.delete(&format!("/v1/drains/{id}")).await?;
        Ok(())
    }

    /// Nobody in the whole population ever got an empty or a strange answer.
    pub(super) async fn population_is_whole(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        let stats = self.population.stats().await?;
        let (bad, answers) = (stats.hard_errors(), stats.answers());
        checks.note(
            bad == 0 && answers > 1000,
            "no empty answer and no strange one in the whole story",
            format!("{bad} of {answers}"),
        );
        Ok(())
    }
}
