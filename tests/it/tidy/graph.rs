//! Arrows between the files of a crate: who names what stands in whose file.
//!
//! Paths count that begin with `crate`, `super` or `self`, or with a name that such a `use` brought
//! in; a parent that names its child by `child::name` only lists what it is made of. A name is
//! followed through `use` and `pub use` to the file that defines it, so that an arrow ends where
//! the code stands and not at the door of its module. A `pub use` is a door itself and draws no
//! arrow. Test code is left out.

use super::source::{root, words};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Longest chain of `use` that is followed.
const CHAIN_MAX: usize = 16;

/// A path in code, such as `["crate", "plan", "Instance"]`.
type Names = Vec<String>;

/// One file of a crate.
struct File {
    /// Path below `src`.
    path: String,
    words: Names,
    /// Names that `use` brings in, with where they are from.
    uses: BTreeMap<String, Names>,
    /// Modules all of whose names are brought in.
    globs: Vec<Names>,
    items: BTreeSet<String>,
}

/// A crate: its name in code, and its files by their module.
pub(super) struct Crate {
    pub(super) name: String,
    files: BTreeMap<Names, File>,
}

/// End of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// A module of the crate.
    Module(Names),
    /// An item, by the module whose file defines it.
    Item(Names),
}

impl Crate {
    /// Reads the crate in a folder.
    pub(super) fn read(folder: &str) -> Self {
        let dir = root().join(folder);
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        let lib = manifest.split("\n[lib]").nth(1).unwrap();
        let name = lib.split('"').nth(1).unwrap();
        let src = dir.join("src");
        let read = |path: &str| fs::read_to_string(src.join(Path::new(path))).ok();
        Self::of(name, read)
    }

    /// A crate from its texts by path below `src`. Only files that `mod` leads to are part of it.
    pub(super) fn of(name: &str, read: impl Fn(&str) -> Option<String>) -> Self {
        let mut files = BTreeMap::new();
        let mut open = vec![(Vec::new(), "lib.rs".to_owned(), String::new())];
        while let Some((module, path, dir)) = open.pop() {
            let file = File::read(&path, &read(&path).unwrap());
            for child in file.modules() {
                let inner = format!("{dir}{child}/");
                let path = [format!("{dir}{child}.rs"), format!("{inner}mod.rs")]
                    .into_iter()
                    .find(|path| read(path).is_some())
                    .unwrap_or_else(|| panic!("{name}: no file of module {child}"));
                let mut module: Names = Clone::clone(&module);
                module.push(child);
                open.push((module, path, inner));
            }
            files.insert(module, file);
        }
        Self {
            name: name.to_owned(),
            files,
        }
    }

    /// Arrows between different modules, each with a name that it stands for.
    pub(super) fn arrows(&self) -> BTreeMap<(Names, Names), String> {
        let mut arrows = BTreeMap::new();
        for (module, file) in &self.files {
            for path in file.paths().into_iter().filter(|path| file.counts(path)) {
                let Some(End::Item(to)) = self.end(module, &path, 0) else {
                    continue;
                };
                if to != *module {
                    arrows
                        .entry((module.clone(), to))
                        .or_insert_with(|| path.join("::"));
                }
            }
        }
        arrows
    }

    /// Paths of a module's file that begin with the name of another crate.
    pub(super) fn names_of(&self, other: &str) -> BTreeMap<Names, BTreeSet<Names>> {
        let mut found: BTreeMap<Names, BTreeSet<Names>> = BTreeMap::new();
        for (module, file) in &self.files {
            let paths = file.paths().into_iter();
            let theirs = paths.filter(|path| path[0] == other);
            found.entry(module.clone()).or_default().extend(theirs);
        }
        found
    }

    /// The module whose file defines what a path from outside the crate leads to.
    pub(super) fn end_of(&self, path: &[String]) -> Option<Names> {
        match self.walk(&[], &path[1..], 0)? {
            End::Module(module) | End::Item(module) => Some(module),
        }
    }

    /// A module's path below `src`.
    pub(super) fn path(&self, module: &Names) -> &str {
        &self.files[module].path
    }

