//! Names that Watershed allows.

use std::collections::BTreeSet;

/// Names of one kind that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A name like the one wanted, with letters, digits, `-`, `_` and `.` alone, that nobody has
    /// yet.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let mut name: String = wanted
            .chars()
            .map(|character| if allowed(character) { character } else { '-' })
            .collect();
        if name.is_empty() {
            name.push('x');
        }
        let base = name.clone();
        let mut number = 1_u32;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{base}-{number}");
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_and_taken_once() {
        let mut names = Names::default();
        let taken = ["multifo!www", "multifo!www", "multifo-www-2", "", "é/x"]
            .map(|wanted| names.take(wanted));
        assert_eq!(
            taken,
            [
                "multifo-www",
                "multifo-www-2",
                "multifo-www-2-2",
                "x",
                "--x"
            ]
        );
    }
}
