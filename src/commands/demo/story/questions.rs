//! Questions from everywhere, held against what the control plane says.

use super::{AREAS, Stage, chapter};
use crate::commands::demo::ask;
use crate::commands::demo::checks::Checks;
use crate::commands::demo::places::clients;
use crate::commands::output;
use anyhow::Context;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::time::sleep;

impl Stage {
    /// Real questions from several provinces and ISPs, by DNS, 302 and HTTPDNS, each held against
    /// the control plane's word.
    pub(super) async fn questions(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        chapter("questions from twelve areas, by DNS with Client Subnet, by 302 and by HTTPDNS");
        let mut table = output::table(&[
            "area",
            "client",
            "DNS live",
            "ms",
            "scope",
            "302 download",
            "HTTPDNS static",
        ]);
        let (mut right, mut near, mut asked) = (0, 0, 0);
        for area in AREAS {
            for client in clients(&self.table, area, 2) {
                let seen = self
                    .ask_all(client)
                    .await
                    .with_context(|| format!("a client in {area}"))?;
                asked += 1;
                right += usize::from(seen.agrees);
                near += usize::from(seen.within_floor);
                let Seen {
                    live,
                    scope,
                    download,
                    fixed,
                    quality_ms,
                    ..
                } = seen;
                table.add_row([
                    area.to_owned(),
                    client.to_string(),
                    live,
                    format!("{quality_ms:.1}"),
                    format!("/{scope}"),
                    download,
                    fixed,
                ]);
            }
        }
        output::tell(&table.to_string());
        checks.note(
            right == asked && asked >= 20,
            "each client gets the group that the map gives its area",
            format!("{right} of {asked} clients, three protocols each"),
        );
        checks.note(
            near == asked,
            "each live answer is within the quality floor",
            format!("{near} of {asked}"),
        );
        Ok(())
    }

    /// One client by all three ways. Wire and word may differ for a moment while a new map travels,
    /// so it is asked again.
    async fn ask_all(&self, client: Ipv4Addr) -> anyhow::Result<Seen> {
        let mut seen = self.ask_once(client).await?;
        for _ in 0..5 {
            if seen.agrees {
                break;
            }
            sleep(Duration::from_millis(300)).await;
            seen = self.ask_once(client).await?;
        }
        Ok(seen)
    }

    async fn ask_once(&self, client: Ipv4Addr) -> anyhow::Result<Seen> {
        let live = ask::dns(self.dns, "live.cdn.example", client).await?;
        let first = *live
            .addresses
            .first()
            .context("an answer without an address")?;
        let live_place = self
            .places
            .of_address(first)
            .context("an answer with a strange address")?;
        let authority = self
            .web
            .redirect("dl.cdn.example", "/film.mp4?part=7", client)
            .await?;
        let download = self
            .places
            .of_authority(&authority)
            .context("a Location with a strange authority")?;
        let fixed = self
            .web
            .httpdns("httpdns.cdn.example", "static.cdn.example", client)
            .await?;
        let fixed = fixed
            .first()
            .and_then(|address| self.places.of_address(*address));
        let fixed = fixed.context("HTTPDNS with a strange address")?;
        let mut agrees = true;
        let mut quality_ms = f64::INFINITY;
        for (name, place) in [
            ("live.cdn.example", live_place),
            ("dl.cdn.example", download),
            ("static.cdn.example", fixed),
        ] {
            let word: Value = self
                .api
                .get_json(&format!("/v1/explain?name={name}&client={client}"))
                .await?;
            agrees &= word["answer"]["group"] == place.0.as_str()
                && word["answer"]["link"] == place.1.as_str();
            if name.starts_with("live") {
                let candidates = word["candidates"]
                    .as_array()
                    .context("an explanation without candidates")?;
                let chosen = candidates
                    .iter()
                    .find(|candidate| candidate["link"] == place.1.as_str());
                quality_ms = chosen
                    .and_then(|candidate| candidate["quality_ms"].as_f64())
                    .unwrap_or(f64::INFINITY);
            }
        }
        let floor_ms = self.config.inventory.services[0].latency_limit_ms;
        Ok(Seen {
            live: format!("{} {}", live_place.0, first),
            scope: live.scope.context("an answer without Client Subnet")?,
            download: download.0.clone(),
            fixed: fixed.0.clone(),
            quality_ms,
            agrees,
            within_floor: quality_ms <= floor_ms,
        })
    }
}

/// Answers that one client saw.
struct Seen {
    live: String,
    scope: u8,
    download: String,
    fixed: String,
    quality_ms: f64,
    /// True when all three ways lead where the control plane says.
    agrees: bool,
    within_floor: bool,
}
