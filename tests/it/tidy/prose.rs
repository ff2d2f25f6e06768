//! Comments: their width, and the word that a doc begins with.

use super::source::{Blank, all, blanked};

/// Widest line, in columns.
const COLUMNS_MAX: usize = 100;

/// Words that no doc begins with: it begins with a noun or a verb.
const OPENINGS: [&str; 16] = [
    "What",
    "Whether",
    "Who",
    "Whoever",
    "Which",
    "Where",
    "How",
    "Why",
    "When",
    "It",
    "They",
    "That",
    "Those",
    "These",
    "Its",
    "Everything",
];

/// Numbers of lines that are too wide: comments, and code that neither has a literal on its line
/// nor stands in a macro or an attribute. rustfmt leaves both alone.
fn wide(text: &str) -> Vec<usize> {
    let text = blanked(text, Blank::Literals);
    let code = blanked(&text, Blank::CommentsToo);
    let mut found = Vec::new();
    let mut depth = 0;
    for ((line, code), number) in text.lines().zip(code.lines()).zip(1..) {
        let mut in_macro = depth > 0;
        let mut before = (' ', ' ');
        for c in code.chars().filter(|c| !c.is_whitespace()) {
            let calls = before.1 == '!' && (before.0.is_alphanumeric() || before.0 == '_');
            let opens = calls || before.1 == '#' || before == ('#', '!');
            if "([{".contains(c) && (depth > 0 || opens) {
                depth += 1;
                in_macro = true;
            } else if ")]}".contains(c) && depth > 0 {
                depth -= 1;
            }
            before = (before.1, c);
        }
        let is_code = code.trim_end().len() == line.trim_end().len();
        let is_free = is_code && (code.contains('"') || in_macro);
        if line.trim_end().chars().count() > COLUMNS_MAX && !is_free {
            found.push(number);
        }
    }
    found
}

/// Docs that begin with a word of [`OPENINGS`]: number and text of their first line.
fn opened_badly(text: &str) -> Vec<(usize, &str)> {
    let code = blanked(text, Blank::Literals);
    let mark = |line: &str| {
        ["///", "//!"]
            .into_iter()
            .find(|mark| line.trim_start().starts_with(mark))
    };
    let mut before = None;
    let mut found = Vec::new();
    for ((line, shown), number) in code.lines().zip(text.lines()).zip(1..) {
        let kind = mark(line);
        if let Some(kind) = kind
            && before != Some(kind)
        {
            let doc = shown.trim_start().trim_start_matches(kind).trim_start();
            let first = doc.split(|c: char| !c.is_alphabetic()).next();
            if first.is_some_and(|first| OPENINGS.contains(&first)) {
                found.push((number, doc));
            }
        }
        before = kind;
    }
    found
}

#[test]
fn no_line_is_wider_than_a_readers_window() {
    let files = all();
    let found: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| {
            let at = |line: usize| format!("{}:{line}", path.display());
            wide(text).into_iter().map(at)
        })
        .collect();
    assert!(
        found.is_empty(),
        "{} lines are wider than {COLUMNS_MAX} columns:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn docs_begin_with_a_noun_or_a_verb() {
    let files = all();
    let found: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| {
            let told = |(line, doc): (usize, &str)| format!("{}:{line}: {doc}", path.display());
            opened_badly(text).into_iter().map(told)
        })
        .collect();
    assert!(
        found.is_empty(),
        "{} docs begin with a word that names nothing:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn a_wide_line_is_found_unless_rustfmt_leaves_it_alone() {
    let wide_by = |head: &str, tail: &str| wide(&format!("\n{head}{}{tail}\n", "x".repeat(95)));
    for (head, tail) in [
        ("    // ", ""),
        ("/// ", " y z"),
        ("let a = ", ";"),
        ("a(); // ", ""),
    ] {
        assert_eq!(wide_by(head, tail), [2], "{head}{tail}");
    }
    for (head, tail) in [
        ("// ", ""),
        ("let a = \"", "\";"),
        ("let a = \"\n", "  y z\";"),
        ("m! { a ", " b c }"),
        ("m! {\n    a ", " b c\n}"),
    ] {
        assert!(wide_by(head, tail).is_empty(), "{head}{tail}");
    }
    assert_eq!(wide_by("m! {}\nlet a = ", ";"), [3]);
}

#[test]
fn a_doc_without_a_subject_is_found() {
    let text = "//! What this is.\n\n/// A name.\n/// It is long.\nstruct A {\n    /// Whether it is.\n    a: bool,\n}\n\
                const B: &str = \"\n/// How it is.\n\";\n// Why a comment is free.\n/// Itself.\nfn c() {}\n";
    assert_eq!(
        opened_badly(text),
        [(1, "What this is."), (6, "Whether it is.")]
    );
}