    /// End of a path that stands in a module; `None` when it leads out of the crate.
    fn end(&self, module: &[String], path: &[String], depth: usize) -> Option<End> {
        let mut at = module.to_vec();
        let mut rest = match path.first()?.as_str() {
            "crate" => {
                at.clear();
                &path[1..]
            }
            "self" => &path[1..],
            "super" => path,
            _ => return self.walk(module, path, depth),
        };
        while rest.first().is_some_and(|name| name == "super") {
            at.pop()?;
            rest = &rest[1..];
        }
        self.walk(&at, rest, depth)
    }

    /// Follows names from a module on.
    fn walk(&self, module: &[String], names: &[String], depth: usize) -> Option<End> {
        let file = self.files.get(module)?;
        let Some((name, rest)) = names.split_first() else {
            return Some(End::Module(module.to_vec()));
        };
        let mut child = module.to_vec();
        child.push(name.clone());
        if self.files.contains_key(&child) {
            return self.walk(&child, rest, depth);
        }
        if depth > CHAIN_MAX {
            return None;
        }
        if let Some(from) = file.uses.get(name) {
            // A `use` of a name that is its own first segment leads out of the crate.
            if from[0] == *name && !file.items.contains(name) {
                return None;
            }
            let path: Names = from.iter().chain(rest).cloned().collect();
            return self.end(module, &path, depth + 1);
        }
        if file.items.contains(name) {
            return Some(End::Item(module.to_vec()));
        }
        let mut globs = file.globs.iter();
        globs.find_map(|glob| {
            let End::Module(from) = self.end(module, glob, depth + 1)? else {
                return None;
            };
            self.walk(&from, names, depth + 1)
        })
    }
}

impl File {
    fn read(path: &str, text: &str) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            words: words(text),
            uses: BTreeMap::new(),
            globs: Vec::new(),
            items: BTreeSet::new(),
        };
        let words = &file.words;
        for at in 0..words.len() {
            let next = |by: usize| words.get(at + by).map_or("", String::as_str);
            match words[at].as_str() {
                "use" => {
                    for (path, name) in tree(words, at + 1).0 {
                        if name == "*" {
                            file.globs.push(path);
                        } else {
                            file.uses.insert(name, path);
                        }
                    }
                }
                "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" => {
                    file.items.insert(next(1).to_owned());
                }
                "macro_rules" => {
                    file.items.insert(next(2).to_owned());
                }
                _ => {}
            }
        }
        file
    }

    /// Modules with files of their own.
    fn modules(&self) -> Names {
        let triples = self.words.windows(3);
        triples
            .filter(|words| words[0] == "mod" && words[2] == ";")
            .map(|words| words[1].clone())
            .collect()
    }

    /// All paths of its code, but those of `pub use`; names that `use` brought in are written out.
    fn paths(&self) -> Vec<Names> {
        let words = &self.words;
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let mut paths = Vec::new();
        let mut at = 0;
        while at < words.len() {
            if word(at) == "use" {
                let (found, end) = tree(words, at + 1);
                if !self.is_public(at) {
                    paths.extend(found.into_iter().map(|(path, _)| path));
                }
                at = end;
                continue;
            }
            let begins = at == 0 || !["::", "."].contains(&word(at - 1));
            let is_name = word(at).starts_with(|c: char| c.is_alphabetic() || c == '_');
            let of_visibility = ["(", "in"].contains(&word(at.saturating_sub(1)))
                && [word(at.saturating_sub(2)), word(at.saturating_sub(3))].contains(&"pub");
            if begins && is_name && word(at + 1) == "::" && !of_visibility {
                let mut path = vec![words[at].clone()];
                while word(at + 1) == "::"
                    && word(at + 2).starts_with(|c: char| c.is_alphabetic() || c == '_')
                {
                    path.push(words[at + 2].clone());
                    at += 2;
                }
                paths.push(path);
            }
            at += 1;
        }
        paths
    }

    /// True for a path that leads through the crate by its beginning, or by that of a `use`.
    fn counts(&self, path: &[String]) -> bool {
        let leads = |path: &[String]| ["crate", "super", "self"].contains(&path[0].as_str());
        leads(path) || self.uses.get(&path[0]).is_some_and(|path| leads(path))
    }

    /// True for `pub use` and `pub(...) use` at `at`.
    fn is_public(&self, at: usize) -> bool {
        let before = |by: usize| at.checked_sub(by).map_or("", |at| self.words[at].as_str());
        before(1) == "pub" || before(1) == ")"
    }
}

