//! The areas that were built last, kept in the data directory: a start with the same databases and
//! policies needs no building, and one with a database that cannot be used goes on with what it
//! has.

use crate::keys::sha256;
use crate::serving::{keep_file, read_table};
use coverage::{AreaTable, Digest};
use engine::policy::{Policies, PolicyAreas};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// The table.
const TABLE_FILE: &str = "areas.built.wsa";
/// Judgement of the policies on every area, and digests of what both files were built from.
const JUDGEMENTS_FILE: &str = "areas.built.json";

/// Judgements, with digests of their sources.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Digest of the policies.
    policies: String,
    /// Digest of the databases.
    databases: String,
    /// Digest of the table.
    table: String,
    areas: PolicyAreas,
}

/// A digest of all that policies ask for.
fn policies_digest(policies: &Policies) -> String {
    let text = format!("{:?}", policies.policies);
    sha256(text).to_string()
}

/// Keeps what was built.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn keep(
    dir: &Path,
    policies: &Policies,
    databases: &str,
    table: &AreaTable,
    areas: &PolicyAreas,
) -> anyhow::Result<()> {
    let kept = Kept {
        policies: policies_digest(policies),
        databases: databases.to_owned(),
        table: Digest(table.digest()).to_string(),
        areas: areas.clone(),
    };
    keep_file(dir, TABLE_FILE, None, &table.encode())?;
    Ok(keep_file(
        dir,
        JUDGEMENTS_FILE,
        None,
        &serde_json::to_vec(&kept)?,
    )?)
}

/// Reads what was built last for these policies, if it is whole; with `databases`, only if it was
/// built from them.
pub(super) fn restore(
    dir: &Path,
    policies: &Policies,
    databases: Option<&str>,
) -> Option<(Arc<AreaTable>, PolicyAreas)> {
    let text = std::fs::read(dir.join(JUDGEMENTS_FILE)).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    let wanted = kept.policies == policies_digest(policies)
        && databases.is_none_or(|databases| databases == kept.databases);
    let table = wanted.then(|| read_table(&dir.join(TABLE_FILE)).ok())??;
    let whole = Digest(table.digest()).to_string() == kept.table
        && fits(&kept.areas, policies, table.areas().len());
    whole.then_some((table, kept.areas))
}

/// Tells whether judgements speak of these policies and of so many areas, so that no index leads
/// astray.
fn fits(areas: &PolicyAreas, policies: &Policies, count: usize) -> bool {
    let PolicyAreas {
        preferences,
        of_area,
    } = areas;
    let known = preferences.len() == policies.policies.len()
        && preferences
            .iter()
            .zip(&policies.policies)
            .all(|(given, policy)| {
                let labels = given.iter().flat_map(|preference| &preference.labels);
                given.iter().all(|preference| !preference.labels.is_empty())
                    && labels
                        .into_iter()
                        .all(|label| usize::from(*label) < policy.labels.len())
            });
    known
        && of_area.len() == count
        && of_area.iter().all(|row| {
            let ids = row.iter().zip(preferences);
            row.len() == preferences.len()
                && ids.clone().all(|(id, given)| (*id as usize) < given.len())
        })
}
