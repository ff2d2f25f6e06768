//! `watershed simulate`: a population of resolvers and clients drives a running daemon from
//! outside.

use anyhow::Context;
use engine::inventory::{Endpoint, Front, Inventory};
use simulator::{RunOptions, Servers, Shape, Simulation, SimulationConfig, Way, World};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use watershed::areas;
use watershed::config::Config;
use watershed::keys::{admin_token_file, read_token};

mod month;
mod report;

pub(crate) use month::{MonthArgs, run as run_month};

/// Time for which a client of a redirected service stays where it was sent, in seconds.
const SESSION_S: f64 = 4.0;

/// Options of the population, or another thing to simulate.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SimulateArgs {
    /// Instead of a population on the wire.
    #[command(subcommand)]
    pub(crate) what: Option<Other>,
    /// DNS server to ask (UDP and TCP).
    #[arg(long, value_name = "ADDR")]
    pub(crate) dns: Option<SocketAddr>,
    /// 302 server to ask; this machine's address must be among its trusted proxies.
    #[arg(long, value_name = "ADDR")]
    pub(crate) redirect: Option<SocketAddr>,
    /// Control API to report telemetry to.
    #[arg(long, value_name = "ADDR")]
    pub(crate) telemetry: Option<SocketAddr>,
    /// Length of a simulated day in seconds of wall time; 0 stops the sun.
    #[arg(long, default_value_t = 86_400.0, value_name = "SECONDS")]
    pub(crate) day: f64,
    /// Hour of day at Greenwich at the start.
    #[arg(long, default_value_t = 4.0, value_name = "HOUR")]
    pub(crate) hour: f64,
    /// Demand of the whole world if everyone had their busiest hour at once, Mbps.
    #[arg(long, default_value_t = 1_000_000.0, value_name = "MBPS")]
    pub(crate) peak_mbps: f64,
    /// Client prefixes behind each resolver.
    #[arg(long, default_value_t = 4, value_name = "COUNT")]
    pub(crate) clients: usize,
    /// Share of clients that keep an answer beyond its TTL.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub(crate) overstay: f64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Simulations that need no daemon.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Other {
    /// Plays a month of 5-minute slots with every policy, and compares what it costs.
    Month(MonthArgs),
}

/// Drives a daemon until standard input ends or says `stop`.
///
/// # Errors
/// When the simulation cannot start.
pub(crate) fn run(
    config: &Config,
    token_file: Option<PathBuf>,
    args: &SimulateArgs,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let table = areas::load(config)?.0;
    let token_file = token_file.unwrap_or_else(|| admin_token_file(&config.data_dir));
    let api_token = if args.telemetry.is_some() {
        read_token(&token_file)?
    } else {
        String::new()
    };
    let mut simulation = SimulationConfig {
        world: world(&config.inventory),
        servers: Servers {
            dns: args.dns,
            redirect: args.redirect,
            httpdns: None,
            api: args.telemetry,
            api_token,
        },
        population: simulator::PopulationOptions::default(),
        run: RunOptions {
            seed: args.seed,
            utc_hour: args.hour,
            day_s: args.day,
            peak_mbps: args.peak_mbps,
            ..RunOptions::default()
        },
        events: Vec::new(),
    };
    simulation.population.clients_per_resolver = args.clients;
    simulation.population.overstay_share = args.overstay;
    // On one machine all resolvers have one address: without ECS they would all seem to be in one
    // place.
    simulation.population.without_ecs_share = 0.0;
    runtime.block_on(async {
        let handle = Simulation::start(simulation, &table)
            .await
            .context("the simulation cannot start")?;
        let input = tokio::io::stdin();
        let output = tokio::io::stdout();
        simulator::serve_lines(&handle, input, output)
            .await
            .context("the control lines broke off")?;
        handle.stop().await;
        Ok(())
    })
}

/// The physical world of an inventory.
fn world(inventory: &Inventory) -> World {
    let site_name = |site: coverage::SiteId| inventory.sites[site.index()].name.clone();
    let links = inventory.links.iter().map(|link| simulator::Link {
        name: link.name.clone(),
        site: site_name(link.site),
        isp: link.isp.clone(),
        capacity_mbps: link.capacity_mbps,
    });
    let sites = inventory.sites.iter().map(|site| simulator::Site {
        name: site.name.clone(),
        region: site.region.clone(),
        country: site.country.clone(),
        latitude: site.latitude,
        longitude: site.longitude,
    });
    let groups = inventory
        .groups
        .iter()
        .enumerate()
        .map(|(index, group)| simulator::Group {
            name: group.name.clone(),
            site: site_name(group.site),
            nodes: group
                .nodes
                .iter()
                .map(|node| &inventory.nodes[node.index()])
                .map(|node| simulator::Node {
                    name: node.name.clone(),
                    capacity_mbps: node.capacity_mbps,
                })
                .collect(),
            endpoints: inventory
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.group.index() == index)
                .map(|endpoint| world_endpoint(inventory, endpoint))
                .collect(),
        });
    let services = inventory.services.iter().map(|service| {
        let served = &service.served;
        let redirected = served.redirect_hosts.first();
        simulator::Service {
            name: served.name.clone(),
            way: if redirected.is_some() {
                Way::Redirect
            } else {
                Way::Dns
            },
            domain: served.domains.first().cloned().unwrap_or_default(),
            redirect_host: redirected.cloned().unwrap_or_default(),
            share: service.initial_mbps,
            shape: Shape::Evening,
            session_s: SESSION_S,
        }
    });
    World {
        sites: sites.collect(),
        links: links.collect(),
        groups: groups.collect(),
        services: services.collect(),
    }
}

fn world_endpoint(inventory: &Inventory, endpoint: &Endpoint) -> simulator::Endpoint {
    let group = &inventory.groups[endpoint.group.index()];
    let named = group.front == Front::Nodes;
    let nodes = group
        .nodes
        .iter()
        .zip(&endpoint.nodes)
        .map(|(node, port)| simulator::NodePort {
            node: inventory.nodes[node.index()].name.clone(),
            authority: port.authority.clone(),
            addresses: if named {
                [Some(IpAddr::V4(port.ipv4)), port.ipv6.map(IpAddr::V6)]
                    .into_iter()
                    .flatten()
                    .collect()
            } else {
                Vec::new()
            },
        });
    simulator::Endpoint {
        link: inventory.links[endpoint.link.index()].name.clone(),
        ipv4: endpoint.ipv4.clone(),
        ipv6: endpoint.ipv6.clone(),
        nodes: nodes.collect(),
    }
}
