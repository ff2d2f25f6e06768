//! Reading a table key by key: every fault is collected, every key that nobody asked for is one.

use super::fault::{Fault, Origin};
use super::tree::{Node, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Keys that were renamed: (older name, name). Both are read; the older one is mentioned.
const RENAMED: [(&str, &str); 3] = [
    ("floor-ms", "latency-limit-ms"),
    ("meters", "contracts"),
    ("meter", "contract"),
];

/// Faults and notices found while reading.
#[derive(Default)]
pub(super) struct Sink {
    pub(super) faults: RefCell<Vec<Fault>>,
    /// Remarks that keep nothing from being loaded.
    pub(super) notices: RefCell<Vec<Fault>>,
}

/// One table being read.
pub(super) struct Section<'a> {
    table: Option<&'a BTreeMap<String, Node>>,
    origin: Origin,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
    sink: &'a Sink,
}

impl<'a> Section<'a> {
    /// The table at `node`.
    pub(super) fn new(node: &'a Node, path: &str, sink: &'a Sink) -> Self {
        let table = if let Value::Table(table) = &node.value {
            Some(table)
        } else {
            sink.faults.borrow_mut().push(Fault::new(
                &node.origin,
                path,
                format!("is {}, not a table", node.value.kind()),
            ));
            None
        };
        Self {
            table,
            origin: node.origin.clone(),
            path: path.to_owned(),
            asked: RefCell::default(),
            sink,
        }
    }

    /// Reports a fault of a key, at its line; of the section itself when the key is missing.
    pub(super) fn fault(&self, key: &str, message: impl Into<String>) {
        let origin = self.peek(key).map_or(&self.origin, |node| &node.origin);
        self.sink
            .faults
            .borrow_mut()
            .push(Fault::new(origin, &self.path_of(key), message));
    }

