//! A small world in a temporary directory, and the processes that run it.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, RecordType};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How long anything may take to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Where it listens, once it does.
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
        let (status, _, body) = http(self.address("api"), method, path, &headers, body);
        (status, body)
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
        let (_, _, page) = http(self.address("api"), "GET", "/metrics", "", "");
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

/// One HTTP exchange on a connection of its own: status, head, body.
pub(crate) fn http(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String, String) {
    let host = if headers.to_ascii_lowercase().contains("host:") {
        String::new()
    } else {
        format!("Host: {at}\r\n")
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{host}{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // A body on a request that may have none would be refused, so its length is told only where
    // there is one.
    let request = if body.is_empty() {
        request.replace("Content-Length: 0\r\n", "")
    } else {
        request
    };
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let body = if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        unchunk(body)
    } else {
        body.to_owned()
    };
    (status, head.to_owned(), body)
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// A question as bytes.
pub(crate) fn question(name: &str, rtype: RecordType, client: Option<Ipv4Addr>) -> Vec<u8> {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_str(name).unwrap(), rtype));
    if let Some(client) = client {
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        let network = Ipv4Addr::from(u32::from(client) & 0xffff_ff00);
        edns.options_mut()
            .insert(EdnsOption::Subnet(ClientSubnet::new(
                IpAddr::V4(network),
                24,
                0,
            )));
        message.edns = Some(edns);
    }
    message.to_vec().unwrap()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: ResponseCode,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) aliases: Vec<String>,
    pub(crate) scope: Option<u8>,
    pub(crate) authority: Vec<RecordType>,
}

pub(crate) fn read_reply(bytes: &[u8]) -> Reply {
    let message = Message::from_vec(bytes).unwrap();
    let address = |record: &hickory_proto::rr::Record| match &record.data {
        RData::A(address) => Some(address.0),
        _ => None,
    };
    let alias = |record: &hickory_proto::rr::Record| match &record.data {
        RData::CNAME(alias) => Some(alias.0.to_string()),
        _ => None,
    };
    let option = message
        .edns
        .as_ref()
        .and_then(|edns| edns.option(EdnsCode::Subnet).cloned());
    Reply {
        code: message.metadata.response_code,
        addresses: message.answers.iter().filter_map(address).collect(),
        aliases: message.answers.iter().filter_map(alias).collect(),
        scope: option.and_then(|option| match option {
            EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
            _ => None,
        }),
        authority: message
            .authorities
            .iter()
            .map(|record| record.record_type())
            .collect(),
    }
}

/// Asks by UDP; `None` when nobody answers in time.
pub(crate) fn ask(
    server: SocketAddr,
    name: &str,
    rtype: RecordType,
    client: Option<Ipv4Addr>,
) -> Option<Reply> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    socket.connect(server).unwrap();
    socket.send(&question(name, rtype, client)).ok()?;
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).ok()?;
    // While a server is gone its port may be given to the very socket that asks, which then hears
    // itself.
    let is_reply = bytes[2] & 0x80 != 0;
    is_reply.then(|| read_reply(&bytes[..length]))
}

/// Asks by TCP.
pub(crate) fn ask_tcp(
    server: SocketAddr,
    name: &str,
    rtype: RecordType,
    client: Option<Ipv4Addr>,
) -> Reply {
    let question = question(name, rtype, client);
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = u16::try_from(question.len()).unwrap().to_be_bytes();
    stream
        .write_all(&[&length[..], &question].concat())
        .unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).unwrap();
    read_reply(&bytes)
}
