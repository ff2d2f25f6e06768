//! Two maps side by side: which areas of which services answer differently, and for how many
//! addresses.
//!
//! Maps are read from files, where a control plane keeps the newest ones, so that this works while
//! it is down.

use crate::args::Global;
use crate::commands::{CommandError, config, output};
use coverage::catalog::Catalog;
use coverage::map::AnswerSet;
use coverage::record::{self, Header};
use coverage::{AreaId, AreaTable, Body, MapVersion, ServiceId};
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use watershed::areas;
use watershed::config::Config;
use watershed::keys::known_keys;
use watershed::serving::read_table;

/// Rows that are shown.
const ROWS_MAX: usize = 40;

/// Difference between two maps.
#[derive(Debug, PartialEq, Serialize)]
struct Difference {
    old: String,
    new: String,
    services: Vec<ServiceDifference>,
    /// Services that only one of the maps has.
    only_old: Vec<String>,
    only_new: Vec<String>,
    /// Areas that answer differently, most addresses first.
    areas: Vec<AreaDifference>,
}

/// Difference for one service.
#[derive(Debug, PartialEq, Serialize)]
struct ServiceDifference {
    service: String,
    areas: usize,
    areas_changed: usize,
    /// Share of the table's IPv4 addresses whose answer changed, weighted by how much of it did.
    ipv4_share_moved: f64,
}

/// One area of one service.
#[derive(Debug, PartialEq, Serialize)]
struct AreaDifference {
    service: String,
    area: String,
    ipv4_addresses: u64,
    /// Share of the area's clients that get another endpoint.
    moved: f64,
    old: String,
    new: String,
}

/// Reads both maps and tells what differs.
pub(super) fn diff(global: &Global, old: &str, new: &str) -> Result<(), CommandError> {
    let config = config(global)?;
    let keys = keys(&config.data_dir)?;
    let old = open(&config, &keys, old)?;
    let new = open(&config, &keys, new)?;
    let table = table(&config, &new.header);
    let difference = compare(&old, &new, table.as_deref())?;
    if global.json {
        return Ok(output::json(&difference)?);
    }
    Ok(tell(&difference)?)
}

/// Keys that may have signed the maps here; it takes at least one.
fn keys(data_dir: &Path) -> Result<Vec<VerifyingKey>, CommandError> {
    let keys = known_keys(data_dir);
    if keys.is_empty() {
        let text = format!(
            "{} holds neither map.key nor map.pub; name the configuration of a daemon",
            data_dir.display()
        );
        return Err(CommandError::Usage(text));
    }
    Ok(keys)
}

/// A map that was opened.
struct Map {
    header: Header,
    body: Body,
}

/// Opens the map of a version, or of a file.
fn open(config: &Config, keys: &[VerifyingKey], which: &str) -> Result<Map, CommandError> {
    let path = which.parse::<MapVersion>().map_or_else(
        |_| PathBuf::from(which),
        |version| config.data_dir.join("maps").join(format!("{version}.wsm")),
    );
    let usage = |why: String| CommandError::Usage(format!("{}: {why}", path.display()));
    let bytes = fs::read(&path)
        .map_err(|fault| usage(format!("{fault}; only the newest maps are kept")))?;
    let opened = record::open(&bytes, keys).map_err(|fault| usage(fault.to_string()))?;
    let body = opened.body().map_err(|fault| usage(fault.to_string()))?;
    let fault = body
        .catalog
        .fault()
        .or_else(|| body.map.fault(body.catalog.endpoints.len()));
    match fault {
        Some(fault) => Err(usage(fault)),
        None => Ok(Map {
            header: opened.header.clone(),
            body,
        }),
    }
}

/// The table that a map was made for, when it is at hand: for the names of areas.
fn table(config: &Config, header: &Header) -> Option<Arc<AreaTable>> {
    let kept = config.data_dir.join("areas.wsa");
    let made_for = |table: &Arc<AreaTable>| table.digest() == header.table_digest.0;
    let kept = read_table(&kept).ok().filter(made_for);
    let built = || areas::load(config).ok().map(|(table, _)| table);
    kept.or_else(|| built().filter(made_for))
}

/// Compares two maps of one area table.
fn compare(old: &Map, new: &Map, table: Option<&AreaTable>) -> Result<Difference, CommandError> {
    if old.header.table_digest != new.header.table_digest {
        let text = "the maps were made for different area tables: their areas cannot be compared one by one";
        return Err(CommandError::Usage(text.to_owned()));
    }
    let missing = |from: &Catalog, to: &Catalog| {
        let names = from.services.iter().map(|service| service.name.clone());
        names
            .filter(|name| to.service(name).is_none())
            .collect::<Vec<_>>()
    };
    let mut difference = Difference {
        old: old.header.version.to_string(),
        new: new.header.version.to_string(),
        services: Vec::new(),
        only_old: missing(&old.body.catalog, &new.body.catalog),
        only_new: missing(&new.body.catalog, &old.body.catalog),
        areas: Vec::new(),
    };
    for (index, service) in new.body.catalog.services.iter().enumerate() {
        if let Some((id, _)) = old.body.catalog.service(&service.name) {
            let old = Row {
                body: &old.body,
                service: id,
            };
            let new = Row {
                body: &new.body,
                service: ServiceId::from_index(index),
            };
            compare_service(&mut difference, &old, &new, table);
        }
    }
    difference.areas.sort_by(|a, b| {
        let weight = |row: &AreaDifference| std::cmp::Reverse(row.ipv4_addresses);
        weight(a)
            .cmp(&weight(b))
            .then_with(|| (&a.service, &a.area).cmp(&(&b.service, &b.area)))
    });
    Ok(difference)
}

