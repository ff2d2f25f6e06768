//! No circle of files above two: whoever reads a file can read what it stands on first.

use super::graph::{Crate, circles};
use super::source::crates_of_engine;
use std::fmt::Write as _;

/// Crates without circles, besides those of the engine.
const HELD: [&str; 3] = ["dns", "redirect", "coverage"];

/// Most files of a circle.
const CIRCLE_MAX: usize = 2;

/// Circles of a crate that are too large, with the arrows that make them.
fn too_large(it: &Crate) -> String {
    let arrows = it.arrows();
    let mut text = String::new();
    for circle in circles(&arrows.keys().cloned().collect()) {
        if circle.len() <= CIRCLE_MAX {
            continue;
        }
        let _ = writeln!(text, "{}: a circle of {} files", it.name, circle.len());
        let within = arrows
            .iter()
            .filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
        for ((from, to), name) in within {
            let _ = writeln!(text, "  {} -> {} by {name}", it.path(from), it.path(to));
        }
    }
    text
}

#[test]
fn no_circle_of_files_is_larger_than_two() {
    let found: String = crates_of_engine()
        .into_iter()
        .chain(HELD.map(str::to_owned))
        .map(|folder| too_large(&Crate::read(&folder)))
        .collect();
    assert!(found.is_empty(), "\n{found}");
}

#[test]
fn a_circle_of_three_is_told_with_its_arrows() {
    let text = |path: &str| {
        let text = match path {
            "lib.rs" => "mod a; mod b; mod c;",
            "a.rs" => "use crate::b::B; pub struct A(B);",
            "b.rs" => "pub struct B; fn f() -> super::c::C { todo!() }",
            "c.rs" => "use super::a::A; pub struct C(A);",
            _ => return None,
        };
        Some(text.to_owned())
    };
    assert_eq!(
        too_large(&Crate::of("small", text)),
        "small: a circle of 3 files\n  a.rs -> b.rs by crate::b::B\n  \
         b.rs -> c.rs by super::c::C\n  c.rs -> a.rs by super::a::A\n"
    );
}
