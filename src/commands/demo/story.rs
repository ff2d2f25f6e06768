//! The story, chapter by chapter. Each chapter does something to the running system and checks what came of it.

use super::DemoArgs;
use super::ask::{self, Web};
use super::cast::{Daemon, Population};
use super::checks::Checks;
use super::costs::{self, Costs};
use super::places::{Places, clients};
use crate::areas;
use crate::client::ApiClient;
use crate::commands::output;
use crate::config::Config;
use crate::wiring::read_token;
use anyhow::Context;
use coverage::AreaTable;
use engine::inventory::{BillingModel, Group};
use serde_json::{Value, json};
use simulator::Stats;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Areas that are asked from, by name.
const AREAS: [&str; 12] = [
    "cn/11/cu", "cn/31/ct", "cn/44/ct", "cn/44/cm", "cn/33/cm", "cn/37/cu", "cn/51/ct", "cn/42/ct",
    "cn/61/ct", "cn/21/cu", "us", "de",
];
/// Demand of the world at everyone's busiest hour, Mbps.
const PEAK_MBPS: u32 = 8_000_000;
/// Afternoon and evening in China, as hours at Greenwich.
const AFTERNOON: f64 = 8.0;
const EVENING: f64 = 13.0;
/// The site whose drain must be refused when its continent has nothing to spare, and what makes it so.
const SCARCE_SITE: &str = "iad1";
const CROWD: &str = "scale *@us 5";
const NO_CROWD: &str = "scale *@us 1";
/// How long the whole story may take.
const STORY_MAX: Duration = Duration::from_secs(90);

/// Tells the story.
pub(super) async fn tell(json: bool, args: &DemoArgs) -> anyhow::Result<Checks> {
    let begun = Instant::now();
    let mut stage = Stage::set(args).await?;
    let mut checks = Checks::default();
    stage.questions(&mut checks).await?;
    stage.evening(&mut checks).await?;
    stage.refused_drain(&mut checks).await?;
    stage.drain(&mut checks).await?;
    let costs = stage.costs(&mut checks).await?;
    stage.control_dies(&mut checks).await?;
    stage.population_is_whole(&mut checks).await?;
    let took = begun.elapsed();
    checks.note(
        took <= STORY_MAX,
        "the story fits into 90 s",
        format!("{:.0} s", took.as_secs_f64()),
    );
    stage.summary(json, &checks, &costs).await?;
    if args.keep {
        stage.keep().await?;
    }
    Ok(checks)
}

fn chapter(text: &str) {
    output::tell(&format!("\n== {text}"));
}

/// Everything on stage.
struct Stage {
    config: Config,
    config_file: PathBuf,
    table: Arc<AreaTable>,
    places: Places,
    control: Daemon,
    edge: Daemon,
    population: Population,
    api: ApiClient,
    dns: SocketAddr,
    web: Web,
    web_address: SocketAddr,
}

