//! TOML text, as much of it as configurations need.

use std::fmt::{Display, Write};

/// A file as it grows.
#[derive(Debug, Default)]
pub(super) struct Toml(String);

impl Toml {
    /// Begins with a comment.
    pub(super) fn new(comment: &str) -> Self {
        let mut toml = Self::default();
        for line in comment.lines() {
            let _ = writeln!(toml.0, "# {line}");
        }
        toml
    }

    /// `[path]`, or `[[path]]` for one of several.
    pub(super) fn table(&mut self, header: &str) {
        let _ = writeln!(self.0, "\n{header}");
    }

    /// `key = value`; the value is TOML already.
    pub(super) fn pair(&mut self, key: &str, value: impl Display) {
        let _ = writeln!(self.0, "{key} = {value}");
    }

    /// `key = "text"`.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.pair(key, quoted(text));
    }

    /// `key = ["text", ...]`.
    pub(super) fn texts<T: AsRef<str>>(&mut self, key: &str, texts: &[T]) {
        self.pair(key, list(texts.iter().map(|text| quoted(text.as_ref()))));
    }

    /// A list with one item to a line.
    pub(super) fn lines(&mut self, key: &str, items: impl Iterator<Item = String>) {
        let _ = writeln!(self.0, "{key} = [");
        for item in items {
            let _ = writeln!(self.0, "  {item},");
        }
        self.0.push_str("]\n");
    }

    /// The whole.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// An array of TOML values.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// An inline table.
pub(super) fn inline(pairs: impl Iterator<Item = (String, String)>) -> String {
    let pairs: Vec<String> = pairs
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    match pairs.len() {
        0 => "{}".to_owned(),
        _ => format!("{{ {} }}", pairs.join(", ")),
    }
}

/// A number with its decimal point, as TOML wants of a float.
pub(super) fn float(number: f64) -> String {
    format!("{number:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_and_keys_read_back(key in "(?s).{0,20}", text in "(?s).{0,40}", number in -1e6_f64..1e6) {
            let mut toml = Toml::new("of a test");
            toml.table("[x]");
            toml.text(&quoted(&key), &text);
            toml.pair("number", inline([(quoted(&key), float(number))].into_iter()));
            let read: ::toml::Table = toml.finish().parse().unwrap();
            let read = read["x"].as_table().unwrap();
            if key != "number" {
                prop_assert_eq!(read[&key].as_str(), Some(text.as_str()));
                prop_assert_eq!(read["number"][&key].as_float(), Some(number));
            }
        }
    }
}
