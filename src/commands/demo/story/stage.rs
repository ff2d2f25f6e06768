//! The stage: its processes, their start, and what every chapter asks of it.

use super::{Stage, chapter};
use crate::commands::demo::ask::Web;
use crate::commands::demo::cast::{Daemon, Population};
use crate::commands::demo::places::Places;
use crate::commands::demo::{CONFIG_FILE, DemoArgs};
use crate::commands::output;
use anyhow::Context;
use serde_json::Value;
use simulator::Stats;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use watershed::areas;
use watershed::client::ApiClient;
use watershed::config::Config;
use watershed::keys::{admin_token_file, read_token};

/// Demand of the world at everyone's busiest hour, Mbps.
const PEAK_MBPS: u32 = 8_000_000;
/// Afternoon in China, as an hour at Greenwich.
const AFTERNOON: f64 = 8.0;

impl Stage {
    /// Starts everything and waits until the map follows the population's telemetry.
    pub(super) async fn set(args: &DemoArgs, config: Config) -> anyhow::Result<Self> {
        chapter("setting the stage: a control plane, an edge, and clients in some 460 areas");
        let config_file = args.dir.join(CONFIG_FILE);
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
        let token_file = admin_token_file(&control.data_dir);
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

    pub(super) async fn map(&self) -> anyhow::Result<Value> {
        Ok(self.api.get_json("/v1/map").await?)
    }

    /// Waits until the map is as it should be.
    pub(super) async fn wait_for_map(
        &self,
        done: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
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

    /// Traffic of a group as the population sends it, Mbps.
    pub(super) async fn population_group(&mut self, group: &str) -> anyhow::Result<f64> {
        Ok(group_mbps(&self.population.stats().await?, group))
    }
}

/// Traffic of a group over all services, Mbps.
pub(super) fn group_mbps(stats: &Stats, group: &str) -> f64 {
    let services = stats
        .groups
        .get(group)
        .map(|services| services.values().sum::<f64>());
    services.unwrap_or(0.0).max(0.0)
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