/// Paths of a `use` from the word behind it on, each with the name that it brings in, and the place
/// behind them.
fn tree(words: &[String], mut at: usize) -> (Vec<(Names, String)>, usize) {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let mut path = Names::new();
    loop {
        match word(at) {
            "{" => {
                let mut found = Vec::new();
                at += 1;
                while word(at) != "}" {
                    let (inner, end) = tree(words, at);
                    let whole = |(names, name): (Names, String)| {
                        let mut whole: Names = path.iter().cloned().chain(names).collect();
                        // `a::{self}` is `a`.
                        if whole.len() > 1 && whole.last().is_some_and(|last| last == "self") {
                            whole.pop();
                        }
                        let name = if name == "self" {
                            whole.last().cloned().unwrap_or_default()
                        } else {
                            name
                        };
                        (whole, name)
                    };
                    found.extend(inner.into_iter().map(whole));
                    at = if word(end) == "," { end + 1 } else { end };
                }
                return (found, at + 1);
            }
            "*" => return (vec![(path, "*".to_owned())], at + 1),
            "::" => at += 1,
            name => {
                path.push(name.to_owned());
                at += 1;
                if word(at) == "as" {
                    return (vec![(path, word(at + 1).to_owned())], at + 2);
                }
                if word(at) != "::" {
                    let name = path.last().cloned().unwrap_or_default();
                    return (vec![(path, name)], at);
                }
            }
        }
    }
}

/// Circles among nodes: groups of which each member leads to each other, in order.
pub(super) fn circles<N: Ord + Clone>(arrows: &BTreeSet<(N, N)>) -> Vec<Vec<N>> {
    let nodes: BTreeSet<&N> = arrows.iter().flat_map(|(a, b)| [a, b]).collect();
    let reached = |from: &N| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(at) = open.pop() {
            let next = arrows.iter().filter(|(a, _)| *a == at);
            for (_, b) in next {
                if seen.insert(b.clone()) {
                    open.push(b.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&N, BTreeSet<N>> =
        nodes.iter().map(|node| (*node, reached(node))).collect();
    let mut circles: BTreeSet<Vec<N>> = BTreeSet::new();
    for (node, theirs) in &reach {
        let members = theirs.iter().filter(|other| reach[other].contains(*node));
        let members: Vec<N> = members.cloned().collect();
        if members.len() > 1 {
            circles.insert(members);
        }
    }
    circles.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(texts: &[(&str, &str)]) -> Crate {
        let texts: BTreeMap<String, String> = texts
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        Crate::of("small", |path| texts.get(path).cloned())
    }

    fn drawn(it: &Crate) -> Vec<String> {
        let arrows = it.arrows();
        arrows
            .keys()
            .map(|(from, to)| format!("{} -> {}", it.path(from), it.path(to)))
            .collect()
    }

    #[test]
    fn arrows_end_where_the_code_stands() {
        let it = small(&[
            ("lib.rs", "pub mod a; mod b; pub use b::B;"),
            (
                "a/mod.rs",
                "mod inner; pub use inner::Inner; pub use crate::b::B as Other; use std::fmt; struct A;\n\
                 fn f() { inner::f(); }",
            ),
            (
                "a/inner.rs",
                "use super::{A, fmt}; use crate::b; pub struct Inner(A); fn f() { b::g(); }\n\
                 #[cfg(test)] mod tests { use crate::c::C; }",
            ),
            (
                "b.rs",
                "use crate::a::{Inner, Other}; pub(in crate::a) struct B; pub fn g() {} // crate::a::A",
            ),
        ]);
        assert_eq!(
            drawn(&it),
            [
                "a/inner.rs -> a/mod.rs",
                "a/inner.rs -> b.rs",
                "b.rs -> a/inner.rs"
            ]
        );
        let to = |path: &[&str]| it.end_of(&names(path));
        assert_eq!(to(&["small", "a", "Inner"]), Some(names(&["a", "inner"])));
        assert_eq!(to(&["small", "B"]), Some(names(&["b"])));
    }

    fn names(path: &[&str]) -> Names {
        path.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn circles_are_found_whole() {
        let arrows = [(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (5, 4), (6, 1)];
        assert_eq!(circles(&arrows.into()), [vec![1, 2, 3], vec![4, 5]]);
        assert!(circles(&[(1, 2), (2, 3)].into()).is_empty());
    }
}