impl Stage {
    /// Starts everything and waits until the map follows the population's telemetry.
    async fn set(args: &DemoArgs) -> anyhow::Result<Self> {
        chapter("setting the stage: a control plane, an edge, and clients in some 460 areas");
        let config_file = args.dir.join("watershed.toml");
        let config = Config::load(&config_file, &[])?;
        let table = areas::load(&config)?.0;
        let state = &args.state;
        // Only folders that a demo made are emptied.
        for part in ["control", "edge"] {
            let _ = std::fs::remove_dir_all(state.join(part));
        }
        std::fs::create_dir_all(state)
            .with_context(|| format!("cannot create {}", state.display()))?;
        let port_of_choice = || "api.listen='127.0.0.1:0'".to_owned();
        let mut control = Daemon::start("control", &config_file, state, vec![port_of_choice()])?;
        let api_address = control.address("api").await?;
        let token_file = control.data_dir.join("admin.token");
        let edge_keys = vec![
            port_of_choice(),
            "dns.listen=['127.0.0.1:0']".into(),
            "redirect.listen=['127.0.0.1:0']".into(),
            format!("control.url='http://{api_address}'"),
            format!("control.token-file='{}'", token_file.display()),
            "control.edge-name='edge-1'".into(),
        ];
        // The edge needs the token at its start.
        wait_for(|| token_file.exists(), Duration::from_secs(10)).await?;
        let mut edge = Daemon::start("edge", &config_file, state, edge_keys)?;
        let (dns, web_address) = (edge.address("dns").await?, edge.address("redirect").await?);
        let arguments = [
            format!("--dns={dns}"),
            format!("--redirect={web_address}"),
            format!("--telemetry={api_address}"),
            format!("--token-file={}", token_file.display()),
            "--day=0".into(),
            format!("--hour={AFTERNOON}"),
            format!("--peak-mbps={PEAK_MBPS}"),
        ];
        let population = Population::start(&config_file, state, &arguments)?;
        let api = ApiClient::new(
            &format!("http://{api_address}"),
            Some(read_token(&token_file)?),
        )?;
        output::tell(&format!(
            "   DNS on {dns}, 302 and HTTPDNS on {web_address}, control API on {api_address}"
        ));
        let places = Places::new(&config.inventory);
        let web = Web::new(web_address);
        let stage = Self {
            config,
            config_file,
            table,
            places,
            control,
            edge,
            population,
            api,
            dns,
            web,
            web_address,
        };
        let solved =
            |map: &Value| map["cycle"]["plan"]["levels"]["unserved_mbps"].as_f64() == Some(0.0);
        let fed = |map: &Value| {
            map["cycle"]["demand_mbps"]
                .as_f64()
                .is_some_and(|mbps| mbps > 1e6)
        };
        stage.wait_for_map(|map| solved(map) && fed(map)).await?;
        sleep(Duration::from_secs(3)).await;
        Ok(stage)
    }

    async fn map(&self) -> anyhow::Result<Value> {
        Ok(self.api.get_json("/v1/map").await?)
    }

    /// Waits until the map is as it should be.
    async fn wait_for_map(&self, done: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let spinner = output::spinner("waiting for the map");
        for _ in 0..100 {
            if let Ok(map) = self.map().await
                && done(&map)
            {
                spinner.finish_and_clear();
                return Ok(map);
            }
            sleep(Duration::from_millis(150)).await;
        }
        anyhow::bail!("the map did not follow the telemetry; see the logs beside addresses.json")
    }

