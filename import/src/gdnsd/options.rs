//! The `options` hash.

use crate::fault::{Effect, Faults, ImportError};
use crate::vscf::{Entry, Hash, Node, Value};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// Options the import needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Place where it answers.
    pub(crate) listen: Vec<SocketAddr>,
    /// Threads for UDP, when given.
    pub(crate) udp_threads: Option<u32>,
    /// True when client subnets count.
    pub(crate) client_subnet: bool,
    /// Identity of the server (RFC 5001), when it is text.
    pub(crate) nsid: Option<String>,
    /// TTL of records that say none, in seconds.
    pub(crate) ttl_default_s: u32,
    /// Bounds of all TTLs, in seconds.
    pub(crate) ttl_s: RangeInclusive<u32>,
    /// Longest time that an absence may be kept, in seconds.
    pub(crate) ttl_absent_max_s: u32,
    /// TTL of records for ACME challenges, in seconds.
    pub(crate) ttl_acme_s: u32,
    /// True when answers go on behind a CNAME to a name of the same zone.
    pub(crate) follows_cname: bool,
    /// Place where `admin_state` is, when given.
    pub(crate) state_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: any(53),
            udp_threads: None,
            client_subnet: true,
            nsid: None,
            ttl_default_s: 86_400,
            ttl_s: 5..=3_600_000,
            ttl_absent_max_s: 10_800,
            ttl_acme_s: 0,
            follows_cname: false,
            state_dir: None,
        }
    }
}

/// All addresses of both families.
fn any(port: u16) -> Vec<SocketAddr> {
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    vec![SocketAddr::new(v4, port), SocketAddr::new(v6, port)]
}

impl Options {
    /// Reads them; what has no counterpart is noted.
    pub(super) fn read(hash: &Hash, faults: &mut Faults) -> Result<Self, ImportError> {
        let mut options = Self::default();
        let port = match hash.get("dns_port") {
            Some(node) => node.parsed("dns_port", "a port")?,
            None => 53,
        };
        options.listen = any(port);
        for entry in &hash.entries {
            options.take(entry, port, faults)?;
        }
        if options.ttl_s.start() > options.ttl_s.end() {
            let entry = hash
                .entries
                .iter()
                .find(|entry| entry.key.ends_with("_ttl"));
            if let Some(entry) = entry {
                return Err(entry.node.wrong("min_ttl", "must not be above max_ttl"));
            }
        }
        Ok(options)
    }

    fn take(&mut self, entry: &Entry, port: u16, faults: &mut Faults) -> Result<(), ImportError> {
        let (key, node) = (entry.key.as_str(), &entry.node);
        let moot = |faults: &mut Faults, why: &str| {
            faults.add(&entry.place, Effect::Moot, format!("options => {key}"), why);
        };
        match key {
            // Read before, because other keys depend on it.
            "dns_port" => {}
            "listen" => self.listen = listen(node, port, faults)?,
            "udp_threads" => self.udp_threads = Some(number(node, key)?),
            "edns_client_subnet" => self.client_subnet = node.truth(key)?,
            "zones_default_ttl" => self.ttl_default_s = number(node, key)?,
            "min_ttl" => self.ttl_s = number(node, key)?..=*self.ttl_s.end(),
            "max_ttl" => self.ttl_s = *self.ttl_s.start()..=number(node, key)?,
            "max_ncache_ttl" => self.ttl_absent_max_s = number(node, key)?,
            "acme_challenge_dns_ttl" => self.ttl_acme_s = number(node, key)?,
            "nsid_ascii" => self.nsid = Some(node.text(key)?.to_owned()),
            "nsid" => self.nsid = nsid(entry, faults)?,
            "state_dir" => self.state_dir = Some(PathBuf::from(node.text(key)?)),
            "run_dir" => moot(faults, "Watershed keeps its files below data-dir"),
            // Watershed always follows a CNAME within its zone; where gdnsd does not, the report
            // says so for all zones.
            "experimental_no_chain" => self.follows_cname = !node.truth(key)?,
            "chaos_response" => faults.add(
                &entry.place,
                Effect::Lost,
                "options => chaos_response",
                "Watershed does not answer questions of class CH",
            ),
            "disable_cookies" | "cookie_key_file" | "max_nocookie_response" => faults.add(
                &entry.place,
                Effect::Changed,
                format!("options => {key}"),
                "DNS cookies are not configured in Watershed",
            ),
            "max_edns_response" | "max_edns_response_v6" => faults.add(
                &entry.place,
                Effect::Changed,
                format!("options => {key}"),
                "Watershed has its own bound on the size of UDP replies; larger ones go over TCP",
            ),
            "disable_text_autosplit" | "zones_strict_data" => {
                moot(
                    faults,
                    "long texts are split and zones checked while importing",
                );
            }
            _ => moot(
                faults,
                "a setting of gdnsd's own process; no answer depends on it",
            ),
        }
        Ok(())
    }
}

fn number<T: FromStr>(node: &Node, key: &str) -> Result<T, ImportError> {
    node.parsed(key, "a whole number in its range")
}

/// Hex digits of a text; what is no text has no counterpart.
fn nsid(entry: &Entry, faults: &mut Faults) -> Result<Option<String>, ImportError> {
    let digits = entry.node.text("nsid")?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect();
    let Some(bytes) = bytes else {
        return Err(entry
            .node
            .wrong("nsid", "must be an even number of hex digits"));
    };
    let text = String::from_utf8(bytes).ok();
    if text.is_none() {
        faults.add(
            &entry.place,
            Effect::Lost,
            "options => nsid",
            "Watershed's nsid is text, and these bytes are none",
        );
    }
    Ok(text)
}

/// An address, a list of them, a hash of them, or `any`.
fn listen(node: &Node, port: u16, faults: &mut Faults) -> Result<Vec<SocketAddr>, ImportError> {
    let address = |text: &str, node: &Node| {
        let parsed = text.parse().or_else(|_| {
            text.trim_matches(['[', ']'])
                .parse()
                .map(|ip: IpAddr| SocketAddr::new(ip, port))
        });
        parsed.map_err(|_| {
            node.wrong(
                "listen",
                &format!("must hold addresses, and {text:?} is none"),
            )
        })
    };
    let Value::Hash(hash) = &node.value else {
        let texts = node.texts("listen")?;
        if texts == ["any"] {
            return Ok(any(port));
        }
        return texts.into_iter().map(|text| address(text, node)).collect();
    };
    let mut addresses = Vec::new();
    for entry in &hash.entries {
        let settings = entry.node.hash(&entry.key)?;
        if settings.hash_says_proxy()? {
            faults.add(
                &entry.place,
                Effect::Lost,
                format!("options => listen => {} => tcp_proxy", entry.key),
                "Watershed does not speak the PROXY protocol; the address is not listened on",
            );
            continue;
        }
        for setting in &settings.entries {
            faults.add(
                &setting.place,
                Effect::Moot,
                format!("options => listen => {} => {}", entry.key, setting.key),
                "settings of single addresses have no counterpart; no answer depends on them",
            );
        }
        addresses.push(address(&entry.key, &entry.node)?);
    }
    Ok(addresses)
}

impl Hash {
    /// Tells whether a listener is one behind a proxy.
    fn hash_says_proxy(&self) -> Result<bool, ImportError> {
        self.get("tcp_proxy")
            .map_or(Ok(false), |node| node.truth("tcp_proxy"))
    }
}
