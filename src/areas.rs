//! The area table: read from its file, or built from databases, and split by what the policies ask for.

use crate::config::{AreaSource, Config};
use crate::memory;
use crate::serving::read_table;
use anyhow::Context;
use coverage::AreaTable;
use engine::cycle::Steering;
use engine::policy::{Judge, PolicyAreas};
use geo::{Atlas, Nets};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The table of a configuration, with its policies applied to every area. Databases are read whole and let go of: one that
/// is replaced in place while we run changes nothing.
///
/// # Errors
/// When a file cannot be read or is not what it should be, or the areas do not fit a table.
pub fn load(config: &Config) -> anyhow::Result<(Arc<AreaTable>, Steering)> {
    let policies = &config.policies;
    if let AreaSource::Table(path) = &config.areas
        && policies.policies.is_empty()
    {
        let table = read_table(path)?;
        let areas = PolicyAreas {
            preferences: Vec::new(),
            of_area: vec![Vec::new(); table.areas().len()],
        };
        let policies = policies.clone();
        return Ok((table, Steering { policies, areas }));
    }
    let atlas = atlas(&config.areas)?;
    let nets: Vec<&Nets> = policies
        .policies
        .iter()
        .map(|policy| policy.nets.as_slice())
        .collect();
    let mut judge = Judge::new(&policies.policies);
    let classified = atlas
        .classify(&nets, |place, nets| judge.judge(place, nets))
        .context("the areas that the policies make do not fit a table")?;
    // The atlas and all that it was read from are gone with the end of this; what they leave is a heap of holes.
    drop(atlas);
    memory::give_back();
    let areas = PolicyAreas {
        preferences: judge.preferences(),
        of_area: classified.judgements,
    };
    let steering = Steering {
        policies: policies.clone(),
        areas,
    };
    Ok((Arc::new(classified.table), steering))
}

/// The places of a source.
fn atlas(source: &AreaSource) -> anyhow::Result<Atlas> {
    let database = |path: &Path| {
        let bytes = fs::read(path);
        bytes.with_context(|| format!("cannot read the database {}", path.display()))
    };
    let (city, asn) = match source {
        AreaSource::Table(path) => return Ok(Atlas::from_table(&*read_table(path)?)),
        AreaSource::Databases { city, asn } => (city, asn),
    };
    let mut atlas = Atlas::blank();
    if let Some(path) = city {
        let read = Atlas::from_mmdb(&database(path)?);
        atlas = read.with_context(|| format!("areas.city {}", path.display()))?;
    }
    if let Some(path) = asn {
        let read = atlas.with_asn(&database(path)?);
        atlas = read.with_context(|| format!("areas.asn {}", path.display()))?;
    }
    Ok(atlas)
}
