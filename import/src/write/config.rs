//! `watershed.toml`.

use super::toml::{Toml, quoted};
use crate::gdnsd::Options;

/// Parts of `watershed.toml` besides the options.
pub(crate) struct Head<'a> {
    /// Name of the database beside it.
    pub(crate) city: Option<&'a str>,
    /// True when client subnets count.
    pub(crate) client_subnet: bool,
    /// Names and files of zones.
    pub(crate) zones: &'a [(String, String)],
    /// Directory that was read.
    pub(crate) from: &'a str,
}

/// Most workers.
const WORKERS_MAX: u32 = 256;
/// Longest client subnets that count, as with gdnsd for IPv4, and as long as prefixes are told
/// apart for IPv6.
const SUBNET_BITS: [(&str, u8); 2] = [("ecs-v4-bits-max", 32), ("ecs-v6-bits-max", 64)];

/// The file.
pub(crate) fn config(options: &Options, head: &Head<'_>) -> String {
    let mut toml = Toml::new(&format!(
        "Written by `watershed import gdnsd {}`.\nWhat could not be carried over is in IMPORT.md.",
        head.from.escape_debug()
    ));
    toml.pair("version", 1);
    toml.text("data-dir", "data");
    toml.text("policies", "policies.toml");
    if let Some(city) = head.city {
        toml.table("[areas]");
        toml.text("city", city);
    }
    toml.table("[dns]");
    let listen: Vec<String> = options.listen.iter().map(ToString::to_string).collect();
    toml.texts("listen", &listen);
    if let Some(threads) = options.udp_threads {
        toml.pair("udp-workers", threads.clamp(1, WORKERS_MAX));
    }
    if !head.client_subnet {
        toml.text("ecs", "nobody");
    }
    for (key, bits) in SUBNET_BITS {
        toml.pair(key, bits);
    }
    if let Some(nsid) = &options.nsid {
        toml.pair("nsid", quoted(nsid));
    }
    for (name, file) in head.zones {
        toml.table("[[zones]]");
        toml.text("name", name);
        toml.text("file", file);
    }
    toml.finish()
}
