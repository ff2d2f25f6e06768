//! Watershed: one UDP worker, static policies, no checks.

use super::{Launch, Setup, free_addr, write, zone_file};
use crate::dns::policy::{DATA_CENTERS, LABEL, Policy, Rule, TTL_S, ZONE, preference, rules};
use anyhow::{Result, ensure};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// Writes the configuration and says how to start with it.
pub(super) fn launch(setup: &Setup, dir: &Path, addr: SocketAddr) -> Result<Launch> {
    ensure!(
        setup.watershed.exists(),
        "there is no {}: build it with `cargo build --release`",
        setup.watershed.display()
    );
    let api = free_addr()?;
    let config = format!(
        "version = 1\n\
         data-dir = \"data\"\n\
         policies = \"policies.toml\"\n\n\
         [areas]\ncity = \"{}\"\n\n\
         [dns]\nlisten = [\"{addr}\"]\nudp-workers = 1\n\n\
         [api]\nlisten = \"{api}\"\n\n\
         [[zones]]\nname = \"{ZONE}\"\nfile = \"{ZONE}.zone\"\n",
        setup.database.display(),
    );
    write(dir, "watershed.toml", &config)?;
    write(dir, &format!("{ZONE}.zone"), &zone_file(""))?;
    write(dir, "policies.toml", &policies(setup.policy))?;
    let config = dir.join("watershed.toml").display().to_string();
    Ok(Launch {
        program: setup.watershed.clone(),
        args: vec!["run".into(), "-c".into(), config],
        api: Some(api),
    })
}

/// The file policies.toml.
fn policies(policy: Policy) -> String {
    let mut out = String::new();
    let mut pools = String::new();
    for center in DATA_CENTERS {
        let (name, address) = (center.name, center.address);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "[[pools]]\nname = \"{name}\"\n[pools.ipv4]\nserve = \"all\"\n\
             addresses = [{{ address = \"{address}\" }}]\n\n"
        );
        let _ = write!(pools, "{name} = [\"{name}\"], ");
    }
    let labels = quoted(&preference(0));
    let _ = write!(out, "[[policies]]\nname = \"world\"\nlabels = {labels}\n");
    match policy {
        Policy::Map => {
            let _ = writeln!(out, "default = {labels}");
            rules().iter().for_each(|rule| write_rule(&mut out, rule));
        }
        Policy::Nearest => {
            // The other side lists three by default.
            out.push_str("default = \"nearest\"\nnearest-max = 3\n[policies.coordinates]\n");
            for center in DATA_CENTERS {
                let [north, east] = center.coordinates;
                let _ = writeln!(out, "{} = [{north:?}, {east:?}]", center.name);
            }
        }
    }
    let pools = pools.trim_end_matches(", ");
    let _ = write!(
        out,
        "\n[[services]]\nname = \"bench\"\ndomains = [\"{LABEL}.{ZONE}\"]\nttl = \"{TTL_S}s\"\n\
         addresses-max = 64\npolicy = \"world\"\npools = {{ {pools} }}\n"
    );
    out
}

/// One rule of the map.
fn write_rule(out: &mut String, rule: &Rule) {
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "[[policies.rules]]\ncontinent = \"{}\"\n",
        rule.continent
    );
    if let Some(country) = rule.country {
        let _ = writeln!(out, "country = \"{country}\"");
    }
    let _ = writeln!(out, "prefer = {}", quoted(&preference(rule.first)));
}

/// Names as a TOML array.
fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", names.join(", "))
}
