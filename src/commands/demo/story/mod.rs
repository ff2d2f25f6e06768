//! The story, chapter by chapter. Each chapter does something to the running system and checks what
//! came of it.

mod bill;
mod drain;
mod evening;
mod outage;
mod questions;
mod stage;
mod summary;

use super::DemoArgs;
use super::ask::Web;
use super::cast::{Daemon, Population};
use super::checks::Checks;
use super::places::Places;
use crate::commands::output;
use coverage::AreaTable;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use watershed::client::ApiClient;
use watershed::config::Config;

/// Areas that are asked from, by name.
const AREAS: [&str; 12] = [
    "cn/11/cu", "cn/31/ct", "cn/44/ct", "cn/44/cm", "cn/33/cm", "cn/37/cu", "cn/51/ct", "cn/42/ct",
    "cn/61/ct", "cn/21/cu", "us", "de",
];
/// Longest time for the whole story.
const STORY_MAX: Duration = Duration::from_secs(90);

/// Tells the story.
pub(super) async fn tell(json: bool, args: &DemoArgs, config: Config) -> anyhow::Result<Checks> {
    let begun = Instant::now();
    let mut stage = Stage::set(args, config).await?;
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

/// The stage: processes, clients and places.
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
