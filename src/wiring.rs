//! Putting a daemon together: from a configuration and a role to running tasks, and back down in
//! order.
//!
//! ```text
//!   all:      store -> control (thread) -> api   intake <- control   dns, redirect on its cell
//!   control:  store -> control (thread) -> api   intake <- control   (checks maps, serves none)
//!   edge:     subscription (task) -> intake      health endpoint     dns, redirect on its cell
//! ```

use crate::api::{self, Auth};
use crate::areas;
use crate::client::ApiClient;
use crate::clock::now;
use crate::config::{AreaSource, Config, Role, Token, Upstream};
use crate::control::{ControlHandle, ControlOptions, Deployment, start};
use crate::edge::Subscription;
use crate::keys;
use crate::metrics::Metrics;
use crate::serving::{Intake, ServingCell, keep_file, read_table};
use crate::store::SqliteStore;
use anyhow::Context;
use coverage::CheckId;
use coverage::observation::Observation;
use dns::DnsServer;
use redirect::RedirectServer;
use serde::Serialize;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Duty of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Control and serving in one process.
    All,
    /// The control plane alone.
    Control,
    /// Serving alone, subscribed to a control plane.
    Edge,
}

/// Addresses of a running daemon; kept as `addresses.json` in its data directory.
#[derive(Clone, Debug, Default, Serialize)]
struct Addresses {
    dns: Vec<SocketAddr>,
    redirect: Vec<SocketAddr>,
    api: Option<SocketAddr>,
}

/// Runs a daemon until `stop` turns true.
///
/// # Errors
/// When it cannot start; once it serves, faults are logged and counted instead.
pub async fn run(duty: Duty, config: Config, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    fs::create_dir_all(&config.data_dir).with_context(|| {
        format!(
            "cannot create the data directory {}",
            config.data_dir.display()
        )
    })?;
    let metrics = Metrics::of_process();
    let listener = TcpListener::bind(config.api.listen)
        .await
        .with_context(|| format!("cannot listen on api.listen {}", config.api.listen))?;
    let mut addresses = Addresses {
        api: Some(listener.local_addr()?),
        ..Addresses::default()
    };
    keep_addresses(&config.data_dir, &addresses)?;
    let daemon = match duty {
        Duty::Edge => start_edge(&config, listener, &metrics, stop.clone()).await?,
        Duty::All | Duty::Control => {
            start_control(&config, listener, &metrics, duty, stop.clone())?
        }
    };
    if duty != Duty::Control {
        let ready = stopped_or(daemon.intake.ready(), stop.clone()).await;
        if let (true, Some(cell)) = (ready, daemon.intake.cell()) {
            let servers = Servers::bind(&config, cell, &metrics)?;
            (addresses.dns, addresses.redirect) = servers.addresses();
            keep_addresses(&config.data_dir, &addresses)?;
            tracing::info!(dns = ?addresses.dns, redirect = ?addresses.redirect, "serving");
            wait(stop.clone()).await;
            servers.shutdown().await;
        }
    }
    wait(stop).await;
    daemon.end().await;
    Ok(())
}

/// The parts of a daemon that are not servers of questions.
struct Daemon {
    intake: Arc<Intake>,
    control: Option<(ControlHandle, std::thread::JoinHandle<()>)>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Daemon {
    async fn end(self) {
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a task had ended by a panic");
            }
        }
        if let Some((handle, thread)) = self.control {
            let joined = tokio::task::spawn_blocking(move || {
                handle.stop();
                thread.join().is_ok()
            });
            if !joined.await.unwrap_or(false) {
                tracing::error!("the control thread had ended by a panic");
            }
        }
    }
}

