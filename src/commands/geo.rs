//! `watershed geo build`: geographic data, laid over one another, into one area table.

use super::{CommandError, output};
use crate::args::{GeoBuildArgs, GeoCommand, Global, Origin};
use anyhow::Context;
use coverage::Digest;
use geo::{Keys, Layers, Places, Source, read_cidr_list, read_csv, read_ip2region, read_mmdb};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use watershed::serving::keep_file;

/// Refused records that are shown of each source.
const REASONS_SHOWN_MAX: usize = 5;

/// Does what is asked for.
pub(super) fn geo(global: &Global, command: &GeoCommand) -> Result<(), CommandError> {
    let GeoCommand::Build(args) = command;
    build(global, args)
}

fn build(global: &Global, args: &GeoBuildArgs) -> Result<(), CommandError> {
    let usage = |fault: &dyn std::fmt::Display| CommandError::Usage(fault.to_string());
    let keys = Keys::parse(args.keys.iter().map(String::as_str)).map_err(|fault| usage(&fault))?;
    let places = Places::shipped();
    let mut layers = Layers::new(keys, places.clone());
    let mut sources = Vec::new();
    let bar = output::spinner("");
    for origin in &args.sources.0 {
        let path = file(origin);
        bar.set_message(format!("reading {}", path.display()));
        let source = read(origin, &places)?;
        sources.push(taken(path, &source));
        layers.add(source);
    }
    bar.set_message("laying the sources over one another");
    let (table, report) = layers.finish().map_err(|fault| usage(&fault))?;
    let bytes = table.encode();
    keep(&args.output, &bytes)?;
    bar.finish_and_clear();
    let summary = json!({
        "sources": sources,
        "areas": report.areas,
        "ranges_v4": report.ranges_v4,
        "ranges_v6": report.ranges_v6,
        "bytes": bytes.len(),
        "digest": Digest(table.digest()).to_string(),
    });
    if global.json {
        return Ok(output::json(&summary)?);
    }
    Ok(tell(&args.output, &summary)?)
}

const fn file(origin: &Origin) -> &std::path::PathBuf {
    match origin {
        Origin::Mmdb(file)
        | Origin::Csv(file)
        | Origin::Ip2region(file)
        | Origin::Cidr { file, .. } => file,
    }
}

/// Reads one source whole.
fn read(origin: &Origin, places: &Places) -> Result<Source, CommandError> {
    let path = file(origin);
    let usage =
        |fault: &dyn std::fmt::Display| CommandError::Usage(format!("{}: {fault}", path.display()));
    let bytes = fs::read(path).map_err(|fault| usage(&fault))?;
    let source = match origin {
        Origin::Mmdb(_) => read_mmdb(&bytes, places),
        Origin::Csv(_) => read_csv(&bytes),
        Origin::Ip2region(_) => read_ip2region(&bytes, places),
        // A bad byte spoils its line, not the list.
        Origin::Cidr { isp, .. } => read_cidr_list(&String::from_utf8_lossy(&bytes), isp),
    };
    source.map_err(|fault| usage(&fault))
}

/// Counts of what was taken of a source, and the first reasons for what was not.
fn taken(path: &Path, source: &Source) -> Value {
    let reasons = source.reasons.iter().take(REASONS_SHOWN_MAX);
    let reasons: Vec<Value> = reasons
        .map(|refused| json!({ "at": refused.at, "why": refused.why }))
        .collect();
    json!({
        "file": path.display().to_string(),
        "taken": source.taken,
        "refused": source.refused,
        "reasons": reasons,
    })
}

/// Writes the table so that a crash leaves either the old file or the new one.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| {
            CommandError::Usage(format!("{} is no file name to write to", path.display()))
        })?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    Ok(keep_file(dir, name, None, bytes)
        .with_context(|| format!("cannot write {}", path.display()))?)
}

fn tell(path: &Path, summary: &Value) -> anyhow::Result<()> {
    let mut table = output::table(&["source", "taken", "refused", "first reasons"]);
    for source in summary["sources"].as_array().into_iter().flatten() {
        let reasons = source["reasons"].as_array().into_iter().flatten();
        let reasons: Vec<String> = reasons
            .map(|reason| {
                format!(
                    "{}: {}",
                    reason["at"],
                    reason["why"].as_str().unwrap_or_default()
                )
            })
            .collect();
        let name = source["file"].as_str().unwrap_or_default().to_owned();
        table.add_row([
            name,
            source["taken"].to_string(),
            source["refused"].to_string(),
            reasons.join("\n"),
        ]);
    }
    output::show(&table)?;
    output::say(&format!(
        "{}: {} areas, {} IPv4 and {} IPv6 ranges, {} bytes, digest {}",
        path.display(),
        summary["areas"],
        summary["ranges_v4"],
        summary["ranges_v6"],
        summary["bytes"],
        summary["digest"].as_str().unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Sources;
    use watershed::serving::read_table;

    #[test]
    fn a_table_is_built_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(
            path("a.csv"),
            "1.0.0.0,1.0.255.255,CN\nbad,row,x\n2.0.0.0,2.0.0.255,US\nno,no,no\n",
        )
        .unwrap();
        fs::write(path("ct.txt"), "1.0.128.0/17\n").unwrap();
        let args = GeoBuildArgs {
            output: path("areas.wsa"),
            keys: vec!["country".into(), "cn=country,isp".into()],
            sources: Sources(vec![
                Origin::Csv(path("a.csv")),
                Origin::Cidr {
                    isp: "ct".into(),
                    file: path("ct.txt"),
                },
            ]),
        };
        build(&Global::default(), &args).unwrap();
        let table = read_table(&path("areas.wsa")).unwrap();
        let names: Vec<&str> = table
            .areas()
            .iter()
            .map(|area| area.name.as_str())
            .collect();
        assert_eq!(names, ["zz", "cn", "cn/-/ct", "us"]);
    }

    #[test]
    fn no_source_bad_keys_and_missing_files_are_bad_usage() {
        let args = |keys: &str, sources| GeoBuildArgs {
            output: "never-written.wsa".into(),
            keys: vec![keys.into()],
            sources: Sources(sources),
        };
        for args in [
            args("country", vec![]),
            args("county", vec![]),
            args("country", vec![Origin::Csv("does-not-exist.csv".into())]),
        ] {
            assert_eq!(
                build(&Global::default(), &args).unwrap_err().exit_code(),
                2,
                "{args:?}"
            );
        }
    }
}
