//! Configuration: TOML in, a validated [`Config`] out, or every fault with file and line.
//!
//! ```text
//!   file, inventory file, --set --tree--> values with origins --section--> Config
//!                                  '--> faults (all of them; nothing is half-loaded)
//! ```

mod daemon;
mod fault;
mod gates;
mod inventory;
mod labelled;
mod policies;
mod section;
mod served;
#[cfg(test)]
mod tests;
mod tree;
mod trial;
mod zones;

pub use fault::{Fault, Faults};

use collectors::probe::Check;
use dns::DnsConfig;
use engine::cycle::EngineOptions;
use engine::inventory::Inventory;
use engine::policy::Policies;
use fault::Origin;
use redirect::RedirectConfig;
use section::{Section, Sink};
use served::Claimed;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tree::{Node, Value};

/// Rights of a token; each role may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Viewer,
    /// Report telemetry, ask for drains and end them.
    Rollout,
    /// Force drains, pin and roll back maps.
    Operator,
    /// All rights.
    Admin,
}

/// A token of the control API; the secret itself is never in a configuration.
#[derive(Clone, Debug)]
pub struct Token {
    /// Name of the holder, for the audit log.
    pub name: String,
    /// Role that bounds its rights.
    pub role: Role,
    /// SHA-256 of the secret.
    pub sha256: [u8; 32],
}

/// The control API.
#[derive(Clone, Debug)]
pub struct Api {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Tokens that may use it, besides the admin token in the data directory.
    pub tokens: Vec<Token>,
}

/// An edge's control plane.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Base URL of its control API.
    pub url: String,
    /// File that holds the token.
    pub token_file: Option<PathBuf>,
    /// Name under which this edge is known; its host name when absent.
    pub edge: Option<String>,
}

/// Sources of the area table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AreaSource {
    /// A file of `watershed geo build`.
    Table(PathBuf),
    /// Databases, read at the start and reduced to what the policies ask for. Without any, all
    /// clients are in one area.
    Databases {
        /// Places: a city or country database.
        city: Option<PathBuf>,
        /// Autonomous systems.
        asn: Option<PathBuf>,
    },
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of state.
    pub data_dir: PathBuf,
    /// Time that entries of the audit log are kept.
    pub audit_kept: Duration,
    /// The DNS server.
    pub dns: DnsConfig,
    /// The 302 and HTTPDNS server.
    pub redirect: RedirectConfig,
    /// The control API.
    pub api: Api,
    /// Control plane from which an edge gets its maps.
    pub control: Option<Upstream>,
    /// Options of the engine.
    pub engine: EngineOptions,
    /// Time between ticks of the engine.
    pub cycle: Duration,
    /// Source of the area table.
    pub areas: AreaSource,
    /// All that exists; empty for an edge that was given none.
    pub inventory: Inventory,
    /// Services that follow policies and not the optimizer.
    pub policies: Policies,
    /// Probes of the addresses of pools, in the order of [`Policies::checks`].
    pub checks: Vec<Check>,
    /// Remarks on the files that keep nothing from being loaded: keys under older names, as
    /// `section.rs` finds them.
    pub notices: Vec<Fault>,
}

impl Config {
    /// Reads a configuration file, the inventory that it names, and overrides such as
    /// `dns.udp-workers=2`. Paths in the file are relative to it.
    ///
    /// # Errors
    /// [`Faults`]: all that is wrong, sorted by file and line.
    pub fn load(path: &Path, set: &[String]) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let config = Self::read(path, set, &mut faults);
        faults.sort_by(Fault::by_place);
        faults.dedup();
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(Faults { faults }),
        }
    }

    fn read(path: &Path, set: &[String], faults: &mut Vec<Fault>) -> Option<Self> {
        let mut tree = parse_file(path, faults);
        for text in set {
            match (parse_set(text), &mut tree) {
                (Ok(node), Some(tree)) => tree::merge(tree, node),
                (Err(found), _) => faults.extend(found),
                (Ok(_), None) => {}
            }
        }
        let tree = tree?;
        let dir = path.parent().unwrap_or_else(|| Path::new("."));
        let sink = Sink::default();
        let root = Section::new(&tree, "", &sink);
        let mut config = daemon::read(&root, dir);
        if let Some(areas) = root.section("areas") {
            config.areas = read_areas(&areas, dir);
            areas.finish();
        }
        for zone in root.sections("zones") {
            config.inventory.zones.extend(zones::read(&zone, dir));
            zone.finish();
        }
        let beside = |key: &'static str| {
            let file = dir.join(root.text_or_none(key)?);
            let name = file.display();
            let text = fs::read_to_string(&file)
                .map_err(|why| root.fault(key, format!("cannot read {name}: {why}")))
                .ok()?;
            tree::parse(&text, &name.to_string())
                .map_err(|mut found| sink.faults.borrow_mut().append(&mut found))
                .ok()
        };
        let mut claimed = Claimed::default();
        if let Some(tree) = beside("inventory") {
            let section = Section::new(&tree, "", &sink);
            inventory::read(&section, &mut config.inventory, &mut claimed);
            section.finish();
        }
        if let Some(tree) = beside("policies") {
            let section = Section::new(&tree, "", &sink);
            (config.policies, config.checks) =
                policies::read(&section, &config.inventory.zones, &mut claimed);
            section.finish();
        }
        root.finish();
        faults.append(&mut sink.faults.into_inner());
        config.notices = sink.notices.into_inner();
        config.notices.sort_by(Fault::by_place);
        config.notices.dedup();
        // Names are tried together, and only where each of them alone is right.
        if faults.is_empty()
            && let Err(why) = trial::names(&config.inventory, &config.policies)
        {
            let origin = Origin {
                file: path.display().to_string().into(),
                line: 1,
            };
            faults.push(Fault::new(&origin, "", why));
        }
        Some(config)
    }
}

/// The `areas` table: `table`, or databases.
fn read_areas(section: &Section<'_>, dir: &Path) -> AreaSource {
    let file = |key| {
        let path = section.text_or_none(key).map(|file| dir.join(file))?;
        if !path.is_file() {
            section.fault(key, format!("there is no file {}", path.display()));
        }
        Some(path)
    };
    let (city, asn) = (file("city"), file("asn"));
    match section.text_or_none("table") {
        Some(table) => {
            if city.is_some() || asn.is_some() {
                section.fault(
                    "table",
                    "does not go with `city` or `asn`: build the table from them",
                );
            }
            AreaSource::Table(dir.join(table))
        }
        None => AreaSource::Databases { city, asn },
    }
}

fn parse_file(path: &Path, faults: &mut Vec<Fault>) -> Option<Node> {
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => tree::parse(&text, &name)
            .map_err(|found| faults.extend(found))
            .ok(),
        Err(why) => {
            let whole = Origin {
                file: name.into(),
                line: 0,
            };
            faults.push(Fault::new(&whole, "", format!("cannot be read: {why}")));
            None
        }
    }
}

/// `path.key=VALUE` is a TOML document of one line.
fn parse_set(text: &str) -> Result<Node, Vec<Fault>> {
    let origin = Origin {
        file: "--set".into(),
        line: 1,
    };
    if !text.contains('=') {
        return Err(vec![Fault::new(
            &origin,
            text,
            "must be path.key=VALUE, such as dns.udp-workers=2",
        )]);
    }
    tree::parse(text, "--set")
}

impl Node {
    /// A table that is not written anywhere.
    fn empty() -> Self {
        Self {
            value: Value::Table(std::collections::BTreeMap::new()),
            origin: Origin {
                file: "".into(),
                line: 1,
            },
        }
    }
}
