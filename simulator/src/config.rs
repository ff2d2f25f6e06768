//! All that a simulation is started with.

use crate::population::PopulationOptions;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Course of a simulation: what is asked, and by whom. Times in seconds or milliseconds of wall
/// time; TTLs are obeyed in wall time, too, whatever the pace of the day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SimulationConfig {
    /// The physical world.
    pub world: World,
    /// Addresses of the daemon.
    pub servers: Servers,
    /// Population that asks.
    #[serde(default)]
    pub population: PopulationOptions,
    /// Options of the run.
    #[serde(default)]
    pub run: RunOptions,
    /// Events that happen by themselves.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// Addresses on which the daemon listens. What is absent is not asked or told; clients of that way
/// then know nowhere to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Servers {
    /// DNS, UDP and TCP.
    pub dns: Option<SocketAddr>,
    /// HTTP 302; our address must be among its trusted proxies.
    pub redirect: Option<SocketAddr>,
    /// HTTPDNS; the same holds.
    pub httpdns: Option<SocketAddr>,
    /// Control API, for telemetry.
    pub api: Option<SocketAddr>,
    /// Bearer token for telemetry.
    pub api_token: String,
}

/// Options of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunOptions {
    /// Seed of everything random.
    pub seed: u64,
    /// Length of a tick, ms: how often traffic is computed and told.
    pub tick_ms: u64,
    /// Hour of day at Greenwich at the start.
    pub utc_hour: f64,
    /// Length of a simulated day, seconds of wall time; 0 stops the sun.
    pub day_s: f64,
    /// Demand of the whole world if it were everyone's busiest hour at once, Mbps.
    pub peak_mbps: f64,
    /// Noise on each demand and each measured round-trip time, as a share.
    pub noise: f64,
    /// Sessions (objects fetched) of each client prefix of a redirected service.
    pub sessions_per_client: u32,
    /// Most questions in flight, for DNS and for HTTP each.
    pub in_flight_max: usize,
    /// Time for which a question waits for its answer, ms.
    pub timeout_ms: u64,
    /// Most lines in one batch of telemetry.
    pub batch_lines_max: usize,
    /// Pairs of area and link whose quality is told in each tick, after the first.
    pub quality_lines_per_tick: usize,
    /// Path and query of an HTTPDNS question; `{name}`, `{family}` (4 or 6) and `{client}` are
    /// filled in. The client is told in `X-Forwarded-For`, too.
    pub httpdns_path: String,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            tick_ms: 1_000,
            utc_hour: 4.0,
            day_s: 86_400.0,
            peak_mbps: 1_000_000.0,
            noise: 0.03,
            sessions_per_client: 3,
            in_flight_max: 32,
            timeout_ms: 1_000,
            batch_lines_max: 5_000,
            quality_lines_per_tick: 2_000,
            httpdns_path: "/httpdns/d?host={name}&query={family}".to_owned(),
        }
    }
}

/// A command that runs by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Event {
    /// Wall time since the start, seconds.
    pub at_s: f64,
    /// A line of the control protocol, such as `fail-link gz1/ct`.
    pub command: String,
}

/// Simulated hours per second of wall time, for a day of so many seconds; 0 for 0.
#[must_use]
pub fn hours_per_s(day_s: f64) -> f64 {
    if day_s > 0.0 { 24.0 / day_s } else { 0.0 }
}