/// Starts store, control plane and API.
fn start_control(
    config: &Config,
    listener: TcpListener,
    metrics: &Metrics,
    duty: Duty,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Daemon> {
    let dir = &config.data_dir;
    let (table, steering) = areas::load(config)?;
    let key = keys::signing_key(dir)?;
    let intake = Arc::new(Intake::new(
        dir,
        vec![key.verifying_key()],
        Some(Arc::clone(&table)),
    ));
    if let Some(snapshot) = intake.restore() {
        tracing::info!(version = %snapshot.version, "serving the map kept on disk");
    }
    let store = Box::new(SqliteStore::open(&dir.join("state.db"))?);
    let options = ControlOptions {
        engine: config.engine.clone(),
        cycle: config.cycle,
        data_dir: dir.clone(),
        audit_kept: config.audit_kept,
        serves: duty == Duty::All,
    };
    let inventory = Arc::new(config.inventory.clone());
    let deployment = Deployment {
        inventory,
        table,
        steering: Arc::new(steering),
    };
    let (handle, thread) = start(deployment, options, store, key, Arc::clone(&intake))?;
    let mut tokens = config.api.tokens.clone();
    tokens.push(admin_token(dir)?);
    let router = api::router(handle.clone(), Auth::new(tokens), metrics.clone());
    let mut tasks = vec![serve_api(listener, router, stop.clone())];
    if !config.checks.is_empty() {
        tasks.push(tokio::spawn(probe(config, handle.clone(), stop)));
    }
    Ok(Daemon {
        intake,
        control: Some((handle, thread)),
        tasks,
    })
}

/// Probes the addresses of all pools.
fn probe(
    config: &Config,
    control: ControlHandle,
    stop: watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<> {
    let targets = config.checks.iter().enumerate().map(|(index, check)| {
        let addresses = config.policies.probed_by(index);
        (CheckId::from_index(index), check.clone(), addresses)
    });
    let tell = move |observation: Observation| control.observe(vec![observation]).is_ok();
    collectors::probe::run(targets.collect(), now, tell, stop)
}

/// Starts the subscription and the health endpoint.
async fn start_edge(
    config: &Config,
    listener: TcpListener,
    metrics: &Metrics,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Daemon> {
    let dir = &config.data_dir;
    let upstream = config
        .control
        .as_ref()
        .context("an edge needs [control] url in its configuration")?;
    let token = upstream
        .token_file
        .as_deref()
        .map(keys::read_token)
        .transpose()?;
    let client = ApiClient::new(&upstream.url, token)?;
    let mut keys = keys::accepted_keys(dir);
    if keys.is_empty() {
        stopped_or(first_contact(&client, dir), stop.clone()).await;
        keys = keys::accepted_keys(dir);
    }
    let kept = dir.join("areas.wsa");
    let given = match &config.areas {
        AreaSource::Table(path) => Some(path.as_path()),
        AreaSource::Databases { .. } => None,
    };
    let table = [Some(kept.as_path()), given]
        .into_iter()
        .flatten()
        .find_map(|path| read_table(path).ok());
    let intake = Arc::new(Intake::new(dir, keys, table));
    if let Some(snapshot) = intake.restore() {
        tracing::info!(version = %snapshot.version, "serving the map kept on disk");
    }
    let subscription = Subscription {
        client,
        edge: edge_name(upstream),
        data_dir: dir.clone(),
        intake: Arc::clone(&intake),
    };
    let ready = Arc::clone(&intake);
    let router = api::edge_router(metrics.clone(), move || ready.cell().is_some());
    let tasks = vec![
        tokio::spawn(subscription.run(stop.clone())),
        serve_api(listener, router, stop),
    ];
    Ok(Daemon {
        intake,
        control: None,
        tasks,
    })
}

/// Keeps the control plane's map key at the first contact; from then on only maps signed by it are
/// taken.
async fn first_contact(client: &ApiClient, dir: &Path) {
    const PAUSE: Duration = Duration::from_millis(500);
    loop {
        match fetch_key(client, dir).await {
            Ok(()) => return,
            Err(fault) => {
                tracing::warn!(%fault, "no control plane yet; an edge without a kept map needs one")
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn fetch_key(client: &ApiClient, dir: &Path) -> anyhow::Result<()> {
    #[derive(serde::Deserialize)]
    struct Key {
        key: String,
    }
    let Key { key } = client.get_json("/v1/map/key").await?;
    let key =
        keys::digest_of_hex(&key).context("the control plane's map key is not 64 hex digits")?;
    Ok(keep_file(dir, "map.pub", None, &key.0)?)
}

fn serve_api(
    listener: TcpListener,
    router: axum::Router,
    stop: watch::Receiver<bool>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(fault) = api::serve(listener, router, stop).await {
            tracing::error!(%fault, "the API has ended");
        }
    })
}

/// DNS and HTTP on one cell, each if it was given an address.
struct Servers {
    dns: Option<DnsServer>,
    redirect: Option<RedirectServer>,
}

impl Servers {
    fn bind(config: &Config, cell: &ServingCell, metrics: &Metrics) -> anyhow::Result<Self> {
        let (ask_dns, ask_http) = (&config.dns.listen, &config.redirect.listen);
        if ask_dns.is_empty() && ask_http.is_empty() {
            anyhow::bail!("nothing to serve: give dns.listen or redirect.listen an address");
        }
        let dns = (!ask_dns.is_empty())
            .then(|| DnsServer::bind(config.dns.clone(), Arc::clone(cell)))
            .transpose()?;
        let redirect = (!ask_http.is_empty())
            .then(|| RedirectServer::bind(config.redirect.clone(), Arc::clone(cell)))
            .transpose()?;
        let servers = Self { dns, redirect };
        servers.count_into(metrics);
        Ok(servers)
    }

    /// Makes the servers' counters readable at the scrape.
    fn count_into(&self, metrics: &Metrics) {
        if let Some(dns) = &self.dns {
            let counters = Arc::clone(dns.counters());
            metrics.add_source(move || {
                for (event, count) in counters.snapshot().iter() {
                    metrics::counter!("watershed_dns_messages_total", "event" => event.name())
                        .absolute(count);
                }
            });
        }
        if let Some(redirect) = &self.redirect {
            let counters = Arc::clone(redirect.counters());
            metrics.add_source(move || {
                for event in redirect::Event::ALL {
                    metrics::counter!("watershed_http_requests_total", "event" => event.name())
                        .absolute(counters.get(*event));
                }
            });
        }
    }

    fn addresses(&self) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        let dns = self.dns.as_ref().map(|dns| dns.local_addrs().to_vec());
        let http = self.redirect.as_ref();
        let http = http.map(|redirect| redirect.local_addrs().to_vec());
        (dns.unwrap_or_default(), http.unwrap_or_default())
    }

    async fn shutdown(self) {
        if let Some(dns) = self.dns {
            dns.shutdown().await;
        }
        if let Some(redirect) = self.redirect {
            redirect.shutdown().await;
        }
    }
}

fn keep_addresses(dir: &Path, addresses: &Addresses) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(addresses)?;
    keep_file(dir, "addresses.json", None, &text).context("cannot write addresses.json")
}

/// The admin token as the API compares it.
fn admin_token(dir: &Path) -> anyhow::Result<Token> {
    Ok(Token {
        name: "admin".into(),
        role: Role::Admin,
        sha256: keys::sha256(keys::admin_token(dir)?).0,
    })
}

/// Name of this edge: as configured, else that of the machine.
fn edge_name(upstream: &Upstream) -> String {
    let machine =
        || fs::read_to_string(PathBuf::from("/proc/sys/kernel/hostname")).unwrap_or_default();
    let name = upstream.edge.clone().unwrap_or_else(machine);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.chars().filter(|c| plain(*c)).take(64).collect()
}

async fn wait(mut stop: watch::Receiver<bool>) {
    // A dropped sender means stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Tells whether `work` ended before `stop` turned true.
async fn stopped_or(work: impl Future<Output = ()>, stop: watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = work => true,
        () = wait(stop) => false,
    }
}
