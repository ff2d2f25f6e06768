//! The metrics endpoint, with one recorder for the process. Counters that hot paths keep per core
//! are read when the page is asked for.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Something that copies its own counters into the recorder when a scrape comes.
type Source = Box<dyn Fn() + Send + Sync>;

/// The process's metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    sources: Arc<Mutex<Vec<Source>>>,
}

/// The recorder of the process. Its first caller makes it.
static METRICS: OnceLock<Metrics> = OnceLock::new();

impl Metrics {
    /// The metrics of this process.
    ///
    /// # Panics
    /// When another library installed a recorder of its own, which is a fault of ours.
    #[must_use]
    pub(crate) fn of_process() -> Self {
        let make = || {
            let handle = PrometheusBuilder::new()
                .install_recorder()
                .expect("no other recorder is installed");
            describe();
            Self {
                handle,
                sources: Arc::default(),
            }
        };
        METRICS.get_or_init(make).clone()
    }

    /// Adds a source that is read at each scrape.
    pub(crate) fn add_source(&self, source: impl Fn() + Send + Sync + 'static) {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(source));
    }

    /// The page in Prometheus text format.
    #[must_use]
    pub(crate) fn render(&self) -> String {
        for source in self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            source();
        }
        self.handle.render()
    }
}

/// Tells readers of the page what the names mean.
fn describe() {
    describe_maps();
    describe_engine();
    describe_contracts();
    describe_counter!("watershed_dns_messages_total", "DNS messages, by outcome.");
    describe_counter!(
        "watershed_http_requests_total",
        "HTTP requests on serving ports, by outcome."
    );
}

fn describe_maps() {
    describe_counter!("watershed_map_accepted_total", "Maps taken into service.");
    describe_counter!(
        "watershed_map_refused_total",
        "Maps refused, by reason; the one in service stayed."
    );
    describe_counter!(
        "watershed_map_persist_failures_total",
        "Maps in service that could not be kept on disk."
    );
    describe_counter!(
        "watershed_map_fetch_failures_total",
        "Questions for a newer map that failed."
    );
    describe_gauge!("watershed_map_epoch", "Epoch of the map in service.");
    describe_gauge!("watershed_map_version", "Version of the map in service.");
    describe_gauge!("watershed_map_age_seconds", "Age of the map in service.");
}

fn describe_engine() {
    describe_counter!(
        "watershed_telemetry_accepted_total",
        "Telemetry records accepted."
    );
    describe_counter!(
        "watershed_telemetry_refused_total",
        "Telemetry records refused, by reason."
    );
    describe_counter!(
        "watershed_gate_held_total",
        "Times a publishing gate began to hold something back, by gate."
    );
    describe_counter!("watershed_cycles_total", "Engine cycles, by outcome.");
    describe_histogram!(
        "watershed_solve_seconds",
        "Time from input to checked plan, by tier: local, warm, full."
    );
    describe_gauge!(
        "watershed_plan_gap_ratio",
        "Certified gap of the newest plan, as a share of its cost."
    );
    describe_gauge!(
        "watershed_plan_unserved_mbps",
        "Demand that the newest plan cannot place."
    );
    describe_gauge!(
        "watershed_plan_overload_mbps",
        "Traffic above watermarks in the newest plan."
    );
    describe_gauge!(
        "watershed_plan_cost_cny",
        "Cost and latency of the newest plan, CNY per slot."
    );
    describe_gauge!("watershed_drains", "Drains, by state.");
}

fn describe_contracts() {
    describe_counter!(
        "watershed_ledger_refused_total",
        "Billing samples that the ledger does not count, by reason: malformed, late, ahead."
    );
    describe_counter!(
        "watershed_levels_total",
        "Times that levels of contracts were to be planned, by outcome: planned, given-up, failed."
    );
    describe_histogram!(
        "watershed_levels_seconds",
        "Time that planning levels of contracts took."
    );
    describe_gauge!(
        "watershed_nodes_silent",
        "Nodes taken for down because they alone of their site say nothing."
    );
    describe_gauge!(
        "watershed_meter_level_mbps",
        "Level that a contract is planned to be charged, by meter."
    );
    describe_gauge!(
        "watershed_meter_tokens",
        "Free slots left above the planned level, by meter."
    );
    describe_gauge!(
        "watershed_meter_bursting",
        "Whether the slot under way is a free one, by meter."
    );
}
