//! Areas from databases: built once, kept, and served on when a database cannot be used any more.

use crate::harness::{Daemon, World, wait_for};
use hickory_proto::rr::RecordType;
use std::net::Ipv4Addr;
use testkit::dns::ask;
use testkit::mmdb::{self, Value};

const FIXED: &str = "fixed.cdn.example.";
const ASIAN: Ipv4Addr = Ipv4Addr::new(1, 2, 3, 4);
const ASIA: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];

/// A database in which 1.0.0.0/8 is on a continent.
fn database(continent: &str) -> Vec<u8> {
    let code = Value::Map(vec![("code", Value::text(continent))]);
    let record = Value::Map(vec![("continent", code)]);
    mmdb::write("Test-City", &[("1.0.0.0/8", record)])
}

/// A world whose areas come from a database.
fn world() -> World {
    let world = World::new();
    std::fs::write(world.path("places.mmdb"), database("AS")).unwrap();
    let main = std::fs::read_to_string(world.config()).unwrap();
    let main: Vec<&str> = main
        .lines()
        .filter(|line| !line.starts_with("table") && !line.starts_with("inventory"))
        .collect();
    let main = main.join("\n").replace(
        "[areas]",
        "policies = \"policies.toml\"\n[areas]\ncity = \"places.mmdb\"",
    );
    std::fs::write(world.config(), main + "\n").unwrap();
    world
}

fn answer(daemon: &mut Daemon) -> Vec<Ipv4Addr> {
    let dns = daemon.address("dns");
    let reply = ask(dns, FIXED, RecordType::A, Some(ASIAN));
    let mut addresses = reply.map(|reply| reply.addresses).unwrap_or_default();
    addresses.sort_unstable();
    addresses
}

#[test]
fn a_database_that_breaks_changes_nothing_that_is_served() {
    let world = world();
    let mut daemon = world.start("run", &[]);
    assert_eq!(answer(&mut daemon), ASIA);
    // Replaced in place while it is served from.
    for broken in [Vec::new(), database("AS")[..200].to_vec(), vec![0xab; 5000]] {
        std::fs::write(world.path("places.mmdb"), broken).unwrap();
        assert_eq!(answer(&mut daemon), ASIA);
        daemon.kill();
        daemon.restart();
        wait_for("the areas that were kept", || answer(&mut daemon) == ASIA);
    }
    // A good one of other content is taken at the next start.
    std::fs::write(world.path("places.mmdb"), database("EU")).unwrap();
    daemon.kill();
    daemon.restart();
    wait_for("the new areas", || {
        let reply = ask(daemon.address("dns"), FIXED, RecordType::A, Some(ASIAN));
        reply.is_some_and(|reply| reply.aliases == ["www.other-cdn.example."])
    });
}

#[test]
fn a_first_start_with_a_broken_database_says_so_and_ends() {
    let world = world();
    std::fs::write(world.path("places.mmdb"), "no database").unwrap();
    let config = world.config();
    let output = crate::harness::run(&["run", "-c", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("areas.city") && said.contains("places.mmdb"),
        "{said}"
    );
}
