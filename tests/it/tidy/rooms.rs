//! The rooms of the engine's crates, as ARCHITECTURE.md draws them.
//!
//! A room is a top module of a crate: a folder, with the file of its name, or a file alone. It is
//! named `crate/room`, by the crate's folder. The drawing is a fenced block whose info string is
//! `rooms`, of lines such as
//!
//! ```text
//! optimizer/start -> optimizer/network optimizer/simplex
//! ```
//!
//! Arrows within a crate are drawn all, and no others. Arrows between crates are held by their
//! manifests. They may be drawn, to a room or to a whole crate, and are then there.

use super::graph::Crate;
use super::source::{crates_of_engine, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// An arrow between two rooms, or from a room to a crate.
type Arrow = (String, String);

/// Real arrows within crates and between them.
struct Real {
    within: BTreeSet<Arrow>,
    between: BTreeSet<Arrow>,
}

/// Arrows between the rooms of crates, each with its folder.
fn real(crates: &[(String, Crate)]) -> Real {
    let mut real = Real {
        within: BTreeSet::new(),
        between: BTreeSet::new(),
    };
    for (folder, it) in crates {
        let room = |module: &[String]| module.first().map(|top| format!("{folder}/{top}"));
        for (from, to) in it.arrows().into_keys() {
            // The crate's own file is a list of rooms and in none.
            if let (Some(from), Some(to)) = (room(&from), room(&to))
                && from != to
            {
                real.within.insert((from, to));
            }
        }
        for (theirs, other) in crates.iter().filter(|(theirs, _)| theirs != folder) {
            for (from, paths) in it.names_of(&other.name) {
                let Some(from) = room(&from) else { continue };
                for to in paths.iter().filter_map(|path| other.end_of(path)) {
                    real.between.insert((from.clone(), theirs.clone()));
                    if let Some(top) = to.first() {
                        real.between
                            .insert((from.clone(), format!("{theirs}/{top}")));
                    }
                }
            }
        }
    }
    real
}

/// Arrows of the blocks with the info string `rooms`.
fn drawn(document: &str) -> BTreeSet<Arrow> {
    let mut arrows = BTreeSet::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line.trim() == "```rooms";
        } else if let (true, Some((from, to))) = (inside, line.split_once("->")) {
            let arrow = |to: &str| (from.trim().to_owned(), to.to_owned());
            arrows.extend(to.split_whitespace().map(arrow));
        }
    }
    arrows
}

/// Lines of what is drawn wrongly; empty when the drawing is true.
fn faults(drawn: &BTreeSet<Arrow>, real: &Real) -> Vec<String> {
    let missing = real.within.difference(drawn);
    let missing = missing.map(|(from, to)| format!("not drawn: {from} -> {to}"));
    let gone = drawn
        .iter()
        .filter(|arrow| !real.within.contains(arrow) && !real.between.contains(arrow));
    let gone = gone.map(|(from, to)| format!("drawn and not there: {from} -> {to}"));
    missing.chain(gone).collect()
}

/// A drawing of arrows, one line for each room that has any.
fn block(arrows: &BTreeSet<Arrow>) -> String {
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        lines.entry(from).or_default().push(to);
    }
    let line = |(from, to): (&str, Vec<&str>)| format!("{from} -> {}\n", to.join(" "));
    let lines: String = lines.into_iter().map(line).collect();
    format!("```rooms\n{lines}```")
}

#[test]
fn the_rooms_are_as_the_architecture_draws_them() {
    let folders = crates_of_engine();
    let read = |folder: &String| {
        let name = folder.trim_start_matches("engine/").to_owned();
        (name, Crate::read(folder))
    };
    let crates: Vec<(String, Crate)> = folders.iter().map(read).collect();
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (drawn, real) = (drawn(&document), real(&crates));
    assert!(!real.within.is_empty(), "no arrow is seen");
    let faults = faults(&drawn, &real);
    assert!(
        faults.is_empty(),
        "{} arrows:\n{}\nTrue within crates is:\n{}",
        faults.len(),
        faults.join("\n"),
        block(&real.within)
    );
}

#[test]
fn a_drawing_is_held_both_ways() {
    let below = |path: &str| {
        let text = match path {
            "lib.rs" => "pub mod c;",
            "c.rs" => "pub struct C;",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let above = |path: &str| {
        let text = match path {
            "lib.rs" => "pub mod a; pub mod b;",
            "a.rs" => "mod inner; pub use inner::A;",
            "a/inner.rs" => "pub struct A;",
            "b/mod.rs" => "use crate::a::A; use below::c::C; fn f(_: A, _: C) {}",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let crates = [
        ("above".to_owned(), Crate::of("above", above)),
        ("below".to_owned(), Crate::of("below", below)),
    ];
    let real = real(&crates);
    let told = |document: &str| faults(&drawn(document), &real);
    assert!(told("```rooms\nabove/b -> above/a\n```\n").is_empty());
    assert!(told("```rooms\nabove/b -> above/a below below/c\n```\n").is_empty());
    assert!(told(&block(&real.within)).is_empty());
    assert_eq!(
        told("```text\nabove/b -> above/a\n```\n"),
        ["not drawn: above/b -> above/a"]
    );
    assert_eq!(
        told("```rooms\nabove/b -> above/a below/d\nabove/a -> above/b\n```\n"),
        [
            "drawn and not there: above/a -> above/b",
            "drawn and not there: above/b -> below/d"
        ]
    );
}
