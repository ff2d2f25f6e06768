//! The checks of the demo: each a sentence with what was seen, and a verdict.

use crate::commands::output;
use comfy_table::{Cell, Color, Table};
use serde::Serialize;

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    seen: String,
    passed: bool,
}

/// All checks so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Checks {
    checks: Vec<Check>,
}

impl Checks {
    /// Notes a check and says it at once.
    pub(super) fn note(&mut self, passed: bool, what: &str, seen: impl Into<String>) {
        let seen = seen.into();
        output::tell(&format!(
            "   {} {what}: {seen}",
            if passed { "ok  " } else { "FAIL" }
        ));
        self.checks.push(Check {
            what: what.to_owned(),
            seen,
            passed,
        });
    }

    /// Number of checks that failed.
    pub(super) fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.passed).count()
    }

    /// As a table.
    pub(super) fn table(&self) -> Table {
        let mut table = output::table(&["check", "seen", "verdict"]);
        for check in &self.checks {
            let (verdict, color) = if check.passed {
                ("pass", Color::Green)
            } else {
                ("FAIL", Color::Red)
            };
            table.add_row([
                Cell::new(&check.what),
                Cell::new(&check.seen),
                Cell::new(verdict).fg(color),
            ]);
        }
        table
    }
}
