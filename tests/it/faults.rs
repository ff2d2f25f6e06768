//! Bad input of every kind: refused with a clear error, and what is served stays.

use crate::harness::{World, run, telemetry, wait_for};
use coverage::record::{self, Header};
use coverage::{Body, Digest, MapVersion};
use ed25519_dalek::SigningKey;
use hickory_proto::rr::RecordType;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use testkit::dns::{ask, question};
use testkit::{Random, http};

const CLIENT: Ipv4Addr = Ipv4Addr::new(202, 96, 128, 86);

fn answers(dns: SocketAddr) -> bool {
    ask(dns, "live.cdn.example.", RecordType::A, Some(CLIENT))
        .is_some_and(|reply| !reply.addresses.is_empty())
}

#[test]
fn a_bad_configuration_starts_nothing_and_names_every_fault() {
    let world = World::new();
    let config = world.config();
    let text = std::fs::read_to_string(&config)
        .unwrap()
        .replace("cycle", "cylce")
        .replace("[dns]", "[dns]\nfoo = 1");
    std::fs::write(&config, text).unwrap();
    let inventory = world.path("inventory.toml");
    let text = std::fs::read_to_string(&inventory)
        .unwrap()
        .replace("nodes = 3", "nodes = -3");
    std::fs::write(&inventory, text).unwrap();
    for command in ["check", "run"] {
        let out = run(&[command, "-c", config.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert_eq!(out.status.code(), Some(2), "{told}");
        for expected in [
            "dns.foo",
            "engine.cylce",
            "is `cycle` meant?",
            "inventory.toml:",
            "groups[0].nodes",
        ] {
            assert!(
                told.contains(expected),
                "{command}: expected {expected:?} in {told}"
            );
        }
    }
    assert!(!world.path("data").exists(), "nothing was half-loaded");
}

#[test]
fn secrets_that_a_crash_left_unfinished_do_not_stop_a_start() {
    let world = World::new();
    let dir = world.path("control");
    std::fs::create_dir(&dir).unwrap();
    for left in [".map.key.00000000000000ff.new", ".admin.token.1.new"] {
        std::fs::write(dir.join(left), "cut").unwrap();
    }
    let mut daemon = world.start("control", &[]);
    let key = daemon.json("GET", "/v1/map/key", "");
    daemon.kill();
    daemon.restart();
    assert_eq!(daemon.json("GET", "/v1/map/key", ""), key);
}

#[test]
fn a_kept_map_that_is_damaged_gives_way_to_the_one_before() {
    let world = World::new();
    let mut daemon = world.start("run", &[]);
    let _ = daemon.address("dns");
    daemon.tell(&telemetry(|_| 100.0));
    daemon.json(
        "POST",
        "/v1/drains",
        r#"{"target":"group:gz1-a","lease":"10m","reason":"to get a second map"}"#,
    );
    let kept = daemon.data_dir.join("map.wsm");
    wait_for("a second map", || {
        daemon.data_dir.join("map.previous.wsm").exists()
    });
    daemon.kill();
    let whole = std::fs::read(&kept).unwrap();
    for damaged in [
        whole[..whole.len() / 2].to_vec(),
        Vec::new(),
        flipped(&whole, whole.len() / 3),
    ] {
        std::fs::write(&kept, damaged).unwrap();
        daemon.restart();
        assert!(answers(daemon.address("dns")), "the map before is served");
        assert!(daemon.metric("watershed_map_refused_total", "") >= 1.0);
        daemon.kill();
    }
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 4;
    bytes
}

/// A control plane that offers one record again and again, as an edge asks for it.
fn offer(record: Vec<u8>, key: &SigningKey) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let hex: String = key
        .verifying_key()
        .to_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (record, hex) = (record.clone(), hex.clone());
            std::thread::spawn(move || serve_offer(stream, &record, &hex));
        }
    });
    at
}

