//! The real gdnsd, and the real daemon on what `watershed import gdnsd` makes of the same files.

use serde_json::Value;
use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest time of a start: a whole real database takes a debug build a minute or two.
const PATIENCE: Duration = Duration::from_secs(240);

/// Makes sure that gdnsd can be run.
///
/// # Panics
/// If it is neither there nor can be installed: without it nothing would be proved.
pub(crate) fn install_gdnsd() {
    let is_there = || {
        let mut command = Command::new("gdnsd");
        command
            .arg("--help")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok()
    };
    if is_there() {
        return;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command.status().is_ok_and(|status| status.success())
    };
    let packages = ["install", "-y", "-qq", "--no-install-recommends", "gdnsd"];
    let _ = apt(&packages) || (apt(&["update", "-qq"]) && apt(&packages));
    assert!(
        is_there(),
        "gdnsd 3 is missing and could not be installed: as root, run \
         `apt-get install -y --no-install-recommends gdnsd` (or `make tools`), then this test again"
    );
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts gdnsd on a directory with `config`, `zones/`, `geoip/` and `state/`. Its options are
    /// added to the configuration, which so becomes one of an installation as it runs.
    pub(crate) fn gdnsd(dir: &Path) -> Self {
        let config = fs::read_to_string(dir.join("config")).unwrap();
        let log = dir.with_extension("log");
        // Between the choice of a port and its use somebody else may take it.
        for _ in 0..5 {
            let port = UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let at = |name: &str| dir.join(name).display().to_string();
            let options = format!(
                "options => {{\n  listen => \"127.0.0.1:{port}\",\n  run_dir => \"{}\",\n  state_dir => \"{}\",\n  \
                 udp_threads => 1,\n  tcp_threads => 1\n}}\n",
                at("run"),
                at("state")
            );
            fs::write(dir.join("config"), options + &config).unwrap();
            let mut command = Command::new("gdnsd");
            command.arg("-c").arg(dir).arg("start");
            let mut server = Self {
                child: spawn(&mut command, &log),
                log: log.clone(),
                address: SocketAddr::from(([127, 0, 0, 1], port)),
            };
            if server.until_it_says("DNS listeners started") {
                return server;
            }
            let said = fs::read_to_string(&log).unwrap();
            assert!(
                said.contains("Address already in use"),
                "gdnsd does not start:\n{said}"
            );
        }
        panic!("gdnsd found no free port in five tries");
    }

    /// Starts `watershed run` on an imported directory; only its addresses and its place for data
    /// are ours to choose.
    pub(crate) fn watershed(dir: &Path) -> Self {
        let data_dir = dir.with_extension("data");
        fs::create_dir_all(&data_dir).unwrap();
        let log = dir.with_extension("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
        command.arg("run").arg("-c").arg(dir.join("watershed.toml"));
        for set in [
            format!("data-dir='{}'", data_dir.display()),
            "dns.listen=['127.0.0.1:0']".to_owned(),
            "dns.pin-workers=false".to_owned(),
            "api.listen='127.0.0.1:0'".to_owned(),
        ] {
            command.arg("--set").arg(set);
        }
        let mut server = Self {
            child: spawn(&mut command, &log),
            log,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.address = server.until_it_listens(&data_dir.join("addresses.json"));
        server
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn until_it_says(&mut self, words: &str) -> bool {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if fs::read_to_string(&self.log).unwrap().contains(words) {
                return true;
            }
            if !self.is_running() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn until_it_listens(&mut self, addresses: &Path) -> SocketAddr {
        let since = Instant::now();
        loop {
            let value: Value = fs::read(addresses)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default();
            if let Some(address) = value["dns"][0].as_str().or_else(|| value["dns"].as_str()) {
                return address.parse().unwrap();
            }
            assert!(
                self.is_running() && since.elapsed() < PATIENCE,
                "watershed does not start:\n{}",
                fs::read_to_string(&self.log).unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Translates a gdnsd directory.
///
/// # Errors
/// What the command said, when it refuses.
pub(crate) fn import(from: &Path, to: &Path) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    command.args(["import", "gdnsd"]).arg(from).arg(to);
    let Output {
        status,
        stdout,
        stderr,
    } = command.stdin(Stdio::null()).output().unwrap();
    if status.success() {
        return Ok(());
    }
    let said = [stdout, stderr].concat();
    Err(format!(
        "import: {status}\n{}",
        String::from_utf8_lossy(&said)
    ))
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let log = File::create(log).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