/// Answers of one service in one map. Its id may be another one in another map.
struct Row<'a> {
    body: &'a Body,
    service: ServiceId,
}

impl Row<'_> {
    /// The answer to an area, by name.
    fn named(&self, area: AreaId) -> BTreeMap<String, u8> {
        named(&self.body.catalog, self.body.map.get(self.service, area))
    }
}

/// Adds the areas in which one service answers differently.
fn compare_service(
    difference: &mut Difference,
    old: &Row<'_>,
    new: &Row<'_>,
    table: Option<&AreaTable>,
) {
    let name = &new.body.catalog.services[new.service.index()].name;
    let areas = old.body.map.areas().min(new.body.map.areas());
    let (mut changed, mut moved_addresses, mut addresses) = (0, 0.0, 0.0);
    for area in (0..areas).map(AreaId) {
        let known = table.and_then(|table| table.areas().get(area.0 as usize));
        let ipv4_addresses = known.map_or(0, |area| area.ipv4_addresses);
        #[expect(
            clippy::cast_precision_loss,
            reason = "IPv4 has 2^32 addresses, far below 2^52"
        )]
        let weight = known.map_or(1.0, |_| ipv4_addresses as f64);
        addresses += weight;
        let (was, is) = (old.named(area), new.named(area));
        if was == is {
            continue;
        }
        let moved = moved(&was, &is);
        changed += 1;
        moved_addresses += moved * weight;
        difference.areas.push(AreaDifference {
            service: name.clone(),
            area: known.map_or_else(|| format!("#{}", area.0), |area| area.name.clone()),
            ipv4_addresses,
            moved,
            old: words(&was),
            new: words(&is),
        });
    }
    difference.services.push(ServiceDifference {
        service: name.clone(),
        areas: areas as usize,
        areas_changed: changed,
        ipv4_share_moved: if addresses > 0.0 {
            moved_addresses / addresses
        } else {
            0.0
        },
    });
}

/// Weights out of 64 by endpoint, as `group over link`: ids differ between maps.
fn named(catalog: &Catalog, answers: &AnswerSet) -> BTreeMap<String, u8> {
    let name = |id: coverage::EndpointId| {
        format!(
            "{} over {}",
            catalog.group_of(id).name,
            catalog.endpoints[id.index()].link
        )
    };
    answers
        .shares
        .iter()
        .map(|(id, weight)| (name(*id), *weight))
        .collect()
}

/// Share of clients that must get another endpoint.
fn moved(old: &BTreeMap<String, u8>, new: &BTreeMap<String, u8>) -> f64 {
    let kept = |(name, weight): (&String, &u8)| {
        u16::from((*weight).min(new.get(name).copied().unwrap_or(0)))
    };
    let kept: u16 = old.iter().map(kept).sum();
    1.0 - f64::from(kept) / f64::from(coverage::WEIGHT_TOTAL)
}

/// An answer in words.
fn words(answers: &BTreeMap<String, u8>) -> String {
    let one = |(name, weight): (&String, &u8)| {
        if answers.len() == 1 {
            name.clone()
        } else {
            format!("{name} {weight}/{}", coverage::WEIGHT_TOTAL)
        }
    };
    answers.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn tell(difference: &Difference) -> anyhow::Result<()> {
    output::say(&format!("map {} -> {}", difference.old, difference.new))?;
    for (what, names) in [
        ("only before", &difference.only_old),
        ("only after", &difference.only_new),
    ] {
        if !names.is_empty() {
            output::say(&format!("services {what}: {}", names.join(", ")))?;
        }
    }
    let mut table = output::table(&["service", "areas changed", "of", "IPv4 addresses moved"]);
    for service in &difference.services {
        table.add_row([
            service.service.clone(),
            service.areas_changed.to_string(),
            service.areas.to_string(),
            output::percent(service.ipv4_share_moved),
        ]);
    }
    output::show(&table)?;
    if difference.areas.is_empty() {
        return output::say("every area answers as before");
    }
    let mut table = output::table(&["service", "area", "moved", "before", "after"]);
    for row in difference.areas.iter().take(ROWS_MAX) {
        let (service, area) = (row.service.clone(), row.area.clone());
        table.add_row([
            service,
            area,
            output::percent(row.moved),
            row.old.clone(),
            row.new.clone(),
        ]);
    }
    output::show(&table)?;
    match difference.areas.len().saturating_sub(ROWS_MAX) {
        0 => Ok(()),
        more => output::say(&format!("and {more} more; --json lists all")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(weights: &[(&str, u8)]) -> BTreeMap<String, u8> {
        weights
            .iter()
            .map(|(name, weight)| ((*name).to_owned(), *weight))
            .collect()
    }

    #[test]
    fn moved_counts_only_what_must_move() {
        let whole = answer(&[("a", 64)]);
        let split = answer(&[("a", 48), ("b", 16)]);
        assert!((moved(&whole, &split) - 0.25).abs() < 1e-9);
        assert!((moved(&split, &whole) - 0.25).abs() < 1e-9);
        assert!((moved(&whole, &answer(&[("c", 64)])) - 1.0).abs() < 1e-9);
        assert!(moved(&split, &split).abs() < 1e-9);
        assert_eq!(
            (words(&whole), words(&split)),
            ("a".to_owned(), "a 48/64, b 16/64".to_owned())
        );
    }
}
