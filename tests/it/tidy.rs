//! Guards: documents and manifests tell the truth, and the source keeps its form.

mod circles;
mod graph;
mod prose;
mod rooms;
mod source;

use source::{crates, crates_of_engine, root, sources};
use std::fs;

/// Our crates, by their folders, with those that each may depend on, by their names.
const ARROWS: [(&str, &[&str]); 13] = [
    ("coverage", &[]),
    ("engine/instance", &["coverage"]),
    ("engine/optimizer", &["coverage", "instance"]),
    ("engine/checker", &["coverage", "instance"]),
    ("engine", &["coverage", "instance", "optimizer", "checker"]),
    ("dns", &["coverage"]),
    ("redirect", &["coverage"]),
    ("collectors", &["coverage"]),
    ("geo", &["coverage"]),
    ("import", &[]),
    ("bench", &["coverage"]),
    (
        "simulator",
        &[
            "coverage",
            "collectors",
            "engine",
            "instance",
            "optimizer",
            "checker",
        ],
    ),
    ("testkit", &[]),
];

#[test]
fn crates_depend_only_where_the_architecture_says() {
    for folder in crates().iter().filter(|folder| *folder != ".") {
        let (_, allowed) = ARROWS
            .into_iter()
            .find(|(known, _)| known == folder)
            .unwrap_or_else(|| panic!("{folder} has no arrows"));
        for other in dependencies(folder) {
            assert!(
                allowed.contains(&other),
                "{folder} must not depend on {other}"
            );
        }
    }
}

#[test]
fn the_test_kit_is_in_no_product() {
    let used = dependencies(".");
    assert!(used.contains(&"engine"), "the manifest reads otherwise now");
    assert!(
        !used.contains(&"testkit"),
        "the daemon must not depend on it"
    );
}

/// Our crates that the manifest in a folder names as dependencies of the product.
fn dependencies(folder: &str) -> Vec<&'static str> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let named = |name: &&str| {
        let names = |line: &str| {
            line.starts_with(&format!("{name}.")) || line.starts_with(&format!("{name} "))
        };
        section.lines().any(names)
    };
    let name = |(folder, _): (&'static str, _)| folder.rsplit('/').next().unwrap_or(folder);
    ARROWS.map(name).into_iter().filter(named).collect()
}

#[test]
fn every_path_in_the_architecture_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        word.contains('/') && !word.contains([' ', '*', '<', '{', ':']) && !word.starts_with("/v1")
    };
    let mut seen = 0;
    for path in quoted.filter(is_path) {
        assert!(
            root().join(path).exists(),
            "ARCHITECTURE.md names {path}, which does not exist"
        );
        seen += 1;
    }
    assert!(seen > 20, "the architecture names hardly a path");
}

#[test]
fn the_engine_has_no_runtime_sockets_files_clocks_or_environment() {
    let banned = [
        "tokio",
        "std::net::Tcp",
        "std::net::Udp",
        "std::fs",
        "Instant::now",
        "SystemTime::now",
        "std::env",
    ];
    let folders = crates_of_engine();
    for file in folders
        .iter()
        .flat_map(|folder| sources(&root().join(folder).join("src")))
    {
        let text = fs::read_to_string(&file).unwrap();
        for word in banned {
            assert!(!text.contains(word), "{} mentions {word}", file.display());
        }
    }
}

/// Crates that only commands need. The library and the binary are one package, so the compiler does
/// not keep the library from them.
const OF_COMMANDS: [&str; 4] = ["simulator::", "clap::", "comfy_table::", "indicatif::"];

#[test]
fn the_library_uses_nothing_that_only_commands_need() {
    let src = root().join("src");
    let of_binary = ["main.rs", "args.rs", "args", "commands"].map(|part| src.join(part));
    let files = sources(&src);
    let files = files
        .iter()
        .filter(|file| !of_binary.iter().any(|part| file.starts_with(part)));
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for word in OF_COMMANDS {
            assert!(!text.contains(word), "{} uses {word}", file.display());
        }
        seen += 1;
    }
    assert!(seen > 20, "the library has hardly a file");
}
