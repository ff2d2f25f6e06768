//! Knot DNS: one UDP worker, the module geoip in its mode geodb, as knot.conf(5) and the module's
//! manual describe.

use super::{Launch, Setup, packaged, write, zone_file};
use crate::dns::policy::{DATA_CENTERS, LABEL, TTL_S, ZONE, rules};
use anyhow::Result;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// Writes the configuration and says how to start with it.
pub(super) fn launch(setup: &Setup, dir: &Path, addr: SocketAddr) -> Result<Launch> {
    write(dir, "knot.conf", &config(setup, dir, addr))?;
    // Whoever is in no view gets what the zone says.
    let line = format!("{LABEL} {TTL_S} IN A {}\n", DATA_CENTERS[0].address);
    write(dir, &format!("{ZONE}.zone"), &zone_file(&line))?;
    write(dir, "views.conf", &views())?;
    std::fs::create_dir_all(dir.join("db"))?;
    let config = dir.join("knot.conf").display().to_string();
    Ok(Launch {
        program: packaged("knotd")?,
        args: vec!["-c".into(), config],
        api: None,
    })
}

/// The file knot.conf.
fn config(setup: &Setup, dir: &Path, addr: SocketAddr) -> String {
    format!(
        "server:\n    \
           rundir: {dir}\n    listen: {ip}@{port}\n    \
           udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n    \
           edns-client-subnet: on\n\
         database:\n    storage: {dir}/db\n\
         log:\n  - target: stderr\n    any: warning\n\
         mod-geoip:\n  - id: bench\n    config-file: {dir}/views.conf\n    ttl: {TTL_S}\n    \
           mode: geodb\n    geodb-file: {database}\n    \
           geodb-key: [continent/code, country/iso_code]\n\
         zone:\n  - domain: {ZONE}.\n    storage: {dir}\n    file: {ZONE}.zone\n    \
           module: mod-geoip/bench\n",
        ip = addr.ip(),
        port = addr.port(),
        dir = dir.display(),
        database = setup.database.display(),
    )
}

/// The views: one per rule, `*` for the other countries of a continent.
fn views() -> String {
    let mut out = format!("{LABEL}.{ZONE}:\n");
    for rule in rules() {
        let country = rule.country.unwrap_or("*");
        let address = DATA_CENTERS[rule.first].address;
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "  - geo: \"{};{country}\"\n    A: {address}\n",
            rule.continent
        );
    }
    out
}
