//! The command line against a control plane: what it does, and the exit codes that scripts rely on.

use crate::harness::{self, Daemon, World, wait_for};
use geo::{Keys, Layers, Places, read_csv};
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::http;
use watershed::keys::sha256;

/// Files of the small world, which the API is tried on, too.
const FILES: [(&str, &str); 3] = [
    ("watershed.toml", include_str!("small/watershed.toml")),
    ("inventory.toml", include_str!("small/inventory.toml")),
    ("cdn.zone", include_str!("small/cdn.zone")),
];
/// Roles with a token of their name.
const ROLES: [&str; 3] = ["viewer", "rollout", "operator"];

/// Starts a daemon in the small world and waits for its first map.
fn start(world: &World) -> Daemon {
    for (name, text) in FILES {
        fs::write(world.path(name), text).unwrap();
    }
    let mut layers = Layers::new(Keys::parse(["country"]).unwrap(), Places::shipped());
    layers.add(read_csv(b"1.0.0.0,1.0.255.255,CN\n2.0.0.0,2.0.0.255,US\n").unwrap());
    let table = layers.finish().unwrap().0;
    fs::write(world.path("areas.wsa"), table.encode()).unwrap();
    let token = |role: &str| {
        let digest = sha256(role);
        format!("{{name='{role}',role='{role}',sha256='{digest}'}}")
    };
    let tokens = ROLES.map(token).join(",");
    let set = [
        format!("api.tokens=[{tokens}]"),
        "dns.pin-workers=false".to_owned(),
    ];
    let mut daemon = world.start("run", &set);
    wait_for("the first map", || {
        daemon.call("GET", "/v1/map", "").0 == 200
    });
    daemon
}

/// A command line that talks to a daemon, with the token of a role.
struct Shell {
    url: String,
    tokens: PathBuf,
}

impl Shell {
    fn new(world: &World, daemon: &mut Daemon) -> Self {
        let tokens = world.path("tokens");
        fs::create_dir(&tokens).unwrap();
        for name in ROLES.into_iter().chain(["nobody"]) {
            fs::write(tokens.join(name), format!("{name}\n")).unwrap();
        }
        Self {
            url: format!("http://{}", daemon.address("api")),
            tokens,
        }
    }

    /// Runs a command and returns its exit code. Words are separated by white space.
    fn run(&self, role: &str, words: &str) -> i32 {
        let token = self.tokens.join(role);
        let mut line: Vec<&str> = words.split_whitespace().collect();
        line.extend(["--api", &self.url]);
        line.extend(["--token-file", token.to_str().unwrap()]);
        harness::run(&line).status.code().unwrap()
    }
}

/// Pushes telemetry as a rollout controller.
fn push(api: SocketAddr, lines: &str) {
    let headers = "Authorization: Bearer rollout\r\n";
    let answer = http::send(api, "POST", "/v1/telemetry", headers, lines);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn reads_end_with_0_for_people_and_for_programs() {
    let world = World::new();
    let mut daemon = start(&world);
    let shell = Shell::new(&world, &mut daemon);
    let drain = "drain node:gz1-a-1 --lease 30m --reason look";
    assert_eq!(shell.run("rollout", drain), 0);
    for words in [
        "status",
        "bills",
        "drains",
        "map show",
        "explain --name live.cdn.example --client 1.0.0.1",
    ] {
        assert_eq!(shell.run("viewer", words), 0, "{words}");
        let words = format!("{words} --json");
        assert_eq!(shell.run("viewer", &words), 0, "{words}");
    }
}

#[test]
fn a_wait_fails_when_the_lease_ends_before_the_target_is_empty() {
    let world = World::new();
    let mut daemon = start(&world);
    let shell = Shell::new(&world, &mut daemon);
    // Nobody reports traffic, and without data the map stays and nothing is proved to be empty.
    let drain = "drain group:gz2-a --lease 2s --reason x --ramp 0s --wait";
    assert_eq!(shell.run("rollout", drain), 1);
}

#[test]
fn exit_codes_tell_bad_input_from_refusal_and_failure() {
    let world = World::new();
    let mut daemon = start(&world);
    let shell = Shell::new(&world, &mut daemon);
    let lines = r#"{"kind":"demand","area":"cn","service":"live","mbps":3500}"#;
    push(daemon.address("api"), lines);
    for (role, words, code) in [
        ("rollout", "drain site:gz1 --lease 30m --reason x", 3),
        ("rollout", "drain site:gz1 --lease 30m --reason x --json", 3),
        ("rollout", "drain site:gz1 --lease soon --reason x", 2),
        ("rollout", "drain site:gz9 --lease 30m --reason x", 2),
        ("rollout", "drain gz1 --lease 30m --reason x", 2),
        (
            "rollout",
            "drain site:gz1 --lease 30m --reason x --force",
            1,
        ),
        ("viewer", "drain site:gz1 --lease 30m --reason x", 1),
        ("nobody", "drains", 1),
        ("missing", "drains", 2),
        ("rollout", "undrain site:gz1", 2),
        ("rollout", "undrain d77", 2),
        ("rollout", "undrain ../x", 2),
        ("viewer", "explain --name other.example --client 1.0.0.1", 2),
        ("viewer", "explain --name a&b --client 1.0.0.1", 2),
        ("viewer", "map pin --reason x", 1),
        ("operator", "map rollback --to x", 2),
        ("operator", "map rollback --to 77.9", 2),
        ("operator", "map pin --reason x", 0),
        ("operator", "map unpin", 0),
    ] {
        assert_eq!(shell.run(role, words), code, "{role}: {words}");
    }
    let gone = Shell {
        url: "http://127.0.0.1:1".to_owned(),
        ..shell
    };
    assert_eq!(gone.run("viewer", "status"), 1);
}

#[test]
fn a_rollout_waits_until_the_target_is_empty_and_gives_it_back() {
    let world = World::new();
    let mut daemon = start(&world);
    let shell = Shell::new(&world, &mut daemon);
    let api = daemon.address("api");
    let reporting = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Clients want something, or the map would stay for want of data; nothing of it is on
            // the target.
            let lines = concat!(
                r#"{"kind":"demand","area":"cn","service":"live","mbps":100}"#,
                "\n",
                r#"{"kind":"group","group":"gz1-a","service":"live","mbps":0}"#
            );
            while reporting.load(Ordering::Relaxed) {
                push(api, lines);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        // A lease that is soon over bounds the wait, whatever goes wrong.
        let drain = "drain group:gz1-a --lease 20s --reason upgrade --ramp 0s --wait";
        let code = shell.run("rollout", drain);
        reporting.store(false, Ordering::Relaxed);
        assert_eq!(code, 0);
    });
    let drains = daemon.json("GET", "/v1/drains", "");
    assert_eq!(drains[0]["state"], json!("drained"), "{drains}");
    assert_eq!(shell.run("rollout", "undrain group:gz1-a"), 0);
    let drains = daemon.json("GET", "/v1/drains", "");
    assert_eq!(drains[0]["ended_by"], json!("cancelled"), "{drains}");
}
