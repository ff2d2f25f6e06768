//! `service_types`: how addresses are watched.

use crate::fault::{Effect, Faults, ImportError, Place};
use crate::vscf::{Hash, Node};
use std::collections::BTreeMap;

/// Judgement of a service type on the addresses that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Monitor {
    /// Always the same state.
    Fixed(bool),
    /// State that probes find out.
    Check(Check),
}

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) kind: CheckKind,
    pub(crate) port: u16,
    pub(crate) interval_s: u32,
    /// In milliseconds: half an interval need not be whole seconds.
    pub(crate) timeout_ms: u32,
    /// Successes in a row that bring back.
    pub(crate) up_after: u32,
    /// Failures that take down.
    pub(crate) down_after: u32,
}

/// Kind of probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckKind {
    Tcp,
    Http {
        path: String,
        host: Option<String>,
        ok_codes: Vec<u32>,
    },
}

/// All service types, the built-in ones among them.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    known: BTreeMap<String, Monitor>,
}

/// Keys that mean the same for all kinds.
const GENERIC: [&str; 6] = [
    "plugin",
    "up_thresh",
    "ok_thresh",
    "down_thresh",
    "interval",
    "timeout",
];
/// Most probes in a row that Watershed counts.
const THRESH_MAX: u32 = 1000;

impl Services {
    /// Reads them.
    pub(super) fn read(hash: &Hash, faults: &mut Faults) -> Result<Self, ImportError> {
        let built_in = [("up", true), ("down", false)];
        let mut known: BTreeMap<String, Monitor> = built_in
            .map(|(name, up)| (name.to_owned(), Monitor::Fixed(up)))
            .into();
        for entry in &hash.entries {
            let monitor = monitor(&entry.key, &entry.place, &entry.node, faults)?;
            if known.insert(entry.key.clone(), monitor).is_some() {
                let why = format!(
                    "service type {:?} is built in and cannot be defined",
                    entry.key
                );
                return Err(ImportError::invalid(&entry.place, why));
            }
        }
        Ok(Self { known })
    }

    /// The service type of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Monitor> {
        self.known.get(name)
    }

    /// All probes, by name.
    pub(crate) fn checks(&self) -> impl Iterator<Item = &Check> {
        self.known.values().filter_map(|monitor| match monitor {
            Monitor::Check(check) => Some(check),
            Monitor::Fixed(_) => None,
        })
    }
}

fn monitor(
    name: &str,
    place: &Place,
    node: &Node,
    faults: &mut Faults,
) -> Result<Monitor, ImportError> {
    let hash = node.hash(name)?;
    let Some(plugin) = hash.get("plugin") else {
        return Err(ImportError::invalid(
            place,
            format!("service type {name:?} has no plugin"),
        ));
    };
    match plugin.text("plugin")? {
        "null" => Ok(Monitor::Fixed(false)),
        "static" => {
            let state = hash
                .get("state")
                .map_or(Ok("UP"), |node| node.text("state"))?;
            match state.to_ascii_uppercase().as_str() {
                "UP" => Ok(Monitor::Fixed(true)),
                "DOWN" => Ok(Monitor::Fixed(false)),
                _ => Err(node.wrong(
                    &format!("state of service type {name:?}"),
                    "must be UP or DOWN",
                )),
            }
        }
        "tcp_connect" => {
            if hash.get("port").is_none() {
                return Err(ImportError::invalid(
                    place,
                    format!("service type {name:?} has no port"),
                ));
            }
            let check = check(name, place, hash, CheckKind::Tcp, faults)?;
            unknown(name, hash, &["port"], faults);
            Ok(Monitor::Check(check))
        }
        "http_status" => {
            let codes = match hash.get("ok_codes") {
                Some(node) => codes(node)?,
                None => vec![200],
            };
            let text = |key| hash.get(key).map(|node| node.text(key)).transpose();
            let kind = CheckKind::Http {
                path: text("url_path")?.unwrap_or("/").to_owned(),
                host: text("vhost")?.map(str::to_owned),
                ok_codes: codes,
            };
            let check = check(name, place, hash, kind, faults)?;
            unknown(
                name,
                hash,
                &["port", "url_path", "vhost", "ok_codes"],
                faults,
            );
            Ok(Monitor::Check(check))
        }
        other => {
            faults.add(
                place,
                Effect::Lost,
                format!("service_types => {name}"),
                format!("checks of plugin {other:?} have no counterpart; its addresses count as up unless forced"),
            );
            Ok(Monitor::Fixed(true))
        }
    }
}

/// HTTP codes that count as success.
fn codes(node: &Node) -> Result<Vec<u32>, ImportError> {
    let parse = |text: &str| text.parse().ok().filter(|code| (100..=599).contains(code));
    let codes: Option<Vec<u32>> = node.texts("ok_codes")?.into_iter().map(parse).collect();
    codes.ok_or_else(|| node.wrong("ok_codes", "must hold HTTP status codes"))
}

fn check(
    name: &str,
    place: &Place,
    hash: &Hash,
    kind: CheckKind,
    faults: &mut Faults,
) -> Result<Check, ImportError> {
    let whole = |key: &str, default: u32, max: u32| -> Result<u32, ImportError> {
        let Some(node) = hash.get(key) else {
            return Ok(default);
        };
        let value = node.parsed(key, "a whole number")?;
        if (1..=max).contains(&value) {
            Ok(value)
        } else {
            Err(node.wrong(key, &format!("must be 1 to {max}")))
        }
    };
    let interval_s = whole("interval", 10, 255)?;
    let timeout_ms = match hash.get("timeout") {
        Some(_) => whole("timeout", 1, 255)? * 1000,
        None => interval_s * 500,
    };
    if timeout_ms >= interval_s * 1000 {
        let why = format!("service type {name:?}: timeout must be less than interval");
        return Err(ImportError::invalid(place, why));
    }
    let ok_thresh = whole("ok_thresh", 10, 65_535)?;
    let down_thresh = whole("down_thresh", 10, 65_535)?;
    let up_thresh = whole("up_thresh", 20, 65_535)?;
    if down_thresh > 1 && ok_thresh > 1 {
        faults.add(
            place,
            Effect::Changed,
            format!("service_types => {name} => ok_thresh = {ok_thresh}"),
            format!(
                "gdnsd counts failures until {ok_thresh} successes come in a row, Watershed counts failures in a row: \
                 an address that fails now and then stays up longer"
            ),
        );
    }
    if up_thresh.max(down_thresh) > THRESH_MAX {
        faults.add(
            place,
            Effect::Changed,
            format!("service_types => {name}"),
            format!("thresholds above {THRESH_MAX} are lowered to it"),
        );
    }
    let port = whole("port", 80, 65_535)?;
    Ok(Check {
        name: name.to_owned(),
        kind,
        port: u16::try_from(port).unwrap_or(u16::MAX),
        interval_s,
        timeout_ms,
        up_after: up_thresh.min(THRESH_MAX),
        down_after: down_thresh.min(THRESH_MAX),
    })
}

/// Notes keys that nobody reads.
fn unknown(name: &str, hash: &Hash, own: &[&str], faults: &mut Faults) {
    for entry in &hash.entries {
        let key = entry.key.as_str();
        if !GENERIC.contains(&key) && !own.contains(&key) {
            let what = format!("service_types => {name} => {key}");
            faults.add(
                &entry.place,
                Effect::Moot,
                what,
                "is no setting of this kind of check",
            );
        }
    }
}
