//! `IMPORT.md`: what was carried over and what was not, for people.

use crate::Summary;
use crate::fault::{Effect, Fault};
use crate::gdnsd::Options;
use std::fmt::Write;

/// The file.
pub(crate) fn report(from: &str, options: &Options, summary: &Summary, faults: &[Fault]) -> String {
    let mut text = format!("# Import from {}\n\nCarried over: {summary}.\n", cell(from));
    let parts = [
        (
            Effect::Lost,
            "Not carried over",
            "Somebody gets no answer, or another one than from gdnsd.",
        ),
        (
            Effect::Changed,
            "Carried over as nearly as can be",
            "The reason says where answers may differ.",
        ),
        (Effect::Moot, "Left out", "No answer depends on it."),
    ];
    if faults.is_empty() {
        text.push_str("\nEverything was carried over.\n");
    }
    for (effect, title, meaning) in parts {
        let mut rows = faults
            .iter()
            .filter(|fault| fault.effect == effect)
            .peekable();
        if rows.peek().is_none() {
            continue;
        }
        let _ = write!(
            text,
            "\n## {title}\n\n{meaning}\n\n| where | what | why |\n|---|---|---|\n"
        );
        for fault in rows {
            let line = match fault.line {
                0 => String::new(),
                line => format!(":{line}"),
            };
            let _ = writeln!(
                text,
                "| {}{line} | {} | {} |",
                cell(&fault.file),
                cell(&fault.what),
                cell(&fault.why)
            );
        }
    }
    text.push_str(ALWAYS);
    if !options.follows_cname {
        text.push_str(CHAIN);
    }
    text
}

/// Differences that remain whatever the configuration says.
const ALWAYS: &str = "
## What differs in kind

- Of a weighted resource gdnsd draws anew for each question; Watershed draws once for each client network, so that a client
  keeps its answer. Weights are kept to a 64th.
- Of several addresses gdnsd rotates the order from question to question; Watershed has an order of its own.
- A scope of a client subnet may be shorter than gdnsd's, because it comes from equal answers. It is never longer than honest.
- A service has one TTL, whatever its checks say.
- Clients with 6to4, Teredo and other IPv6 addresses that hold an IPv4 address are looked up as the IPv6 clients they are.
";

/// Differences that remain unless gdnsd was told otherwise.
const CHAIN: &str = "\
- Behind a CNAME to a name of the same zone, Watershed adds the records of that name; gdnsd leaves them for another question.
";

/// Text that stays within its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
