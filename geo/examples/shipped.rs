//! Builds `data/geo/areas.wsa` from what `geo/fetch.sh` fetched, and says what came of each source.
//!
//! `cargo run --release -p watershed-geo --example shipped -- data/geo` (the folder is the
//! default).

use geo::shipped::{Sources, build};
use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/geo");
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| shipped.to_owned()),
    );
    let mut out = std::io::stdout().lock();
    let start = Instant::now();
    let sources = Sources::load(|path| std::fs::read(folder.join(path)))?;
    let mut faults = Vec::new();
    let (table, report) = build(&sources, |path, report| {
        let line = writeln!(
            out,
            "{path}: {} records taken, {} refused",
            report.taken, report.refused
        );
        faults.extend(line.err());
    })?;
    if let Some(fault) = faults.pop() {
        return Err(fault.into());
    }
    let bytes = table.encode();
    // Written beside and renamed, so that a reader never sees half a table.
    let beside = folder.join("areas.wsa.new");
    std::fs::write(&beside, &bytes)?;
    std::fs::rename(&beside, folder.join("areas.wsa"))?;
    writeln!(
        out,
        "{} areas, {} IPv4 and {} IPv6 ranges, {} bytes, in {:.1?}",
        report.areas,
        report.ranges_v4,
        report.ranges_v6,
        bytes.len(),
        start.elapsed()
    )?;
    Ok(())
}