fn serve_offer(mut stream: TcpStream, record: &[u8], hex: &str) {
    use std::io::{BufRead, BufReader};
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        let mut rest = lines.by_ref().map_while(Result::ok);
        if rest.by_ref().find(String::is_empty).is_none() {
            return;
        }
        let body = if line.contains("/v1/map/record") {
            record.to_vec()
        } else {
            format!(r#"{{"key":"{hex}"}}"#).into_bytes()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        // A steady offer, not a flood.
        std::thread::sleep(std::time::Duration::from_millis(100));
        if stream
            .write_all(&[head.as_bytes(), &body].concat())
            .is_err()
        {
            return;
        }
    }
}

/// Records that no edge may take, made from a good one, each with the reason that must be told.
fn bad_records(good: &[u8], key: &SigningKey) -> Vec<(&'static str, Vec<u8>)> {
    let opened = record::open(good, &[key.verifying_key()]).unwrap();
    let (header, body) = (opened.header.clone(), opened.body().unwrap());
    let newer = |change: &dyn Fn(&mut Header, &mut Body)| {
        let (mut header, mut body) = (header.clone(), body.clone());
        header.version = MapVersion {
            epoch: 99,
            version: 99,
        };
        change(&mut header, &mut body);
        record::seal(header, &body, key).unwrap()
    };
    let stranger = SigningKey::from_bytes(&[7; 32]);
    vec![
        (
            "older",
            record::seal(
                Header {
                    version: MapVersion {
                        epoch: 0,
                        version: 1,
                    },
                    ..header.clone()
                },
                &body,
                key,
            )
            .unwrap(),
        ),
        (
            "body",
            newer(&|_, body| {
                for endpoint in &mut body.catalog.endpoints {
                    (endpoint.ipv4, endpoint.ipv6) = (Vec::new(), Vec::new());
                }
            }),
        ),
        (
            "body",
            newer(&|_, body| {
                body.catalog
                    .services
                    .iter_mut()
                    .for_each(|service| service.domains.clear())
            }),
        ),
        (
            "service-lost",
            newer(&|_, body| body.catalog.services[0].name = "renamed".into()),
        ),
        (
            "table",
            newer(&|header, _| header.table_digest = Digest([1; 32])),
        ),
        (
            "signature",
            record::seal(header.clone(), &body, &stranger).unwrap(),
        ),
        ("signature", flipped(&newer(&|_, _| ()), 300)),
        ("truncated", good[..20].to_vec()),
        ("truncated", Vec::new()),
    ]
}

#[test]
fn an_edge_refuses_bad_maps_with_the_reason_and_goes_on_serving() {
    let world = World::new();
    let mut control = world.start("control", &[]);
    let mut edge = world.start_edge(&mut control);
    assert!(answers(edge.address("dns")));
    wait_for("the first map on the edge's disk", || {
        edge.data_dir.join("map.wsm").exists()
    });
    let good = std::fs::read(control.data_dir.join("map.wsm")).unwrap();
    let key: [u8; 32] = std::fs::read(control.data_dir.join("map.key"))
        .unwrap()
        .try_into()
        .unwrap();
    let key = SigningKey::from_bytes(&key);
    control.kill();
    let opened = record::open(&good, &[key.verifying_key()]).unwrap();
    let version = opened.header.version.version;
    for (reason, record) in bad_records(&good, &key) {
        edge.kill();
        let fake = offer(record, &key);
        edge.keep_address("control.url", &format!("'http://{fake}'"));
        edge.restart();
        let dns = edge.address("dns");
        let label = format!("reason=\"{reason}\"");
        wait_for(reason, || {
            edge.metric("watershed_map_refused_total", &label) >= 1.0 || reason == "table"
        });
        assert!(answers(dns), "after {reason}");
        assert!(
            (edge.metric("watershed_map_version", "") - f64::from(u32::try_from(version).unwrap()))
                .abs()
                < 0.5
        );
    }
}

#[test]
fn no_bytes_stop_the_servers() {
    let world = World::new();
    let mut daemon = world.start("run", &[]);
    let (dns, web, api) = (
        daemon.address("dns"),
        daemon.address("redirect"),
        daemon.address("api"),
    );
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let seed_question = question("live.cdn.example.", RecordType::A, Some(CLIENT));
    let mut random = Random::new(0x1234_5678_9abc_def0);
    for round in 0..3000 {
        let mut bytes = seed_question.clone();
        for _ in 0..=random.below(8) {
            let at = random.below(bytes.len());
            bytes[at] = random.byte();
        }
        bytes.truncate(random.below(90));
        let _ = socket.send_to(&bytes, dns);
        if round % 100 == 0 {
            for at in [dns, web, api] {
                let mut stream = TcpStream::connect(at).unwrap();
                let _ = stream.write_all(&bytes);
            }
        }
    }
    assert!(answers(dns) && daemon.is_running());
    let answer = http::send(web, "GET", "/x", "Host: dl.cdn.example\r\n", "");
    assert_eq!(answer.status, 302);
    let lines = [
        "nonsense",
        r#"{"kind":"demand","area":"cn/44/ct","service":"live","mbps":1e999}"#,
        r#"{"kind":"link","link":"gz1/ct","mbps":5}"#,
    ];
    let (status, text) = daemon.call("POST", "/v1/telemetry", &lines.join("\n"));
    assert!(
        status == 200 && text.contains("\"accepted\":1") && text.contains("\"refused_total\":2"),
        "{status} {text}"
    );
}
