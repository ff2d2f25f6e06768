//! Cost of swapping snapshots: an edge under full load that is sent a new map 100
//! times a second.
//!
//! An ordinary daemon makes the map once; from it two generations are made that differ in every
//! address. The edge then follows a control plane of ours that hands it one after the other. Every
//! answer is compared with the right address of its prefix, in whichever generation: an answer
//! mixed from two snapshots, a lost or a wrong one is counted.

use crate::dns::ask::ask_each;
use crate::dns::compare::{Measured, Plan, measure_with};
use crate::dns::load::{Expect, Generator, UPPER_GENERATION, last_octet};
use crate::dns::policy::ZONE;
use crate::dns::prefixes::Prefix;
use crate::dns::question::Question;
use crate::dns::servers::{Kind, Launch, Running, Setup, free_addr, fresh_dir, name, write};
use anyhow::{Context as _, Result, ensure};
use control_plane::ControlPlane;
use coverage::Body;
use coverage::record;
use ed25519_dalek::SigningKey;
use std::path::Path;
use std::time::Duration;

mod control_plane;
mod report;

pub use report::SwapReport;

/// Prefixes that are asked for: few, because the right answer of each is found out first, one by
/// one.
const PREFIXES: usize = 1 << 14;

/// One measurement without swaps and one with them.
#[derive(Debug)]
pub struct SwapRound {
    /// The map stood still.
    pub still: Measured,
    /// The map was swapped all the time.
    pub swapped: Measured,
    /// Swaps that the edge made in the second, its warm-up included.
    pub swaps: u64,
}

/// Runs the experiment, `per_second` swaps a second where swaps are on.
///
/// # Errors
/// When a daemon cannot be started or ends.
pub fn swaps(
    setup: &Setup,
    plan: &Plan,
    prefixes: &[Prefix],
    per_second: u32,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<SwapRound>> {
    ensure!(per_second > 0, "swaps must be 1 a second at least");
    let question = Question::new(&name());
    let prefixes = &prefixes[..prefixes.len().min(PREFIXES)];
    say("making the map");
    let made = Made::by_daemon(setup, &question, &prefixes[0])?;
    let every = Duration::from_secs(1) / per_second;
    let control = ControlPlane::start(&made.record, made.bodies, made.key, every)?;
    say("starting an edge");
    let probe = (&question, &prefixes[0]);
    let mut edge = start_edge(setup, &control, &made.table, probe)?;
    let right = right_octets(&edge, &question, prefixes)?;
    let mut rounds = Vec::with_capacity(plan.rounds);
    for round in 1..=plan.rounds {
        let one = |edge: &mut Running| {
            let (addr, window) = (edge.addr, plan.window);
            let generator = Generator::new(addr, &question, prefixes, window, Expect::Answer)?;
            measure_with(edge, plan, generator.only(&right))
        };
        let still = one(&mut edge)?;
        control.swap(true);
        let before = control.taken();
        let swapped = one(&mut edge)?;
        let swaps = control.taken() - before;
        control.swap(false);
        say(&format!("round {round} of {}: {swaps} swaps", plan.rounds));
        rounds.push(SwapRound {
            still,
            swapped,
            swaps,
        });
    }
    Ok(rounds)
}

/// Maps that a daemon made of the policy, and the two generations.
struct Made {
    record: Vec<u8>,
    table: Vec<u8>,
    key: SigningKey,
    bodies: [Body; 2],
}

impl Made {
    /// Lets a daemon start, and takes its map, table and key.
    fn by_daemon(setup: &Setup, question: &Question, probe: &Prefix) -> Result<Self> {
        let daemon = Running::start(Kind::Watershed, setup, question, probe)?;
        let data = setup.dir.join(Kind::Watershed.to_string()).join("data");
        let read = |name: &str| {
            let path = data.join(name);
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let key: [u8; 32] = read("map.key")?.try_into().ok().context("no map key")?;
        let key = SigningKey::from_bytes(&key);
        let record = read("map.wsm")?;
        let token = String::from_utf8(read("admin.token")?).context("no token")?;
        let opened = record::open(&record, &[key.verifying_key()])?;
        let api = daemon.api.context("the daemon has no control API")?;
        let path = format!("/v1/areas/{}", opened.header.table_digest);
        let table = control_plane::get(api, &path, token.trim())?;
        let lower = opened.body()?;
        let mut upper = lower.clone();
        for address in upper
            .catalog
            .endpoints
            .iter_mut()
            .flat_map(|end| &mut end.ipv4)
        {
            let [a, b, c, d] = address.octets();
            *address = [a, b, c, d | UPPER_GENERATION].into();
        }
        ensure!(lower != upper, "the map has no address to change");
        Ok(Self {
            record,
            table,
            key,
            bodies: [lower, upper],
        })
    }
}

/// Starts an edge that follows `control`.
fn start_edge(
    setup: &Setup,
    control: &ControlPlane,
    table: &[u8],
    probe: (&Question, &Prefix),
) -> Result<Running> {
    let dir = fresh_dir(setup, "edge")?;
    let (addr, api) = (free_addr()?, free_addr()?);
    let config = format!(
        "version = 1\ndata-dir = \"data\"\n\n\
         [control]\nurl = \"http://{}\"\nedge-name = \"bench-{ZONE}\"\n\n\
         [dns]\nlisten = [\"{addr}\"]\nudp-workers = 1\n\n\
         [api]\nlisten = \"{api}\"\n",
        control.addr()
    );
    write(&dir, "watershed.toml", &config)?;
    // As if the edge had been in contact before: it knows the key and the table.
    let data = dir.join("data");
    keep(&data, "map.pub", control.public_key().as_bytes())?;
    keep(&data, "areas.wsa", table)?;
    let config = dir.join("watershed.toml").display().to_string();
    let launch = Launch {
        program: setup.watershed.clone(),
        args: vec!["edge".into(), "-c".into(), config],
        api: Some(api),
    };
    Running::launch(Kind::Watershed, &launch, (setup, &dir, addr), probe)
}

/// Writes a file of an edge's data directory.
fn keep(dir: &Path, name: &str, content: &[u8]) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join(name);
    std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// The right address of each prefix in the lower generation: its last octet.
fn right_octets(edge: &Running, question: &Question, prefixes: &[Prefix]) -> Result<Vec<u8>> {
    let answers = ask_each(edge.addr, question, prefixes, Expect::Answer)?;
    let octets = answers.into_iter().map(|answer| {
        let answer = answer.context("the edge left a question without a correct answer")?;
        Ok(last_octet(answer) & !UPPER_GENERATION)
    });
    octets.collect()
}
