//! A gdnsd configuration as gdnsd understands it.
//!
//! ```text
//!   config, geoip/, admin_state --vscf--> options, checks, states, maps, resources
//!   zones/                      --zones-> static records, dynamic records
//! ```
//!
//! Nothing here knows of Watershed's own format; that is `lower`'s part.

mod address;
mod checks;
mod datacenters;
mod family;
mod leaf;
mod maps;
mod nets;
mod options;
mod resources;
mod scope;
mod states;
mod weighted;
mod zones;

pub(crate) use checks::{Check, CheckKind};
pub(crate) use family::{Family, Member, Serve};
pub(crate) use leaf::Leaf;
pub(crate) use maps::{Map, Prefer};
pub(crate) use options::Options;
pub(crate) use resources::{Datacenter, Kind, Resource, Resources, Trouble};
pub(crate) use states::States;
pub(crate) use zones::{Dynamic, Zone};

use crate::fault::{Effect, Faults, ImportError};
use crate::files::Reader;
use crate::vscf::{self, Hash, Value};
use std::path::Path;

/// All but the resources, which are looked up one by one.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) options: Options,
    pub(crate) services: checks::Services,
    pub(crate) states: States,
    pub(crate) maps: Vec<Map>,
    pub(crate) plugins: Hash,
    pub(crate) zones: Vec<Zone>,
}

/// Keys of the configuration file.
const SECTIONS: [&str; 3] = ["options", "service_types", "plugins"];

/// Reads a configuration directory.
///
/// # Errors
/// [`ImportError`] for what cannot be read, or what gdnsd itself would refuse.
pub(crate) fn read(dir: &Path, faults: &mut Faults) -> Result<Installation, ImportError> {
    let mut reader = Reader::default();
    let path = dir.join("config");
    let config = if path.is_file() {
        vscf::load(&path, &mut reader)?
    } else if dir.join("zones").is_dir() {
        // gdnsd runs without the file, too, with all defaults.
        vscf::Node {
            place: crate::files::place(&path),
            value: Value::Hash(Hash::default()),
        }
    } else {
        let why = std::io::Error::other(
            "holds neither \"config\" nor \"zones\"; is it gdnsd's directory?",
        );
        return Err(crate::files::unreadable(dir, why));
    };
    let root = config.hash("the configuration")?;
    if let Some(entry) = root
        .entries
        .iter()
        .find(|entry| !SECTIONS.contains(&entry.key.as_str()))
    {
        let why = format!(
            "key {:?} is none of options, service_types and plugins",
            entry.key
        );
        return Err(ImportError::invalid(&entry.place, why));
    }
    let empty = Hash::default();
    let options = Options::read(root.hash("options")?.unwrap_or(&empty), faults)?;
    let services = checks::Services::read(root.hash("service_types")?.unwrap_or(&empty), faults)?;
    let states = States::find(dir, options.state_dir.as_deref(), &mut reader, faults)?;
    let plugins = root.hash("plugins")?.cloned().unwrap_or_default();
    let maps = match plugins.hash("geoip")? {
        Some(geoip) => maps::read(geoip, &dir.join("geoip"), &mut reader, faults)?,
        None => Vec::new(),
    };
    for entry in &plugins.entries {
        if !resources::KNOWN_PLUGINS.contains(&entry.key.as_str()) {
            faults.add(
                &entry.place,
                Effect::Moot,
                format!("plugins => {}", entry.key),
                "settings of a plugin that has no counterpart; where a record or check uses it, that is listed by itself",
            );
        }
    }
    let zones = zones::read(&dir.join("zones"), &options, &mut reader)?;
    Ok(Installation {
        options,
        services,
        states,
        maps,
        plugins,
        zones,
    })
}
