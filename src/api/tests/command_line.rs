//! The command line against a control plane: what it does, and the exit codes that scripts rely on.

use super::*;
use crate::args::CommandLine;
use crate::commands::dispatch;
use clap::Parser;
use serde_json::{Value, json};

/// A command line that talks to a world, with the token of a role.
struct Shell {
    url: String,
    tokens: tempfile::TempDir,
}

impl Shell {
    fn new(world: &World) -> Self {
        let tokens = tempfile::tempdir().unwrap();
        for name in ["viewer", "rollout", "operator", "nobody"] {
            fs::write(tokens.path().join(name), format!("{name}\n")).unwrap();
        }
        Self {
            url: world.url.clone(),
            tokens,
        }
    }

    /// Runs a command as the binary would, and returns its exit code. Words are separated by white
    /// space.
    async fn run(&self, role: &str, words: &str) -> u8 {
        let token = self.tokens.path().join(role);
        let mut line = vec!["watershed".to_owned()];
        line.extend(words.split_whitespace().map(ToOwned::to_owned));
        line.extend(["--api".to_owned(), self.url.clone()]);
        line.extend(["--token-file".to_owned(), token.display().to_string()]);
        let line = CommandLine::try_parse_from(line).unwrap();
        // A command brings its own runtime, so it needs a thread that has none.
        tokio::task::spawn_blocking(move || match dispatch(line) {
            Ok(()) => 0,
            Err(fault) => fault.exit_code(),
        })
        .await
        .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_end_with_0_for_people_and_for_programs() {
    let world = World::new().await;
    world.ready().await;
    let shell = Shell::new(&world);
    let drain = "drain node:gz1-a-1 --lease 30m --reason look";
    assert_eq!(shell.run("rollout", drain).await, 0);
    for words in [
        "status",
        "bills",
        "drains",
        "map show",
        "explain --name live.cdn.example --client 1.0.0.1",
    ] {
        assert_eq!(shell.run("viewer", words).await, 0, "{words}");
        let words = format!("{words} --json");
        assert_eq!(shell.run("viewer", &words).await, 0, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_fails_when_the_lease_ends_before_the_target_is_empty() {
    let world = World::new().await;
    world.ready().await;
    let shell = Shell::new(&world);
    // Nobody reports traffic, and without data the map stays and nothing is proved to be empty.
    let drain = "drain group:gz2-a --lease 2s --reason x --ramp 0s --wait";
    assert_eq!(shell.run("rollout", drain).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_bad_input_from_refusal_and_failure() {
    let world = World::new().await;
    world.ready().await;
    let shell = Shell::new(&world);
    let lines = r#"{"kind":"demand","area":"cn","service":"live","mbps":3500}"#;
    let client = world.client("rollout");
    let pushed = client.post_lines::<Value>("/v1/telemetry", lines.into());
    pushed.await.unwrap();
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
        assert_eq!(shell.run(role, words).await, code, "{role}: {words}");
    }
    let gone = Shell {
        url: "http://127.0.0.1:1".to_owned(),
        ..shell
    };
    assert_eq!(gone.run("viewer", "status").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_waits_until_the_target_is_empty_and_gives_it_back() {
    let world = World::new().await;
    world.ready().await;
    let shell = Shell::new(&world);
    let client = world.client("rollout");
    let reports = tokio::spawn(async move {
        // Clients want something, or the map would stay for want of data; nothing of it is on the
        // target.
        let lines = concat!(
            r#"{"kind":"demand","area":"cn","service":"live","mbps":100}"#,
            "\n",
            r#"{"kind":"group","group":"gz1-a","service":"live","mbps":0}"#
        );
        loop {
            let _: Value = client
                .post_lines("/v1/telemetry", lines.into())
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    // A lease that is soon over bounds the wait, whatever goes wrong.
    let drain = "drain group:gz1-a --lease 20s --reason upgrade --ramp 0s --wait";
    assert_eq!(shell.run("rollout", drain).await, 0);
    reports.abort();
    let client = world.client("viewer");
    let drains: Value = client.get_json("/v1/drains").await.unwrap();
    assert_eq!(drains[0]["state"], json!("drained"), "{drains}");
    assert_eq!(shell.run("rollout", "undrain group:gz1-a").await, 0);
    let drains: Value = client.get_json("/v1/drains").await.unwrap();
    assert_eq!(drains[0]["ended_by"], json!("cancelled"), "{drains}");
}
