//! The processes of the demo: this binary, three times, each killed when its handle is dropped.

use anyhow::{Context, ensure};
use serde_json::Value;
use simulator::Stats;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

/// Longest time until a process listens.
const START_MAX: Duration = Duration::from_secs(20);
/// Pause between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longest time for the simulator to answer a line.
const LINE_MAX: Duration = Duration::from_secs(10);

/// A daemon of the demo.
pub(super) struct Daemon {
    role: &'static str,
    /// Data directory of the process.
    pub(super) data_dir: PathBuf,
    config: PathBuf,
    set: Vec<String>,
    child: Child,
}

impl Daemon {
    /// Starts `watershed ROLE` with a data directory of its own; its log goes to a file there.
    pub(super) fn start(
        role: &'static str,
        config: &Path,
        state: &Path,
        set: Vec<String>,
    ) -> anyhow::Result<Self> {
        let data_dir = std::path::absolute(state.join(role))?;
        std::fs::create_dir_all(&data_dir)
            .with_context(|| format!("cannot create {}", data_dir.display()))?;
        let child = spawn(role, config, &data_dir, &set)?;
        Ok(Self {
            role,
            data_dir,
            config: config.to_owned(),
            set,
            child,
        })
    }

    /// Kills it as kill -9 does, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .await
            .context("cannot kill a process of the demo")
    }

    /// Starts it again on the same data directory, with its API where it was, so that everybody
    /// finds it again.
    pub(super) fn reopen(&mut self, url: &str) -> anyhow::Result<()> {
        let listen = url.trim_start_matches("http://");
        self.set.retain(|key| !key.starts_with("api.listen"));
        self.set.push(format!("api.listen='{listen}'"));
        self.child = spawn(self.role, &self.config, &self.data_dir, &self.set)?;
        Ok(())
    }

    /// The address under `key` in `addresses.json`, once it is there.
    pub(super) async fn address(&mut self, key: &str) -> anyhow::Result<SocketAddr> {
        let path = self.data_dir.join("addresses.json");
        let since = Instant::now();
        while since.elapsed() < START_MAX {
            if let Some(address) = read_address(&path, key) {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait()? {
                let log = self.data_dir.join("log");
                anyhow::bail!(
                    "watershed {} ended with {status}; see {}",
                    self.role,
                    log.display()
                );
            }
            sleep(LOOK_EVERY).await;
        }
        anyhow::bail!(
            "watershed {} did not listen on {key} within {START_MAX:?}",
            self.role
        )
    }
}

fn read_address(path: &Path, key: &str) -> Option<SocketAddr> {
    let addresses: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let value = &addresses[key];
    value.as_str().or_else(|| value[0].as_str())?.parse().ok()
}

fn spawn(role: &str, config: &Path, data_dir: &Path, set: &[String]) -> anyhow::Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(data_dir.join("log"))?;
    let mut command =
        Command::new(std::env::current_exe().context("cannot find this program's file")?);
    command
        .arg(role)
        .arg("-c")
        .arg(config)
        .arg("--set")
        .arg(format!("data-dir='{}'", data_dir.display()));
    for key in set {
        command.arg("--set").arg(key);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    command
        .spawn()
        .with_context(|| format!("cannot start watershed {role}"))
}

/// The population, driven by lines.
pub(super) struct Population {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Population {
    /// Starts `watershed simulate` with these arguments.
    pub(super) fn start(config: &Path, state: &Path, arguments: &[String]) -> anyhow::Result<Self> {
        let log = std::fs::File::create(state.join("simulate.log"))?;
        let mut command =
            Command::new(std::env::current_exe().context("cannot find this program's file")?);
        command
            .arg("simulate")
            .arg("-c")
            .arg(config)
            .args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot start watershed simulate")?;
        let input = child.stdin.take().context("the simulator has no input")?;
        let output = child.stdout.take().context("the simulator has no output")?;
        Ok(Self {
            _child: child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    /// Says a line and reads the answer.
    pub(super) async fn say(&mut self, line: &str) -> anyhow::Result<Value> {
        self.input.write_all(format!("{line}\n").as_bytes()).await?;
        self.input.flush().await?;
        let answer = timeout(LINE_MAX, self.output.next_line())
            .await
            .context("the simulator does not answer")??;
        let answer: Value = serde_json::from_str(&answer.context("the simulator has ended")?)?;
        ensure!(
            answer.get("error").is_none(),
            "the simulator refuses {line:?}: {}",
            answer["error"]
        );
        Ok(answer)
    }

    /// Reads its counters so far.
    pub(super) async fn stats(&mut self) -> anyhow::Result<Stats> {
        serde_json::from_value(self.say("stats").await?)
            .context("the simulator's counters do not read")
    }
}
