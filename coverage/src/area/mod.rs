//! Areas and the area table: the longest-prefix index from a client prefix to its area.
//!
//! One structure for IPv4 and one for IPv6, each a flat sorted array of range starts with the area
//! of each range and a root index over the leading bits: a lookup is one root read and a short
//! binary search. Prefixes of one area that touch are merged, so a range is as wide as the data
//! allows. How wide an *answer* may be reused is a question about runs of ranges with equal
//! answers: [`ScopeIndex`].
//!
//! Built once per change of data and shared by consecutive snapshots.

mod build;
mod file;
mod ranges;
mod scope;

pub use build::{AreaBuildError, AreaTableBuilder};
pub use file::AreaFileError;
pub use scope::ScopeIndex;

use ranges::Ranges;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An area: an index into [`AreaTable::areas`]. Area 0 is `zz`, where nothing is known.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct AreaId(pub u32);

impl AreaId {
    /// The id as a slice index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The id of a position in [`AreaTable::areas`], which has no more than 2^32.
    #[must_use]
    pub fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// Attributes an area is known by. Empty text, zero or `None` means unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AreaAttrs {
    /// ISO 3166 country code, lower-case.
    pub country: String,
    /// Province: GB/T 2260 two-digit code in China, a name elsewhere.
    pub province: String,
    /// City name.
    pub city: String,
    /// ISP, such as `ct`.
    pub isp: String,
    /// Autonomous system number.
    pub asn: u32,
    /// Degrees north.
    pub latitude: Option<f32>,
    /// Degrees east.
    pub longitude: Option<f32>,
    /// Tells areas apart that are alike in all else but not to some policy; 0 where there is
    /// nothing to tell.
    pub class: u32,
}

impl AreaAttrs {
    /// The area's name, with its class behind `~` if it has one: known parts joined by `/`, unknown
    /// inner parts as `-`, unknown trailing parts dropped; `zz` when nothing is known. A city
    /// stands between province and ISP only where it is known.
    #[must_use]
    pub fn name(&self) -> String {
        let mut parts = vec![self.country.clone(), self.province.clone()];
        if !self.city.is_empty() {
            parts.push(self.city.clone());
        }
        parts.push(self.isp.clone());
        if self.asn != 0 {
            parts.push(format!("as{}", self.asn));
        }
        while parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        if parts.is_empty() {
            parts.push("zz".to_owned());
        }
        let shown = parts
            .iter()
            .map(|part| if part.is_empty() { "-" } else { part.as_str() });
        let mut name = shown.collect::<Vec<_>>().join("/");
        if self.class != 0 {
            name.push_str(&format!("~{}", self.class));
        }
        name
    }
}

/// One area with its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Area {
    /// Name, such as `cn/44/ct`.
    pub name: String,
    /// Attributes it is known by.
    pub attrs: AreaAttrs,
    /// IPv4 addresses in it.
    pub ipv4_addresses: u64,
    /// IPv6 /48 subnets in it, rounded down.
    pub ipv6_subnets_48: u64,
}

/// Place in the table where an address was found; valid for the same table only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Index of an IPv4 range.
    V4(u32),
    /// Index of an IPv6 range.
    V6(u32),
}

/// Result of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The area.
    pub area: AreaId,
    /// The range.
    pub leaf: Leaf,
}

/// The area table.
///
/// ```
/// use coverage::area::{AreaAttrs, AreaTableBuilder};
///
/// let telecom = AreaAttrs { country: "cn".into(), isp: "ct".into(), ..AreaAttrs::default() };
/// let mut builder = AreaTableBuilder::new();
/// builder.add_v4(0xc633_6400, 0xc633_64ff, &telecom); // 198.51.100.0/24
/// let table = builder.finish()?;
///
/// let found = table.lookup("198.51.100.7".parse()?);
/// assert_eq!(table.area(found.area).name, "cn/-/ct");
/// let elsewhere = table.lookup("192.0.2.1".parse()?);
/// assert_eq!(table.area(elsewhere.area).name, "zz");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AreaTable {
    areas: Vec<Area>,
    v4: Ranges<u32>,
    /// By the upper 64 bits of the address; longer prefixes are cut to /64.
    v6: Ranges<u64>,
    digest: [u8; 32],
}

impl AreaTable {
    /// Finds the area of an address. Every address has one; IPv4-mapped IPv6 counts as IPv4. No
    /// allocation.
    #[must_use]
    #[inline]
    pub fn lookup(&self, addr: IpAddr) -> Found {
        match key(addr) {
            Key::V4(key) => {
                let (index, area) = self.v4.find(key);
                Found {
                    area: AreaId(area),
                    leaf: Leaf::V4(index),
                }
            }
            Key::V6(key) => {
                let (index, area) = self.v6.find(key);
                Found {
                    area: AreaId(area),
                    leaf: Leaf::V6(index),
                }
            }
        }
    }

    /// Finds many addresses at once: for each that is there, what [`AreaTable::lookup`] finds.
    /// Memory is what a lookup waits for; here the waits overlap, because no search depends on the
    /// one before it.
    pub fn lookup_all(&self, addrs: &[Option<IpAddr>], found: &mut [Option<Found>]) {
        let begin = |addr: &IpAddr| match key(*addr) {
            Key::V4(key) => self.v4.touch(key),
            Key::V6(key) => self.v6.touch(key),
        };
        let touched = addrs.iter().flatten().map(begin);
        std::hint::black_box(touched.fold(0, u32::wrapping_add));
        for (found, addr) in found.iter_mut().zip(addrs) {
            *found = addr.map(|addr| self.lookup(addr));
        }
    }

    /// All areas; the index is the [`AreaId`].
    #[must_use]
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// One area.
    ///
    /// # Panics
    /// When the id is not of this table.
    #[must_use]
    pub fn area(&self, id: AreaId) -> &Area {
        &self.areas[id.0 as usize]
    }

    /// An area by its name; O(areas).
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<AreaId> {
        let index = self.areas.iter().position(|area| area.name == name)?;
        Some(AreaId(u32::try_from(index).ok()?))
    }

    /// SHA-256 of the encoded table: what a map says it was made for.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// IPv4 ranges as (first address, area), ascending; each ends where the next begins.
    pub fn ranges_v4(&self) -> impl ExactSizeIterator<Item = (u32, AreaId)> + '_ {
        self.v4.iter().map(|(start, area)| (start, AreaId(area)))
    }

    /// IPv6 ranges as (upper 64 bits of the first address, area), ascending; each ends where the
    /// next begins.
    pub fn ranges_v6(&self) -> impl ExactSizeIterator<Item = (u64, AreaId)> + '_ {
        self.v6.iter().map(|(start, area)| (start, AreaId(area)))
    }

    /// Memory held by the index, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes() + self.v6.memory_bytes()
    }

    /// Length of the shortest prefix around `addr` that lies wholly in its range.
    #[must_use]
    pub fn prefix_len(&self, leaf: Leaf, addr: IpAddr) -> u8 {
        match (leaf, key(addr)) {
            (Leaf::V4(index), Key::V4(key)) => self.v4.prefix_len(index, index, key),
            (Leaf::V6(index), Key::V6(key)) => self.v6.prefix_len(index, index, key),
            _ => 0,
        }
    }
}

/// An address as a key of its family.
enum Key {
    V4(u32),
    V6(u64),
}

#[inline]
fn key(addr: IpAddr) -> Key {
    match addr.to_canonical() {
        IpAddr::V4(v4) => Key::V4(u32::from(v4)),
        IpAddr::V6(v6) => Key::V6((u128::from(v6) >> 64) as u64),
    }
}

#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
