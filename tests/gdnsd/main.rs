//! The proof of equality with gdnsd: random installations are served by the real gdnsd and, after
//! `watershed import gdnsd`, by the real daemon; random clients ask both.
//!
//! Held to be equal: response code, authority, and the set of records in the answer. Of a weighted
//! family gdnsd draws anew for each question and Watershed for each client, so there the same
//! members must be possible, and each must appear. A scope may be shorter than gdnsd's, never
//! longer (but for weighted families, which depend on the client's own subnet), and other clients
//! within it must get the same answer. Times to live and the order of records are not compared.
//! Clients in IPv6 ranges that carry IPv4 addresses (6to4, Teredo) are left out: gdnsd looks them
//! up as IPv4.
//!
//! Set by the environment: `WATERSHED_TEST_CLIENTS` (in all), `WATERSHED_TEST_CONFIGS`,
//! `WATERSHED_TEST_SEED` (of the first configuration; the others follow), and `WATERSHED_TEST_MMDB`
//! (a real GeoLite2-City file instead of random networks).

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod ask;
mod compare;
mod maps;
mod places;
mod pools;
mod scenario;
mod servers;
mod states;
mod text;
mod wire;
mod zone;

use compare::Tally;
use scenario::Scenario;
use servers::Server;
use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use testkit::Random;

/// Random configurations, unless the environment says otherwise.
const CONFIGS: usize = 48;
/// Random clients over all configurations, unless the environment says otherwise.
const CLIENTS: usize = 240_000;

#[test]
fn imported_configurations_answer_as_gdnsd_does() {
    servers::install_gdnsd();
    let configs: usize = environment("WATERSHED_TEST_CONFIGS", CONFIGS);
    let clients: usize = environment("WATERSHED_TEST_CLIENTS", CLIENTS);
    let first_seed: u64 = environment("WATERSHED_TEST_SEED", 1);
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= configs {
                return;
            }
            let seed = first_seed + u64::try_from(index).unwrap();
            let result = one(seed, clients.div_ceil(configs));
            results.lock().unwrap().push((seed, result));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        worker();
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(seed, _)| *seed);
    let seconds = started.elapsed().as_secs_f64();
    let report = report(&results, seconds);
    println!("{report}");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gdnsd-equality.txt");
    std::fs::write(path, &report).unwrap();
    let is_clean = |result: &Result<Tally, String>| result.as_ref().is_ok_and(Tally::is_clean);
    assert!(
        results.iter().all(|(_, result)| is_clean(result)),
        "gdnsd and watershed differ, see above"
    );
    let members: usize = results
        .iter()
        .flat_map(|(_, result)| result)
        .map(|tally| tally.members)
        .sum();
    assert!(members > 0, "no weighted member was asked for often enough");
}

/// One configuration from its files to its figures. What differs is kept on disk.
fn one(seed: u64, clients: usize) -> Result<Tally, String> {
    let mmdb = std::env::var_os("WATERSHED_TEST_MMDB").map(PathBuf::from);
    let scenario = Scenario::new(seed, mmdb.as_deref());
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("gdnsd"), dir.path().join("watershed"));
    scenario.write(&from);
    let gdnsd = Server::gdnsd(&from);
    let random = &mut Random::new(!seed);
    let result = servers::import(&from, &to).and_then(|()| {
        let ours = Server::watershed(&to);
        let questions = compare::questions(&scenario, clients, random);
        compare::compare(&scenario, gdnsd.address, ours.address, &questions, random)
    });
    match result {
        Ok(tally) if tally.is_clean() => Ok(tally),
        Ok(mut tally) => {
            tally.examples.push(kept(dir));
            Ok(tally)
        }
        Err(fault) => Err(format!("{fault}\n{}", kept(dir))),
    }
}

/// Leaves a directory on disk for whoever looks into a difference.
fn kept(dir: tempfile::TempDir) -> String {
    format!("its files are kept in {}", dir.keep().display())
}

/// The table for people, with the first findings of each configuration.
fn report(results: &[(u64, Result<Tally, String>)], seconds: f64) -> String {
    let mut text = format!(
        "{:>6} {:>8} {:>8} {:>8} {:>6}  {:>8} {:>8} {:>8} {:>6}  {:>8} {:>6}  {:>7} {:>6}\n",
        "seed",
        "clients",
        "equal",
        "weighted",
        "differ",
        "scope =",
        "shorter",
        "choice",
        "longer",
        "probes",
        "dishon",
        "members",
        "absent"
    );
    let mut sum = Tally::default();
    for (seed, result) in results {
        match result {
            Ok(tally) => {
                sum.add(tally);
                row(&mut text, &seed.to_string(), tally);
            }
            Err(fault) => {
                let _ = writeln!(text, "{seed:>6} {fault}");
            }
        }
    }
    row(&mut text, "all", &sum);
    let _ = writeln!(text, "{} configurations in {seconds:.1} s", results.len());
    for (seed, tally) in results
        .iter()
        .filter_map(|(seed, result)| Some((seed, result.as_ref().ok()?)))
    {
        for example in &tally.examples {
            let _ = writeln!(text, "seed {seed}: {example}");
        }
    }
    text
}

fn row(text: &mut String, name: &str, tally: &Tally) {
    let _ = writeln!(
        text,
        "{name:>6} {:>8} {:>8} {:>8} {:>6}  {:>8} {:>8} {:>8} {:>6}  {:>8} {:>6}  {:>7} {:>6}",
        tally.clients,
        tally.equal,
        tally.weighted,
        tally.different,
        tally.scope_equal,
        tally.scope_shorter,
        tally.scope_of_choice,
        tally.scope_longer,
        tally.probes,
        tally.dishonest,
        tally.members,
        tally.absent
    );
}

/// A number from the environment.
fn environment<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
    })
}
