//! A configuration as a tree in which every value knows its file and line.

use super::fault::{Fault, Origin};
use std::collections::BTreeMap;
use std::rc::Rc;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// Place in the configuration.
    pub(super) origin: Origin,
}

/// Kinds of values.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// A date, or a number out of range: nothing that a key asks for.
    Other(&'static str),
}

impl Value {
    /// Kind of the value, in a word.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Parses one file. All syntax errors are reported, each with its line.
pub(super) fn parse(text: &str, file: &str) -> Result<Node, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let source = Source {
        file: file.into(),
        line_starts: line_starts(text),
    };
    if errors.is_empty() {
        let span = table.span();
        return Ok(Node {
            value: source.table(table.get_ref()),
            origin: source.origin(span.start),
        });
    }
    let fault = |error: &toml::de::Error| {
        let origin = source.origin(error.span().map_or(0, |span| span.start));
        Fault::new(&origin, "", error.message().to_owned())
    };
    Err(errors.iter().map(fault).collect())
}

/// Lays `over` onto `under`: tables merge, everything else is replaced.
pub(super) fn merge(under: &mut Node, over: Node) {
    match (&mut under.value, over.value) {
        (Value::Table(under), Value::Table(over)) => {
            for (key, node) in over {
                match under.get_mut(&key) {
                    Some(known) => merge(known, node),
                    None => drop(under.insert(key, node)),
                }
            }
        }
        (_, value) => {
            *under = Node {
                value,
                origin: over.origin,
            }
        }
    }
}

/// Byte offsets at which lines start.
fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(breaks.map(|(at, _)| at + 1))
        .collect()
}

struct Source {
    file: Rc<str>,
    line_starts: Vec<usize>,
}

impl Source {
    fn origin(&self, offset: usize) -> Origin {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        Origin {
            file: Rc::clone(&self.file),
            line,
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Value {
        let entry = |(key, value): (
            &toml::Spanned<std::borrow::Cow<'_, str>>,
            &toml::Spanned<DeValue<'_>>,
        )| {
            // A key's line is where a person looks, also when its value is a table that opens
            // elsewhere.
            let node = Node {
                value: self.value(value.get_ref()),
                origin: self.origin(key.span().start),
            };
            (key.get_ref().to_string(), node)
        };
        Value::Table(table.iter().map(entry).collect())
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Value::Other("an integer out of range"), Value::Integer),
            DeValue::Float(digits) => digits
                .as_str()
                .parse()
                .map_or(Value::Other("a number out of range"), Value::Float),
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(list) => Value::List(
                list.iter()
                    .map(|item| Node {
                        value: self.value(item.get_ref()),
                        origin: self.origin(item.span().start),
                    })
                    .collect(),
            ),
            DeValue::Table(table) => self.table(table),
        }
    }
}
