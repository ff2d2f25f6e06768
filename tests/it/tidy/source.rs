//! Rust source as the guards read it: without the content of literals, without comments or without
//! test code, and as words.

use std::fs;
use std::path::{Path, PathBuf};

/// Root of the repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files of Rust below a directory, in order.
pub(super) fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Folders of the workspace's crates as its manifest lists them, and that of the root package.
pub(super) fn crates() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let list = manifest.split("\nmembers = [").nth(1).unwrap();
    let list = list.split(']').next().unwrap();
    let named = list.split('"').skip(1).step_by(2).map(ToOwned::to_owned);
    [".".to_owned()].into_iter().chain(named).collect()
}

/// Folders of the engine's crates.
pub(super) fn crates_of_engine() -> Vec<String> {
    let mut folders = crates();
    folders.retain(|folder| folder == "engine" || folder.starts_with("engine/"));
    assert!(!folders.is_empty(), "the workspace has no engine");
    folders
}

/// All Rust of the workspace: path from the root, and text.
pub(super) fn all() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut files = Vec::new();
    for folder in crates() {
        for part in ["src", "tests", "examples", "benches"] {
            let dir = root.join(&folder).join(part);
            if dir.is_dir() {
                files.extend(sources(&dir));
            }
        }
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&root).unwrap().to_owned(), text)
    };
    let files: Vec<_> = files.into_iter().map(read).collect();
    assert!(files.len() > 200, "the workspace has hardly a file");
    files
}

/// A kind of text that does not count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blank {
    /// The content of literals.
    Literals,
    /// Comments, and the content of literals.
    CommentsToo,
}

/// A text with spaces in place of all that does not count; lines and columns stay.
pub(super) fn blanked(text: &str, what: Blank) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let (end, kept) = span(&chars, at);
        let is_literal = matches!(kept, Kept::Ends);
        let kept = match kept {
            Kept::All => true,
            Kept::Ends => false,
            Kept::Comment => what == Blank::Literals,
        };
        for index in at..end {
            let is_quote = (index == at || index + 1 == end) && chars[at] != '\'';
            out.push(match chars[index] {
                c if kept || c == '\n' => c,
                _ if is_quote && is_literal => '"',
                _ => ' ',
            });
        }
        at = end;
    }
    out
}

/// A part of a text by what may be kept of it.
enum Kept {
    All,
    /// A literal: its quotes.
    Ends,
    Comment,
}

/// End of the literal, comment or character that begins at `at`.
fn span(chars: &[char], at: usize) -> (usize, Kept) {
    let begins = |at: usize, word: &str| {
        let mut rest = chars[at..].iter();
        word.chars().all(|c| rest.next() == Some(&c))
    };
    if begins(at, "//") {
        let length = chars[at..].iter().take_while(|c| **c != '\n').count();
        return (at + length, Kept::Comment);
    }
    if begins(at, "/*") {
        let mut end = at + 2;
        while end < chars.len() && !begins(end, "*/") {
            end += 1;
        }
        return ((end + 2).min(chars.len()), Kept::Comment);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let in_word = at > 0 && is_word(chars[at - 1]) && !"br".contains(chars[at - 1]);
    if chars[at] == 'r' && !in_word {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if chars.get(at + 1 + hashes) == Some(&'"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let mut end = at + 2 + hashes;
            while end < chars.len() && !begins(end, &close) {
                end += 1;
            }
            return ((end + close.len()).min(chars.len()), Kept::Ends);
        }
    }
    match chars[at] {
        '"' => (closing(chars, at, '"'), Kept::Ends),
        // A lifetime has no closing quote behind its first character.
        '\'' if chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'') => {
            (closing(chars, at, '\''), Kept::Ends)
        }
        _ => (at + 1, Kept::All),
    }
}

/// The place behind the quote that closes the one at `at`.
fn closing(chars: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

/// Words and signs of blanked text without its test code; `::` is one sign.
pub(super) fn words(text: &str) -> Vec<String> {
    let code = blanked(text, Blank::CommentsToo);
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in code.chars() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        match words.last_mut() {
            Some(word) if is_word(c) && is_word(before) => word.push(c),
            Some(word) if c == ':' && before == ':' && word == ":" => word.push(c),
            _ if c.is_whitespace() => {}
            _ => words.push(c.to_string()),
        }
        before = c;
    }
    without_tests(&words)
}

/// Leaves out every item behind `#[cfg(test)]`.
fn without_tests(words: &[String]) -> Vec<String> {
    let is_test = |at: usize| {
        let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
        words.len() >= at + mark.len() && words[at..].iter().zip(mark).all(|(a, b)| a == b)
    };
    let mut kept = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if is_test(at) {
            at = item_end(words, at);
        } else {
            kept.push(words[at].clone());
            at += 1;
        }
    }
    kept
}

/// The place behind the item, field or arm that begins at `at`, with its attributes.
fn item_end(words: &[String], at: usize) -> usize {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let mut at = at;
    while word(at) == "#" {
        at = group_end(words, at + 1);
    }
    let begins = if word(at) == "pub" { at + 1 } else { at };
    let begins = if word(begins) == "(" {
        group_end(words, begins)
    } else {
        begins
    };
    // The parameters of an item have commas of their own, also outside of brackets.
    let is_item = ITEMS.contains(&word(begins));
    while at < words.len() {
        match word(at) {
            "(" | "[" => at = group_end(words, at),
            "{" => return group_end(words, at),
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// The place behind the bracket that closes the one at `at`.
fn group_end(words: &[String], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Words that items begin with.
const ITEMS: [&str; 14] = [
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "unsafe",
    "use",
];

#[test]
fn literals_comments_and_tests_do_not_count() {
    let text = "let a = \"x // y\"; // z\nlet b = r#\"\"q\"\"#; let c: &'a str = '\\'';\n";
    assert_eq!(
        blanked(text, Blank::Literals),
        "let a = \"      \"; // z\nlet b = \"      \"; let c: &'a str =     ;\n"
    );
    assert!(!blanked(text, Blank::CommentsToo).contains('z'));
    let text = "use a::b;\n#[cfg(test)]\n#[path = \"x\"]\nmod tests;\n\
                #[cfg(test)]\npub(crate) fn f<A, B>() { g(); }\nh!(#[cfg(test)] a: A<B>, c);";
    assert_eq!(words(text).join(" "), "use a :: b ; h ! ( c ) ;");
}
