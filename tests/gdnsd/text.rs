//! gdnsd's configuration syntax, written in each of the ways that its manual allows.

use std::fmt::{Display, Write};
use testkit::Random;

/// A value of the configuration: a scalar, an array or a hash.
#[derive(Clone, Debug)]
pub(crate) enum Conf {
    Text(String),
    List(Vec<Self>),
    Hash(Vec<(String, Self)>),
}

impl Conf {
    pub(crate) fn text(text: impl Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(crate) fn list<T: Display>(items: &[T]) -> Self {
        Self::List(
            items
                .iter()
                .map(|item| Self::Text(item.to_string()))
                .collect(),
        )
    }

    /// A hash of borrowed keys.
    pub(crate) fn hash<const N: usize>(pairs: [(&str, Self); N]) -> Self {
        Self::Hash(
            pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    /// The text of a whole file: a hash without its braces.
    pub(crate) fn file(pairs: &[(String, Self)], random: &mut Random) -> String {
        let mut text = "# Written by a test.\n".to_owned();
        for (key, value) in pairs {
            write_pair(&mut text, key, value, 0, random);
        }
        text
    }
}

fn write_pair(text: &mut String, key: &str, value: &Conf, depth: usize, random: &mut Random) {
    let arrow = if random.percent(70) { "=>" } else { "=" };
    let indent = "  ".repeat(depth);
    let _ = write!(text, "{indent}{} {arrow} ", scalar(key, random));
    write_value(text, value, depth, random);
    text.push_str(match random.below(4) {
        0 => "\n",
        1 => " ; a comment\n",
        _ => ",\n",
    });
}

fn write_value(text: &mut String, value: &Conf, depth: usize, random: &mut Random) {
    match value {
        Conf::Text(word) => text.push_str(&scalar(word, random)),
        Conf::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(match (index, random.percent(80)) {
                    (0, _) => "",
                    (_, true) => ", ",
                    (_, false) => " ",
                });
                write_value(text, item, depth + 1, random);
            }
            text.push(']');
        }
        Conf::Hash(pairs) => {
            text.push_str("{\n");
            for (key, value) in pairs {
                write_pair(text, key, value, depth + 1, random);
            }
            text.push_str(&"  ".repeat(depth));
            text.push('}');
        }
    }
}

/// A word plain, quoted, or with its spaces escaped.
fn scalar(word: &str, random: &mut Random) -> String {
    let is_plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".:/!%_-*@".contains(&byte));
    match (is_plain, random.below(10)) {
        (true, 1..) => word.to_owned(),
        (false, 0..5) if word.is_ascii() => word.replace(' ', "\\ "),
        _ => format!("\"{word}\""),
    }
}
