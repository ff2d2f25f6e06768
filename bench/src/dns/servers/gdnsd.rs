//! gdnsd: one UDP thread, the plugin geoip, no monitoring, as its manual pages gdnsd.config(5) and
//! gdnsd-plugin-geoip(8) describe.

use super::{Launch, Setup, packaged, write, zone_file};
use crate::dns::policy::{DATA_CENTERS, LABEL, Policy, Rule, TTL_S, ZONE, preference, rules};
use anyhow::Result;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// Writes the configuration and says how to start with it.
pub(super) fn launch(setup: &Setup, dir: &Path, addr: SocketAddr) -> Result<Launch> {
    write(dir, "config", &config(setup, dir, addr))?;
    let line = format!("{LABEL} {TTL_S} DYNA geoip!bench\n");
    write(dir, &format!("zones/{ZONE}"), &zone_file(&line))?;
    Ok(Launch {
        program: packaged("gdnsd")?,
        args: vec!["-c".into(), dir.display().to_string(), "start".into()],
        api: None,
    })
}

/// The file `config`.
fn config(setup: &Setup, dir: &Path, addr: SocketAddr) -> String {
    let dir = dir.display();
    let places = match setup.policy {
        Policy::Map => format!("map => {{ {} }}", map(&rules())),
        Policy::Nearest => format!("auto_dc_coords => {{ {} }}", coordinates()),
    };
    let addresses = DATA_CENTERS.iter().fold(String::new(), |mut out, center| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{} => {}, ", center.name, center.address);
        out
    });
    format!(
        "options => {{\n  \
           listen => {{ {addr} => {{ udp_threads = 1, tcp_threads = 1 }} }}\n  \
           run_dir => {dir}/run\n  state_dir => {dir}/state\n\
         }}\n\
         plugins => {{ geoip => {{\n  \
           maps => {{ world => {{\n    \
             geoip2_db => {database}\n    \
             datacenters => [ {centers} ]\n    \
             {places}\n  }} }}\n  \
           resources => {{ bench => {{\n    \
             map => world, service_types => up\n    dcmap => {{ {addresses} }}\n  }} }}\n\
         }} }}\n",
        database = setup.database.display(),
        centers = preference(0).join(", "),
    )
}

/// Continents with their countries; the rule without a country is the default of its continent.
fn map(rules: &[Rule]) -> String {
    let mut out = String::new();
    for (index, rule) in rules.iter().enumerate() {
        let begins = index == 0 || rules[index - 1].continent != rule.continent;
        let ends = rule.country.is_none();
        let list = preference(rule.first).join(", ");
        let key = rule.country.unwrap_or("default");
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{}{key} => [ {list} ]{}",
            if begins {
                format!("{} => {{ ", rule.continent)
            } else {
                String::new()
            },
            if ends { " }, " } else { ", " },
        );
    }
    out
}

/// Returns where data centers are.
fn coordinates() -> String {
    let mut out = String::new();
    for center in DATA_CENTERS {
        let [north, east] = center.coordinates;
        // Writing to a string cannot fail.
        let _ = write!(out, "{} => [ {north}, {east} ], ", center.name);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_stand_within_their_continent() {
        let rule = |continent, country, first| Rule {
            continent,
            country,
            first,
        };
        let text = map(&[
            rule("AS", Some("JP"), 3),
            rule("AS", None, 2),
            rule("EU", None, 1),
        ]);
        assert_eq!(
            text,
            "AS => { JP => [ tyo, use, eu, sg, usw, sa ], default => [ sg, use, eu, tyo, usw, sa ] }, \
             EU => { default => [ eu, use, sg, tyo, usw, sa ] }, "
        );
    }
}
