//! Directory of places: the group that an address or an authority belongs to, and real client
//! prefixes of an area.

use coverage::AreaTable;
use engine::inventory::Inventory;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The inventory by address and authority.
pub(super) struct Places {
    by_address: BTreeMap<Ipv4Addr, (String, String)>,
    by_authority: BTreeMap<String, (String, String)>,
}

impl Places {
    /// (group, link) of every address and authority.
    pub(super) fn new(inventory: &Inventory) -> Self {
        let mut places = Self {
            by_address: BTreeMap::new(),
            by_authority: BTreeMap::new(),
        };
        for endpoint in &inventory.endpoints {
            let group = inventory.groups[endpoint.group.index()].name.clone();
            let place = (group, inventory.links[endpoint.link.index()].name.clone());
            for port in &endpoint.nodes {
                places.by_address.insert(port.ipv4, place.clone());
                places
                    .by_authority
                    .insert(port.authority.clone(), place.clone());
            }
            for vip in &endpoint.ipv4 {
                places.by_address.insert(*vip, place.clone());
            }
        }
        places
    }

    /// Group and link behind an address.
    pub(super) fn of_address(&self, address: Ipv4Addr) -> Option<&(String, String)> {
        self.by_address.get(&address)
    }

    /// Group and link behind an authority.
    pub(super) fn of_authority(&self, authority: &str) -> Option<&(String, String)> {
        self.by_authority.get(authority)
    }
}

/// Up to `count` client addresses of an area, each in another /24, from its real prefixes.
pub(super) fn clients(table: &AreaTable, area: &str, count: usize) -> Vec<Ipv4Addr> {
    let Some(id) = table.by_name(area) else {
        return Vec::new();
    };
    let ranges: Vec<_> = table.ranges_v4().collect();
    let ends = ranges
        .iter()
        .skip(1)
        .map(|(start, _)| start - 1)
        .chain([u32::MAX]);
    let whole_24s = ranges
        .iter()
        .zip(ends)
        .filter(|((_, area), _)| *area == id)
        .flat_map(|((start, _), end)| {
            // From the first /24 that begins in the range to the last that ends in it; there are at
            // most 2^24.
            let after_last = u32::try_from((u64::from(end) + 1) / 256).unwrap_or(0);
            (start.div_ceil(256)..after_last).map(|prefix| prefix << 8)
        });
    whole_24s
        .take(count)
        .map(|network| Ipv4Addr::from(network | 7))
        .collect()
}
