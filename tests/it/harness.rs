//! A small world in a temporary directory, and the processes that run it.

use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use testkit::{PATIENCE, http};

const INVENTORY: &str = include_str!("inventory.toml");
/// Read only by those who ask for it.
const POLICIES: &str = include_str!("policies.toml");
const ZONE: &str = "@ 3600 SOA ns1 hostmaster 1 7200 900 1209600 60\n@ 3600 NS ns1\nns1 3600 A 192.0.2.1\n\
                    deep.empty 60 TXT \"below an empty name\"\n";

/// A world's files.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let areas = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/geo/areas.wsa");
        let main = format!(
            "version = 1\ndata-dir = \"data\"\ninventory = \"inventory.toml\"\n\
             [areas]\ntable = '{}'\n\
             [dns]\nlisten = [\"127.0.0.1:0\"]\npin-workers = false\n\
             [redirect]\nlisten = [\"127.0.0.1:0\"]\ntrusted-proxies = [\"127.0.0.0/8\"]\n\
             httpdns-hosts = [\"httpdns.cdn.example\"]\n\
             [api]\nlisten = \"127.0.0.1:0\"\n\
             [engine]\ncycle = \"200ms\"\ntraffic-tau = \"200ms\"\n\
             [drain]\nramp = \"0s\"\nrefill-ramp = \"0s\"\ndrained-below-mbps = 5\n\
             [[zones]]\nname = \"cdn.example\"\nfile = \"cdn.zone\"\n",
            areas.display()
        );
        for (name, text) in [
            ("watershed.toml", main.as_str()),
            ("inventory.toml", INVENTORY),
            ("cdn.zone", ZONE),
            ("policies.toml", POLICIES),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("watershed.toml")
    }

    /// Starts `watershed ROLE` on its own data directory.
    pub(crate) fn start(&self, role: &'static str, set: &[String]) -> Daemon {
        let data_dir = self.path(role);
        std::fs::create_dir_all(&data_dir).unwrap();
        let mut set = set.to_vec();
        set.push(format!("data-dir='{}'", data_dir.display()));
        let child = spawn(role, &self.config(), &set);
        Daemon {
            role,
            config: self.config(),
            data_dir,
            set,
            child,
        }
    }

    /// Starts an edge of a control plane.
    pub(crate) fn start_edge(&self, control: &mut Daemon) -> Daemon {
        let token = control.data_dir.join("admin.token");
        let url = format!("http://{}", control.address("api"));
        wait_for("the admin token", || token.exists());
        let set = [
            format!("control.url='{url}'"),
            format!("control.token-file='{}'", token.display()),
            "control.edge-name='edge-1'".to_owned(),
        ];
        self.start("edge", &set)
    }
}

fn spawn(role: &str, config: &Path, set: &[String]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    command.arg(role).arg("-c").arg(config);
    for key in set {
        command.arg("--set").arg(key);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_watershed"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    role: &'static str,
    config: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) set: Vec<String>,
    child: Child,
}

impl Daemon {
    /// Address of a listener, once it listens.
    pub(crate) fn address(&mut self, key: &str) -> SocketAddr {
        let path = self.data_dir.join("addresses.json");
        let since = Instant::now();
        loop {
            let addresses = std::fs::read(&path)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let value = addresses
                .map(|addresses| addresses[key].clone())
                .unwrap_or_default();
            if let Some(address) = value.as_str().or_else(|| value[0].as_str()) {
                return address.parse().unwrap();
            }
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "{} has ended",
                self.role
            );
            assert!(
                since.elapsed() < PATIENCE,
                "{} does not listen on {key}",
                self.role
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fixes the address of a key for later starts, so that others find it again.
    pub(crate) fn keep_address(&mut self, key: &str, toml: &str) {
        self.set.retain(|set| !set.starts_with(key));
        self.set.push(format!("{key}={toml}"));
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let _ = std::fs::remove_file(self.data_dir.join("addresses.json"));
    }

    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.role, &self.config, &self.set);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Calls its API with its admin token: status and body.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let file = self.data_dir.join("admin.token");
        wait_for("the admin token", || file.exists() || self.role == "edge");
        let token = std::fs::read_to_string(file).unwrap_or_default();
        let headers = format!(
            "Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
            token.trim()
        );
        let answer = http::send(self.address("api"), method, path, &headers, body);
        (answer.status, answer.body)
    }

    pub(crate) fn json(&mut self, method: &str, path: &str, body: &str) -> Value {
        let (status, text) = self.call(method, path, body);
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {text}"
        );
        serde_json::from_str(&text).unwrap()
    }

    /// Pushes telemetry lines.
    pub(crate) fn tell(&mut self, lines: &[String]) {
        let (status, text) = self.call("POST", "/v1/telemetry", &lines.join("\n"));
        assert_eq!(status, 200, "{text}");
    }

    /// A counter of its metrics page, summed over labels that hold `label`.
    pub(crate) fn metric(&mut self, name: &str, label: &str) -> f64 {
        let page = http::send(self.address("api"), "GET", "/metrics", "", "").body;
        let lines = page
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Usual telemetry: demand in two areas, traffic of all groups, as seen by `load`.
pub(crate) fn telemetry(load: impl Fn(&str) -> f64) -> Vec<String> {
    let mut lines = Vec::new();
    for (area, mbps) in [("cn/44/ct", 400), ("cn/11/cu", 300)] {
        for service in ["live", "download"] {
            lines.push(format!(
                r#"{{"kind":"demand","area":"{area}","service":"{service}","mbps":{mbps}}}"#
            ));
        }
    }
    for group in ["gz1-a", "gz2-a", "bj1-a"] {
        for service in ["live", "download"] {
            let mbps = load(group);
            lines.push(format!(
                r#"{{"kind":"group","group":"{group}","service":"{service}","mbps":{mbps}}}"#
            ));
        }
    }
    lines
}

/// Waits until something is so.
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}
