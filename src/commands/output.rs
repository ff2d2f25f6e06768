//! Output of commands: tables and sentences for people, JSON for programs, progress beside both.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use coverage::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Prints a line or several. A reader that went away, such as `head`, is no fault of ours.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    forgive(writeln!(io::stdout().lock(), "{text}"))
}

/// Tells a line of progress on standard error, for people; results go to standard output.
pub(super) fn tell(text: &str) {
    // Nobody reading is no fault of the work that goes on.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints JSON, indented, with its line feed.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    say(&text)
}

fn forgive(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Columns of a table whose reader is no terminal, such as a log.
const WIDTH_ELSEWHERE: u16 = 200;

/// An empty table with a heading; without one when it has no words.
pub(super) fn table(heading: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        table.set_width(WIDTH_ELSEWHERE);
    }
    if !heading.is_empty() {
        table.set_header(heading.to_vec());
    }
    table
}

/// Prints a table.
pub(super) fn show(table: &Table) -> anyhow::Result<()> {
    say(&table.to_string())
}

/// A spinner on standard error that says what is going on; silent when that is no terminal.
pub(super) fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// The time from now until `at`, in whole seconds, for people; `over` when it has passed.
pub(super) fn until(at: u64, now: Timestamp) -> String {
    let left = Duration::from_secs(Timestamp(at).since(now).as_secs());
    if left.is_zero() {
        "over".to_owned()
    } else {
        humantime::format_duration(left).to_string()
    }
}

/// The time since `at`, in whole seconds, for people.
pub(super) fn since(at: u64, now: Timestamp) -> String {
    let age = Duration::from_secs(now.since(Timestamp(at)).as_secs());
    humantime::format_duration(age).to_string()
}

/// Traffic for people: Mbps, or Gbps from 10 000 Mbps on.
pub(super) fn mbps(mbps: f64) -> String {
    if mbps >= 10_000.0 {
        format!("{:.2} Gbps", mbps / 1000.0)
    } else {
        format!("{mbps:.1} Mbps")
    }
}

/// Text from elsewhere for a terminal: what would steer it, or cannot be seen, is shown as an
/// escape.
pub(super) fn printable(text: &str) -> String {
    let shown = |letter: char| match letter {
        // Escapes in Rust, but no terminal minds them.
        '"' | '\'' | '\\' => letter.to_string(),
        _ => letter.escape_debug().to_string(),
    };
    text.chars().map(shown).collect()
}

/// A share for people.
pub(super) fn percent(share: f64) -> String {
    // Adding zero turns -0.0, the sum of nothing, into 0.0.
    format!("{:.1} %", share * 100.0 + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!(
            (mbps(9_999.94), mbps(10_000.0)),
            ("9999.9 Mbps".to_owned(), "10.00 Gbps".to_owned())
        );
        assert_eq!([percent(0.1234), percent(-0.0)], ["12.3 %", "0.0 %"]);
        assert_eq!(
            printable("gz\"1\"/\u{1b}[31m\n省\u{202e}"),
            "gz\"1\"/\\u{1b}[31m\\n省\\u{202e}"
        );
        assert_eq!(until(65_000, Timestamp(0)), "1m 5s");
        assert_eq!(until(5, Timestamp(900)), "over");
        assert_eq!(since(1_000, Timestamp(3_999)), "2s");
    }
}
