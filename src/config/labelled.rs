//! Tables whose keys are labels of somebody's choice, such as `pools = { us = ["web-us"] }`.

use super::fault::Fault;
use super::section::Section;
use super::tree::{Node, Value};

impl<'a> Section<'a> {
    /// The entries of a table of labels, in the order of labels; empty when the key is missing.
    fn labelled(&self, key: &'static str) -> Vec<(&'a str, &'a Node)> {
        match self.get(key).map(|node| (node, &node.value)) {
            None => Vec::new(),
            Some((_, Value::Table(table))) => table.iter().map(|(k, v)| (k.as_str(), v)).collect(),
            Some((node, _)) => {
                self.wrong(key, node, "a table of labels");
                Vec::new()
            }
        }
    }

    /// Reports a fault of one label, at its line.
    pub(super) fn label_fault(&self, key: &str, label: &str, message: impl Into<String>) {
        let node = self.node_of_label(key, label);
        let path = format!("{}.{label}", self.path_of(key));
        let fault = node.map(|node| Fault::new(&node.origin, &path, message));
        self.sink().faults.borrow_mut().extend(fault);
    }

    fn node_of_label(&self, key: &str, label: &str) -> Option<&'a Node> {
        let Value::Table(table) = &self.peek(key)?.value else {
            return None;
        };
        table.get(label)
    }

    /// Label -> list of texts.
    pub(super) fn texts_by_label(&self, key: &'static str) -> Vec<(&'a str, Vec<&'a str>)> {
        let texts = |label: &str, node: &'a Node| {
            let Value::List(items) = &node.value else {
                self.label_fault(key, label, "must be a list of text");
                return Vec::new();
            };
            let text = |item: &'a Node| match &item.value {
                Value::Text(text) => Some(text.as_str()),
                other => {
                    let message = format!("holds {}, but must hold text", other.kind());
                    self.label_fault(key, label, message);
                    None
                }
            };
            items.iter().filter_map(text).collect()
        };
        let entries = self.labelled(key).into_iter();
        entries
            .map(|(label, node)| (label, texts(label, node)))
            .collect()
    }

    /// Label -> one of a few words.
    pub(super) fn choices_by_label<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Vec<(&'a str, T)> {
        let choice = |(label, node): (&'a str, &'a Node)| {
            let found = match &node.value {
                Value::Text(text) => words.iter().find(|(word, _)| word == text),
                _ => None,
            };
            if found.is_none() {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.label_fault(key, label, format!("must be one of {}", known.join(", ")));
            }
            found.map(|(_, value)| (label, *value))
        };
        self.labelled(key).into_iter().filter_map(choice).collect()
    }

    /// Label -> degrees north and degrees east.
    pub(super) fn coordinates_by_label(&self, key: &'static str) -> Vec<(&'a str, (f64, f64))> {
        let number = |node: &Node| match node.value {
            #[expect(clippy::cast_precision_loss, reason = "out of range long before that")]
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        };
        let point = |node: &Node| {
            let Value::List(items) = &node.value else {
                return None;
            };
            let [north, east] = items.as_slice() else {
                return None;
            };
            let (north, east) = (number(north)?, number(east)?);
            ((-90.0..=90.0).contains(&north) && (-180.0..=180.0).contains(&east))
                .then_some((north, east))
        };
        let one = |(label, node): (&'a str, &'a Node)| {
            let found = point(node);
            if found.is_none() {
                let message = "must be [degrees north, degrees east], such as [39.9, 116.4]";
                self.label_fault(key, label, message);
            }
            found.map(|point| (label, point))
        };
        self.labelled(key).into_iter().filter_map(one).collect()
    }
}
