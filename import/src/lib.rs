//! Configurations of other DNS load balancers, translated into Watershed's: today those of gdnsd 3.
//!
//! ```text
//!   directory --vscf, gdnsd--> what it means --lower--> pools, policies, services --write--> files
//!                                    `----------------------`---> faults, with file and line
//! ```
//!
//! Nothing is dropped in silence: what cannot be expressed is a [`Fault`], and what the other
//! server would refuse is an [`ImportError`]. Reading and writing are apart, so the same files
//! always give the same translation. What it does not do: ask a running server, follow later
//! changes of the source, or load what it has written; the caller checks that.

mod fault;
mod files;
mod gdnsd;
mod lower;
#[cfg(test)]
mod tests;
mod vscf;
mod write;

pub use fault::{Effect, Fault, ImportError, Place};

use fault::Faults;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A translation, not written yet.
#[derive(Clone, Debug)]
pub struct Import {
    /// Paths below the target, with their text.
    pub files: Vec<(PathBuf, String)>,
    /// Files to copy, and their paths below the target.
    pub copies: Vec<(PathBuf, PathBuf)>,
    /// Items without equivalent, by file and line.
    pub faults: Vec<Fault>,
    /// Summary of counts.
    pub summary: Summary,
}

/// Counts of what was carried over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Zones.
    pub zones: usize,
    /// Static records of all zones.
    pub records: usize,
    /// Names with dynamic answers.
    pub domains: usize,
    /// Services: names that share a resource and a TTL.
    pub services: usize,
    /// Pools of addresses, or names of others.
    pub pools: usize,
    /// Policies: who prefers what.
    pub policies: usize,
    /// Health checks.
    pub checks: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} zones with {} static records, {} dynamic names in {} services, {} pools, {} policies, {} checks",
            self.zones,
            self.records,
            self.domains,
            self.services,
            self.pools,
            self.policies,
            self.checks
        )
    }
}

/// Choice of whether files that exist may be written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Files stay, and nothing is written.
    Never,
    /// Files are replaced.
    Always,
}

/// Translates a configuration directory of gdnsd: `config`, `zones/`, `geoip/`, and `admin_state`
/// where its options say, in `state/` or beside `config`.
///
/// # Errors
/// [`ImportError::Unreadable`] and [`ImportError::Invalid`], the latter with file and line.
pub fn gdnsd(dir: &Path) -> Result<Import, ImportError> {
    let mut faults = Faults::default();
    let installation = gdnsd::read(dir, &mut faults)?;
    let plan = lower::lower(&installation, &mut faults)?;
    let faults = faults.sorted();
    let from = dir.display().to_string();
    let mut import = Import {
        files: Vec::new(),
        copies: Vec::new(),
        faults,
        summary: summary(&installation, &plan),
    };
    let mut zones = Vec::new();
    let mut taken = BTreeSet::new();
    for zone in &installation.zones {
        let file = zone_file(&zone.name, &mut taken);
        zones.push((zone.name.clone(), file.clone()));
        import
            .files
            .push((PathBuf::from(file), zone.records.clone()));
    }
    let mut city = None;
    if let Some(path) = &plan.area.city {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("city.mmdb");
        city = Some(name);
        import.copies.push((path.clone(), PathBuf::from(name)));
    }
    let head = write::Head {
        city,
        client_subnet: installation.options.client_subnet
            && !lower::ignores_subnets(&installation.maps),
        zones: &zones,
        from: &from,
    };
    let config = write::config(&installation.options, &head);
    let report = write::report(
        &from,
        &installation.options,
        &import.summary,
        &import.faults,
    );
    let texts = [
        ("watershed.toml", config),
        ("policies.toml", write::policies(&plan)),
        ("IMPORT.md", report),
    ];
    import
        .files
        .extend(texts.map(|(name, text)| (PathBuf::from(name), text)));
    Ok(import)
}

fn summary(installation: &gdnsd::Installation, plan: &lower::Plan) -> Summary {
    let records = |zone: &gdnsd::Zone| zone.records.lines().count();
    Summary {
        zones: installation.zones.len(),
        records: installation.zones.iter().map(records).sum(),
        domains: plan
            .services
            .iter()
            .map(|service| service.domains.len())
            .sum(),
        services: plan.services.len(),
        pools: plan.pools.len(),
        policies: plan.policies.len(),
        checks: plan.checks.len(),
    }
}

/// A path for a zone's file; names of zones may hold what paths may not.
fn zone_file(zone: &str, taken: &mut BTreeSet<String>) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let plain: String = zone
        .to_ascii_lowercase()
        .chars()
        .map(|character| if allowed(character) { character } else { '-' })
        .collect();
    let stem = plain.trim_matches('.');
    let stem = if stem.is_empty() { "root" } else { stem };
    let mut file = format!("zones/{stem}.zone");
    let mut number = 1_u32;
    while !taken.insert(file.clone()) {
        number += 1;
        file = format!("zones/{stem}-{number}.zone");
    }
    file
}

impl Import {
    /// Writes everything below a directory, which is made if need be.
    ///
    /// # Errors
    /// [`ImportError::Occupied`] before anything is written, [`ImportError::Unreadable`] and
    /// [`ImportError::Unwritable`].
    pub fn write(&self, to: &Path, overwrite: Overwrite) -> Result<(), ImportError> {
        let targets = self.files.iter().map(|(path, _)| path);
        let targets: Vec<&PathBuf> = targets
            .chain(self.copies.iter().map(|(_, path)| path))
            .collect();
        if overwrite == Overwrite::Never
            && let Some(there) = targets
                .iter()
                .map(|path| to.join(path))
                .find(|path| path.exists())
        {
            return Err(ImportError::Occupied {
                file: there.display().to_string(),
            });
        }
        for (from, _) in &self.copies {
            // Before anything is written: a database that is missing is a fault of the input.
            fs::File::open(from).map_err(|why| files::unreadable(from, why))?;
        }
        let unwritable = |path: &Path, why| ImportError::Unwritable {
            file: path.display().to_string(),
            why,
        };
        let parent = |path: &Path| path.parent().map_or(Ok(()), fs::create_dir_all);
        for (path, text) in &self.files {
            let path = to.join(path);
            let written = parent(&path).and_then(|()| fs::write(&path, text));
            written.map_err(|why| unwritable(&path, why))?;
        }
        for (from, path) in &self.copies {
            let path = to.join(path);
            let copied = parent(&path).and_then(|()| fs::copy(from, &path));
            copied.map_err(|why| unwritable(&path, why))?;
        }
        Ok(())
    }
}
