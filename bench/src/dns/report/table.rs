//! The tables for people and the lines below them.

use super::{Figures, PolicyReport, Ratio};
use comfy_table::{Cell, CellAlignment, Table, presets};
use std::fmt::Write as _;

/// A server under full load that is on its core for less than this share of the time was kept off
/// it by others.
const BUSY_MIN: f64 = 0.9;

impl PolicyReport {
    /// The table and the lines below it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("\nPolicy: {}\n{}\n", self.policy, self.table());
        let Some(ours) = self.servers.first() else {
            return out;
        };
        for ratio in &self.ratios {
            let range = ratio.range.map_or_else(String::new, |(least, greatest)| {
                format!("   ({least:.3} to {greatest:.3} in single rounds)")
            });
            let Ratio { figure, of, .. } = ratio;
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "{} / {of}: {figure:<20} {:.3}{range}",
                ours.kind, ratio.ratio
            );
        }
        let busy = self.servers.iter().map(|server| server.median.busy);
        let busy = busy.fold(1.0, f64::min);
        if busy < BUSY_MIN {
            let _ = writeln!(
                out,
                "the machine was not quiet: a server was on its core for {:.0} % of the time only; \
                 rates and latencies say little, processor time and ratios are usable",
                busy * 100.0
            );
        }
        for agreement in &self.agreements {
            let _ = writeln!(
                out,
                "{} gives the same address as {} for {:.2} % of {} prefixes",
                ours.kind,
                agreement.with,
                agreement.share * 100.0,
                agreement.prefixes
            );
            if let Some((prefix, a, b)) = &agreement.example {
                let (a, b) = (a.address, b.address);
                let _ = writeln!(
                    out,
                    "  not for {prefix}: {a}, and {b} from {}",
                    agreement.with
                );
            }
        }
        out
    }

    /// The table.
    fn table(&self) -> Table {
        let own = [
            "user us", "sys us", "scope v4", "scope v6", "RSS MiB", "PSS MiB", "ready s",
        ];
        let mut table = empty_table(&own);
        for server in &self.servers {
            let mut cells = server.median.cells(server.lost, server.wrong);
            let scope = |bits: Option<f64>| {
                bits.map_or_else(|| "-".to_owned(), |bits| format!("{bits:.2}"))
            };
            cells.extend([
                format!("{:.3}", server.user_us),
                format!("{:.3}", server.system_us),
                scope(server.scope_v4_bits),
                scope(server.scope_v6_bits),
                format!("{:.1}", server.rss_mib),
                format!("{:.1}", server.pss_mib),
                format!("{:.2}", server.ready_s),
            ]);
            add_row(&mut table, &server.kind.to_string(), cells);
        }
        table
    }
}

impl Figures {
    /// The figures for people, with what was lost and wrong.
    fn cells(&self, lost: u64, wrong: u64) -> Vec<String> {
        vec![
            format!("{:.0}", self.qps),
            format!("{:.0} %", self.busy * 100.0),
            format!("{:.3}", self.cpu_us),
            format!("{:.0}", self.p50_us),
            format!("{:.0}", self.p99_us),
            format!("{:.0}", self.p999_us),
            lost.to_string(),
            wrong.to_string(),
        ]
    }
}

/// A table of figures alone, with what was lost and wrong.
#[must_use]
pub fn figures_table(rows: &[(&str, &Figures, u64, u64)]) -> Table {
    let mut table = empty_table(&[]);
    for (name, figures, lost, wrong) in rows {
        add_row(&mut table, name, figures.cells(*lost, *wrong));
    }
    table
}

/// A table with the columns of [`Figures::cells`] and some of its own.
fn empty_table(own: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let common = [
        "",
        "answers/s",
        "busy",
        "CPU us",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "lost",
        "wrong",
    ];
    table.set_header(common.iter().chain(own));
    table
}

/// Adds a row of numbers.
fn add_row(table: &mut Table, name: &str, cells: Vec<String>) {
    let right = |text| Cell::new(text).set_alignment(CellAlignment::Right);
    let cells = cells.into_iter().map(right);
    table.add_row([Cell::new(name)].into_iter().chain(cells));
}
