//! The servers: how each is told the policy, started, and known to be ready.

use crate::accounting::Memory;
use crate::dns::ask::ask_one;
use crate::dns::echo::ANSWER_EXTRA_BYTES;
use crate::dns::load::Expect;
use crate::dns::policy::{LABEL, Policy, ZONE};
use crate::dns::prefixes::Prefix;
use crate::dns::question::Question;
use crate::process::Server;
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

mod gdnsd;
mod knot;
mod watershed;

/// Time for which a server may take to load its data.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Time between looks whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// This project's daemon.
    Watershed,
    /// gdnsd with its plugin geoip.
    Gdnsd,
    /// Knot DNS with its module geoip; it knows no coordinates.
    Knot,
    /// Program that only sends back.
    Echo,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Watershed => "watershed",
            Self::Gdnsd => "gdnsd",
            Self::Knot => "knot",
            Self::Echo => "echo",
        })
    }
}

impl Kind {
    /// Tells whether this server can follow `policy`.
    #[must_use]
    pub fn can(self, policy: Policy) -> bool {
        !(self == Self::Knot && policy == Policy::Nearest)
    }

    /// Returns what may be asked of its answers.
    #[must_use]
    pub fn expect(self) -> Expect {
        match self {
            Self::Echo => Expect::Echo,
            _ => Expect::Answer,
        }
    }
}

/// Setting that all servers of one comparison share.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The policy.
    pub policy: Policy,
    /// The database, an absolute path.
    pub database: PathBuf,
    /// Place where each server gets a directory of its own, an absolute path.
    pub dir: PathBuf,
    /// This project's daemon.
    pub watershed: PathBuf,
    /// The core that servers run on.
    pub core: usize,
}

/// A server that answers.
#[derive(Debug)]
pub struct Running {
    /// Kind of server.
    pub kind: Kind,
    /// Place where it listens.
    pub addr: SocketAddr,
    /// Place where its control API listens, if it has one.
    pub api: Option<SocketAddr>,
    /// Time from its start to its first answer.
    pub ready_after: Duration,
    server: Server,
}

/// Command that starts a server.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) api: Option<SocketAddr>,
}

impl Running {
    /// Starts a server and waits for its first correct answer.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not answer in time.
    pub fn start(kind: Kind, setup: &Setup, question: &Question, probe: &Prefix) -> Result<Self> {
        let dir = fresh_dir(setup, &kind.to_string())?;
        let addr = free_addr()?;
        let launch = match kind {
            Kind::Watershed => watershed::launch(setup, &dir, addr)?,
            Kind::Gdnsd => gdnsd::launch(setup, &dir, addr)?,
            Kind::Knot => knot::launch(setup, &dir, addr)?,
            Kind::Echo => echo(addr)?,
        };
        Self::launch(kind, &launch, (setup, &dir, addr), (question, probe))
    }

    /// Starts what `launch` says in `dir`, and waits for its first correct answer.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub(super) fn launch(
        kind: Kind,
        launch: &Launch,
        (setup, dir, addr): (&Setup, &Path, SocketAddr),
        (question, probe): (&Question, &Prefix),
    ) -> Result<Self> {
        let begun = Instant::now();
        let log = dir.join("log");
        let mut server = Server::start(&launch.program, &launch.args, setup.core, &log)?;
        loop {
            server
                .check()
                .with_context(|| format!("{kind} does not start"))?;
            if ask_one(addr, question, probe, kind.expect())?.is_some() {
                break;
            }
            if begun.elapsed() > READY_WITHIN {
                bail!("{kind} does not answer: see {}", log.display());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(Self {
            kind,
            addr,
            api: launch.api,
            ready_after: begun.elapsed(),
            server,
        })
    }

    /// Process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Says so when it has ended.
    ///
    /// # Errors
    /// When it has.
    pub fn check(&mut self) -> Result<()> {
        let kind = self.kind;
        self.server
            .check()
            .with_context(|| format!("{kind} ended during the run"))
    }

    /// Memory now.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<Memory> {
        Memory::of(self.pid())
    }
}

/// The floor is this very program.
fn echo(addr: SocketAddr) -> Result<Launch> {
    Ok(Launch {
        program: std::env::current_exe().context("cannot find this program")?,
        args: vec![
            "echo".into(),
            "--listen".into(),
            addr.to_string(),
            "--extra-bytes".into(),
            ANSWER_EXTRA_BYTES.to_string(),
        ],
        api: None,
    })
}

/// The zone as a file: apex and name server, then `line` for the name that is asked for.
fn zone_file(line: &str) -> String {
    format!(
        "$TTL 300\n\
         @ IN SOA ns1 hostmaster 1 7200 900 1209600 60\n\
         @ IN NS ns1\n\
         @ IN NS ns2\n\
         ns1 IN A 192.0.2.53\n\
         ns2 IN A 192.0.2.54\n\
         {line}"
    )
}

/// The name that is asked for.
#[must_use]
pub fn name() -> String {
    format!("{LABEL}.{ZONE}")
}

/// An empty directory for one server.
pub(super) fn fresh_dir(setup: &Setup, name: &str) -> Result<PathBuf> {
    let dir = setup.dir.join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot clear {}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// An address of this machine whose port is free for UDP and TCP at the moment.
pub(super) fn free_addr() -> Result<SocketAddr> {
    for _ in 0..64 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let addr = tcp.local_addr()?;
        if UdpSocket::bind(addr).is_ok() {
            return Ok(addr);
        }
    }
    bail!("no port is free for UDP and TCP")
}

/// Writes a file of a server's configuration.
pub(super) fn write(dir: &Path, file: &str, text: &str) -> Result<()> {
    let path = dir.join(file);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A program of a Debian package: where packages put daemons, which need not be on everybody's
/// path.
fn packaged(name: &str) -> Result<PathBuf> {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = places.map(|place| Path::new(place).join(name));
    let found = found.into_iter().find(|path| path.exists());
    found.with_context(|| format!("{name} is not installed: run bench/peers.sh"))
}