    /// Real questions from several provinces and ISPs, by DNS, 302 and HTTPDNS, each held against the control plane's word.
    async fn questions(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
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

    /// One client by all three ways. Wire and word may differ for a moment while a new map travels, so it is asked again.
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
        let floor_ms = self.config.inventory.services[0].floor_ms;
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

    /// The evening peak comes; flat ports, which cost nothing more, fill, and the map moves no more than it must.
    async fn evening(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        chapter("the evening peak: flat ports fill first, and the map moves just enough");
        let (full_before, before_mbps) = self.flat_ports().await?;
        let before = self.map().await?;
        for hour in [10.0, 11.0, 12.0, EVENING] {
            self.population.say(&format!("hour {hour}")).await?;
            sleep(Duration::from_millis(2500)).await;
            let map = self.map().await?;
            let plan = &map["cycle"]["plan"];
            output::tell(&format!(
                "   {hour:>4} h at Greenwich: demand {:.2} Tbps, moved {:.0} Gbps of which {:.0} had to, gap {:.6} %",
                map["cycle"]["demand_mbps"].as_f64().unwrap_or(0.0) / 1e6,
                plan["levels"]["moved_mbps"].as_f64().unwrap_or(0.0) / 1e3,
                plan["moved_min_possible_mbps"].as_f64().unwrap_or(0.0) / 1e3,
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

    /// How full the flat ports of the country are on average, as shares of their watermarks, and what they carry in Mbps.
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

    /// Traffic of a group as the population sends it, Mbps.
    async fn population_group(&mut self, group: &str) -> anyhow::Result<f64> {
        Ok(group_mbps(&self.population.stats().await?, group))
    }

    /// A drain that would overload its region is refused, with the bottleneck named.
    async fn refused_drain(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
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
    async fn drain(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
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

    /// The busiest group of a site that has two and is alone in its province: its clients have reason to come back.
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

    /// What this slot costs under the map and under simpler policies.
    async fn costs(&mut self, checks: &mut Checks) -> anyhow::Result<Costs> {
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

    /// The control plane is killed; answers go on; it comes back and forgets nothing.
    async fn control_dies(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
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
    async fn population_is_whole(&mut self, checks: &mut Checks) -> anyhow::Result<()> {
        let stats = self.population.stats().await?;
        let (bad, answers) = (stats.hard_errors(), stats.answers());
        checks.note(
            bad == 0 && answers > 1000,
            "no empty answer and no strange one in the whole story",
            format!("{bad} of {answers}"),
        );
        Ok(())
    }

    /// The last table.
    async fn summary(
        &mut self,
        as_json: bool,
        checks: &Checks,
        costs: &Costs,
    ) -> anyhow::Result<()> {
        let stats = self.population.stats().await?;
        let mut table = output::table(&["answers of the edge", "count", "p50", "p99", "failed"]);
        for (way, name) in [(&stats.dns, "DNS"), (&stats.redirect, "302")] {
            let failed: u64 = way.failures.values().sum();
            let (p50, p99) = (format!("{} us", way.p50_us), format!("{} us", way.p99_us));
            table.add_row([
                name.to_owned(),
                way.answers.to_string(),
                p50,
                p99,
                failed.to_string(),
            ]);
        }
        if as_json {
            let rows: Vec<Value> = costs
                .rows
                .iter()
                .map(|row| json!({ "policy": row.policy, "levels": row.levels }))
                .collect();
            return output::json(
                &json!({ "checks": checks, "costs": rows, "dns": stats.dns, "redirect": stats.redirect }),
            );
        }
        output::say(&format!("\n{table}\n{}\n{}", costs.table(), checks.table()))?;
        let verdict = if checks.failed() == 0 {
            "every check passed"
        } else {
            "some checks FAILED"
        };
        output::say(verdict)
    }

    /// Stays up until Ctrl-C.
    async fn keep(&mut self) -> anyhow::Result<()> {
        let config = self.config_file.display();
        let api = self.api.base_url();
        let token = self.control.data_dir.join("admin.token");
        let (dns, web) = (self.dns, self.web_address);
        let global = format!("-c {config} --api {api} --token-file {}", token.display());
        output::say(&format!(
            "\nEverything stays up until Ctrl-C. To try:\n\
             \x20 dig @{} -p {} live.cdn.example A +subnet=202.96.128.0/24\n\
             \x20 curl -si -H 'Host: dl.cdn.example' -H 'X-Forwarded-For: 202.96.128.86' http://{web}/film.mp4\n\
             \x20 watershed status {global}\n\
             \x20 watershed explain --name live.cdn.example --client 202.96.128.86 {global}\n\
             \x20 watershed drain group:szx1-a --lease 10m --reason trying --wait {global}\n\
             \x20 watershed drains {global}\n\
             The edge keeps its data in {}.",
            dns.ip(),
            dns.port(),
            self.edge.data_dir.display(),
        ))?;
        Ok(tokio::signal::ctrl_c().await?)
    }
}

/// Traffic of a group over all services, Mbps.
fn group_mbps(stats: &Stats, group: &str) -> f64 {
    let services = stats
        .groups
        .get(group)
        .map(|services| services.values().sum::<f64>());
    services.unwrap_or(0.0).max(0.0)
}

/// What one client saw.
struct Seen {
    live: String,
    scope: u8,
    download: String,
    fixed: String,
    quality_ms: f64,
    /// Whether all three ways lead where the control plane says.
    agrees: bool,
    within_floor: bool,
}

/// Waits for something local.
async fn wait_for(done: impl Fn() -> bool, most: Duration) -> anyhow::Result<()> {
    let since = Instant::now();
    while !done() {
        anyhow::ensure!(
            since.elapsed() < most,
            "a process of the demo did not get ready in {most:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
