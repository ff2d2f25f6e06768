//! The configuration language of gdnsd: nested hashes, arrays and text, with comments, escapes and
//! includes.

mod include;
mod lex;
mod parse;
#[cfg(test)]
mod tests;

pub(crate) use include::load;

use crate::fault::{ImportError, Place};
use std::str::FromStr;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Place where it begins.
    pub(crate) place: Place,
    /// Value itself.
    pub(crate) value: Value,
}

/// A value. All scalars are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    List(Vec<Node>),
    Hash(Hash),
}

/// Keys with values, in the order of the file; no key twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hash {
    pub(crate) entries: Vec<Entry>,
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Place where the key stands.
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Hash {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map(|entry| &entry.node)
    }

    /// The hash behind a key, if the key is there.
    ///
    /// # Errors
    /// [`ImportError::Invalid`] for a value that is no hash.
    pub(crate) fn hash(&self, key: &str) -> Result<Option<&Self>, ImportError> {
        self.get(key).map(|node| node.hash(key)).transpose()
    }
}

impl Node {
    /// The text.
    ///
    /// # Errors
    /// [`ImportError::Invalid`] for lists and hashes; so with the others below.
    pub(crate) fn text(&self, what: &str) -> Result<&str, ImportError> {
        match &self.value {
            Value::Text(text) => Ok(text),
            Value::List(items) if items.len() == 1 => items[0].text(what),
            _ => Err(self.wrong(what, "must be one text")),
        }
    }

    /// The hash.
    pub(crate) fn hash(&self, what: &str) -> Result<&Hash, ImportError> {
        match &self.value {
            Value::Hash(hash) => Ok(hash),
            _ => Err(self.wrong(what, "must be a hash, { key => value, ... }")),
        }
    }

    /// The texts of a list; a single text is a list of one.
    pub(crate) fn texts(&self, what: &str) -> Result<Vec<&str>, ImportError> {
        match &self.value {
            Value::List(items) => items.iter().map(|item| item.text(what)).collect(),
            _ => Ok(vec![self.text(what)?]),
        }
    }

    /// `true` or `false`, in any case of letters.
    pub(crate) fn truth(&self, what: &str) -> Result<bool, ImportError> {
        match self.text(what)?.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong(what, "must be true or false")),
        }
    }

    /// Anything that is written as text.
    pub(crate) fn parsed<T: FromStr>(&self, what: &str, kind: &str) -> Result<T, ImportError> {
        let text = self.text(what)?;
        text.parse()
            .map_err(|_| self.wrong(what, &format!("must be {kind}, and {text:?} is none")))
    }

    /// Returns what is wrong with a value.
    pub(crate) fn wrong(&self, what: &str, why: &str) -> ImportError {
        ImportError::invalid(&self.place, format!("{what} {why}"))
    }
}
