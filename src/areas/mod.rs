//! The area table: read from its file, or built from databases, and split by what the policies ask
//! for.

mod kept;

use crate::config::{AreaSource, Config};
use crate::memory;
use crate::serving::read_table;
use anyhow::Context;
use coverage::{AreaTable, Digest};
use engine::cycle::Steering;
use engine::policy::{Judge, Policies, PolicyAreas};
use geo::{Atlas, Nets};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The table of a configuration, with its policies applied to every area. Databases are read whole
/// and let go of: one that is replaced in place while we run changes nothing, and one that cannot
/// be used leaves us with the areas that were built last.
///
/// # Errors
/// When a file cannot be read or is not what it should be and nothing was kept, or the areas do not
/// fit a table.
pub fn load(config: &Config) -> anyhow::Result<(Arc<AreaTable>, Steering)> {
    let policies = &config.policies;
    let (table, areas) = match &config.areas {
        AreaSource::Table(path) if policies.policies.is_empty() => {
            let table = read_table(path)?;
            let areas = PolicyAreas {
                preferences: Vec::new(),
                of_area: vec![Vec::new(); table.areas().len()],
            };
            (table, areas)
        }
        AreaSource::Table(path) => split(&Atlas::from_table(&*read_table(path)?), policies)?,
        AreaSource::Databases { city, asn } => {
            let built = from_databases(config, city.as_deref(), asn.as_deref());
            // The atlas and all that it was read from are gone; what they leave is a heap of holes.
            memory::give_back();
            built.or_else(|fault| {
                let kept = kept::restore(&config.data_dir, policies, None).ok_or(fault)?;
                metrics::counter!("watershed_areas_refused_total").increment(1);
                tracing::error!(
                    ?city,
                    ?asn,
                    "a database cannot be used; serving the areas that were built last"
                );
                anyhow::Ok(kept)
            })?
        }
    };
    let policies = policies.clone();
    Ok((table, Steering { policies, areas }))
}

/// The areas of databases: those kept, if they were built from the same, else new ones.
fn from_databases(
    config: &Config,
    city: Option<&Path>,
    asn: Option<&Path>,
) -> anyhow::Result<(Arc<AreaTable>, PolicyAreas)> {
    let read = |path: &Path| {
        let bytes = fs::read(path);
        bytes.with_context(|| format!("cannot read the database {}", path.display()))
    };
    let (dir, policies) = (&config.data_dir, &config.policies);
    let (city_bytes, asn_bytes) = (city.map(read).transpose()?, asn.map(read).transpose()?);
    let mut digest = Sha256::new();
    for bytes in [&city_bytes, &asn_bytes] {
        // A database that is not there is not an empty one.
        digest.update([u8::from(bytes.is_some())]);
        digest.update(bytes.as_deref().unwrap_or_default());
    }
    let databases = Digest(digest.finalize().into()).to_string();
    if let Some(kept) = kept::restore(dir, policies, Some(&databases)) {
        return Ok(kept);
    }
    let mut atlas = Atlas::blank();
    if let (Some(path), Some(bytes)) = (city, city_bytes) {
        let read = Atlas::from_mmdb(&bytes);
        atlas = read.with_context(|| format!("areas.city {}", path.display()))?;
    }
    if let (Some(path), Some(bytes)) = (asn, asn_bytes) {
        let read = atlas.with_asn(&bytes);
        atlas = read.with_context(|| format!("areas.asn {}", path.display()))?;
    }
    let (table, areas) = split(&atlas, policies)?;
    if let Err(fault) = kept::keep(dir, policies, &databases, &table, &areas) {
        tracing::warn!(%fault, "the areas could not be kept; the next start builds them again");
    }
    Ok((table, areas))
}

/// Divides an atlas by what the policies ask for.
fn split(atlas: &Atlas, policies: &Policies) -> anyhow::Result<(Arc<AreaTable>, PolicyAreas)> {
    let nets: Vec<&Nets> = policies
        .policies
        .iter()
        .map(|policy| policy.nets.as_slice())
        .collect();
    let mut judge = Judge::new(&policies.policies);
    let classified = atlas
        .classify(&nets, |place, nets| judge.judge(place, nets))
        .context("the areas that the policies make do not fit a table")?;
    let areas = PolicyAreas {
        preferences: judge.preferences(),
        of_area: classified.judgements,
    };
    Ok((Arc::new(classified.table), areas))
}