    /// Collection that takes the faults of this section.
    pub(super) const fn sink(&self) -> &'a Sink {
        self.sink
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (true, _) => self.written(key).to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{}", self.path, self.written(key)),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &'static str) -> Option<&'a Node> {
        let is_new = self.asked.borrow_mut().insert(key);
        if let Some(older) = renamed(key) {
            self.asked.borrow_mut().insert(older);
            if is_new && let Some(node) = self.table?.get(older) {
                self.mention(older, key, node);
            }
        }
        self.peek(key)
    }

    /// The value of a key, without asking for it.
    pub(super) fn peek(&self, key: &str) -> Option<&'a Node> {
        self.table?.get(self.written(key))
    }

    /// The name under which the file has a key: the older one where it has only that.
    fn written<'b>(&self, key: &'b str) -> &'b str {
        let has = |key: &str| self.table.is_some_and(|table| table.contains_key(key));
        match renamed(key) {
            Some(older) if has(older) && !has(key) => older,
            _ => key,
        }
    }

    /// Mentions an older name; refuses it beside the one that took its place.
    fn mention(&self, older: &str, name: &str, node: &Node) {
        let path = self.path_of(older);
        if self.table.is_some_and(|table| table.contains_key(name)) {
            let message = format!("is an older name of {name}, which is given, too; keep one");
            let fault = Fault::new(&node.origin, &path, message);
            self.sink.faults.borrow_mut().push(fault);
        } else {
            let message = format!("is called {name} now; this older name is still read");
            let notice = Fault::new(&node.origin, &path, message);
            self.sink.notices.borrow_mut().push(notice);
        }
    }

    /// Tells whether a key is there and has text.
    pub(super) fn is_text(&self, key: &'static str) -> bool {
        self.get(key)
            .is_some_and(|node| matches!(node.value, Value::Text(_)))
    }

    fn required<T>(&self, key: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.table.is_some() && self.peek(key).is_none() {
            self.fault(key, "is missing");
        }
        value
    }

    pub(super) fn wrong(&self, key: &'static str, node: &Node, wanted: &str) {
        self.fault(
            key,
            format!("is {}, but must be {wanted}", node.value.kind()),
        );
    }

    /// Text, if the key is there.
    pub(super) fn text_or_none(&self, key: &'static str) -> Option<String> {
        let node = self.get(key)?;
        if let Value::Text(text) = &node.value {
            return Some(text.clone());
        }
        self.wrong(key, node, "text");
        None
    }

    /// Text that must be there and not be empty; empty on a fault.
    pub(super) fn text(&self, key: &'static str) -> String {
        let text = self.text_or_none(key);
        if text.as_deref() == Some("") {
            self.fault(key, "is empty");
        }
        self.required(key, text).unwrap_or_default()
    }

    /// A name: letters, digits, `-`, `_`, `.`; empty on a fault.
    pub(super) fn name(&self, key: &'static str) -> String {
        let name = self.text(key);
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            self.fault(
                key,
                format!("{name:?} may only have letters, digits, '-', '_' and '.'"),
            );
        }
        name
    }

    /// Text that parses, if the key is there; what is wrong is reported.
    pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        key: &'static str,
    ) -> Option<T> {
        let text = self.text_or_none(key)?;
        text.parse()
            .map_err(|fault| self.fault(key, format!("{text:?}: {fault}")))
            .ok()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        default: Option<T>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let Some(text) = self.text_or_none(key) else {
            return if default.is_some() {
                default
            } else {
                self.required(key, None)
            };
        };
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fault(key, format!("{text:?} is not one of {}", known.join(", ")));
        }
        found
    }

    /// A number in a range, if the key is there.
    pub(super) fn number_or_none(
        &self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let node = self.get(key)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers in a configuration are far below 2^52"
        )]
        let number = match node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => {
                self.wrong(key, node, "a number");
                return None;
            }
        };
        if range.contains(&number) {
            return Some(number);
        }
        self.fault(
            key,
            format!(
                "{number} is not within {} to {}",
                range.start(),
                range.end()
            ),
        );
        None
    }

    /// A number in a range that must be there; the range's end on a fault.
    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<f64>) -> f64 {
        let fallback = *range.end();
        let number = self.number_or_none(key, range);
        self.required(key, number).unwrap_or(fallback)
    }

    /// A whole number in a range; the default when the key is missing.
    pub(super) fn whole(&self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(node) = self.get(key) else {
            return default;
        };
        let Value::Integer(number) = node.value else {
            self.wrong(key, node, "a whole number");
            return default;
        };
        match u32::try_from(number) {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.fault(
                    key,
                    format!(
                        "{number} is not within {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
                default
            }
        }
    }

    /// True or false; the default when the key is missing.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.get(key) else {
            return default;
        };
        if let Value::Bool(yes) = node.value {
            return yes;
        }
        self.wrong(key, node, "true or false");
        default
    }

    /// A duration such as `"250ms"`; the default when the key is missing.
    pub(super) fn span(
        &self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(node) = self.get(key) else {
            return default;
        };
        let Value::Text(text) = &node.value else {
            self.fault(
                key,
                format!(
                    "is {}, but must be a duration with its unit, such as \"30s\"",
                    node.value.kind()
                ),
            );
            return default;
        };
        match humantime::parse_duration(text) {
            Ok(span) if range.contains(&span) => span,
            Ok(_) => {
                let show = |span: &Duration| humantime::format_duration(*span).to_string();
                self.fault(
                    key,
                    format!(
                        "{text:?} is not within {} to {}",
                        show(range.start()),
                        show(range.end())
                    ),
                );
                default
            }
            Err(fault) => {
                self.fault(
                    key,
                    format!(
                        "{text:?} is no duration ({fault}): write it with its unit, such as \"30s\""
                    ),
                );
                default
            }
        }
    }

    /// A list of texts; empty when the key is missing.
    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.wrong(key, node, "a list");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => texts.push(text.clone()),
                other => self.fault(key, format!("holds {}, but must hold text", other.kind())),
            }
        }
        texts
    }

    /// A list of whole numbers in a range; empty when the key is missing.
    pub(super) fn wholes(&self, key: &'static str, range: RangeInclusive<u16>) -> Vec<u16> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.wrong(key, node, "a list");
            return Vec::new();
        };
        let number = |item: &Node| {
            let number = match item.value {
                Value::Integer(number) => u16::try_from(number).ok(),
                _ => None,
            };
            let inside = number.filter(|number| range.contains(number));
            if inside.is_none() {
                let (low, high) = (range.start(), range.end());
                self.fault(key, format!("must hold whole numbers of {low} to {high}"));
            }
            inside
        };
        items.iter().filter_map(number).collect()
    }

    /// A list of texts that parse.
    pub(super) fn list<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        key: &'static str,
    ) -> Vec<T> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|fault| self.fault(key, format!("{text:?}: {fault}")))
                .ok()
        };
        self.texts(key).iter().filter_map(parse).collect()
    }

    /// A table below this one; `None` when the key is missing.
    pub(super) fn section(&self, key: &'static str) -> Option<Self> {
        let node = self.get(key)?;
        Some(Section::new(node, &self.path_of(key), self.sink))
    }

    /// The tables of a list; empty when the key is missing.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Self> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.wrong(key, node, "a list of tables");
            return Vec::new();
        };
        let path = self.path_of(key);
        items
            .iter()
            .enumerate()
            .map(|(index, item)| Section::new(item, &format!("{path}[{index}]"), self.sink))
            .collect()
    }

    /// Reports every key that was not asked for, with the nearest one that is known.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        let unknown = self
            .table
            .into_iter()
            .flatten()
            .filter(|(key, _)| !asked.contains(key.as_str()));
        for (key, node) in unknown {
            let nearest = asked
                .iter()
                .min_by_key(|known| (distance(known, key), **known));
            let hint = nearest.filter(|known| distance(known, key) <= known.len().div_ceil(2));
            let hint = hint.map_or_else(String::new, |known| format!("; is `{known}` meant?"));
            let fault = Fault::new(
                &node.origin,
                &self.path_of(key),
                format!("is no key that is known here{hint}"),
            );
            self.sink.faults.borrow_mut().push(fault);
        }
    }
}

/// The older name of a key.
fn renamed(key: &str) -> Option<&'static str> {
    let pair = RENAMED.into_iter().find(|(_, name)| *name == key);
    pair.map(|(older, _)| older)
}

/// Edit distance (Levenshtein 1966), for hints alone.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
