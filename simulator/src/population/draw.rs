//! Drawing client addresses of areas, evenly over the addresses of each.

use super::source_of;
use crate::random::Random;
use coverage::{AreaId, AreaTable};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Number of /24 are tried from a drawn address on, until one lies in the area.
const TRIES_MAX: u32 = 16;

/// A draw of positions within an area, and what has been passed of it.
struct Draw {
    /// Slot of the area in the list of chosen ones.
    slot: usize,
    /// Drawn positions, greatest first.
    positions: Vec<u64>,
    /// Size of the ranges passed.
    passed: u64,
}

/// Draws positions for each chosen area: `[area id] -> draw`, with the size of areas given by
/// `size`.
fn positions(
    areas: usize,
    chosen: &[usize],
    wanted: &[usize],
    size: impl Fn(usize) -> u64,
    random: &mut Random,
) -> Vec<Option<Draw>> {
    let mut draws: Vec<Option<Draw>> = (0..areas).map(|_| None).collect();
    for (slot, id) in chosen.iter().enumerate() {
        let total = size(*id);
        let count = if total == 0 { 0 } else { wanted[slot] };
        let mut positions: Vec<u64> = (0..count).map(|_| random.below(total)).collect();
        positions.sort_unstable_by(|a, b| b.cmp(a));
        draws[*id] = Some(Draw {
            slot,
            positions,
            passed: 0,
        });
    }
    draws
}

/// Walks ranges (first, size, area id) and hands out the drawn offsets: `found(slot, first, offset,
/// size)`.
fn walk(
    ranges: impl Iterator<Item = (u64, u64, AreaId)>,
    draws: &mut [Option<Draw>],
    mut found: impl FnMut(usize, u64, u64, u64),
) {
    for (first, size, area) in ranges {
        let Some(draw) = draws.get_mut(area.0 as usize).and_then(Option::as_mut) else {
            continue;
        };
        let end = draw.passed.saturating_add(size);
        while let Some(position) = draw.positions.pop_if(|position| *position < end) {
            found(draw.slot, first, position - draw.passed, size);
        }
        draw.passed = end;
    }
}

/// Draws IPv4 clients: one list for each chosen area, `wanted` long unless prefixes straddle areas.
pub(super) fn draw_v4(
    table: &AreaTable,
    chosen: &[usize],
    wanted: &[usize],
    random: &mut Random,
) -> Vec<Vec<IpAddr>> {
    let starts = table
        .ranges_v4()
        .map(|(start, _)| u64::from(start))
        .skip(1)
        .chain([1 << 32]);
    let ranges = table.ranges_v4().zip(starts);
    let ranges =
        ranges.map(|((start, area), end)| (u64::from(start), end - u64::from(start), area));
    let size = |id: usize| table.areas()[id].ipv4_addresses;
    let mut draws = positions(table.areas().len(), chosen, wanted, size, random);
    let mut drawn = vec![Vec::new(); chosen.len()];
    walk(ranges, &mut draws, |slot, first, offset, size| {
        let host = u32::try_from(first + offset).unwrap_or(u32::MAX);
        let end = u32::try_from(first + size - 1).unwrap_or(u32::MAX);
        let tries = (0..TRIES_MAX).filter_map(|step| (host & !0xff).checked_add(step << 8));
        let usable = tries
            .map(|net| IpAddr::V4(Ipv4Addr::from(net | 0x35)))
            .find(|addr| {
                let net = source_of(*addr).addr();
                table.lookup(net).area.0 as usize == chosen[slot] && lower(*addr) <= u64::from(end)
            });
        drawn[slot].extend(usable);
    });
    drawn
}

/// An IPv4 address as a number; 0 for IPv6.
fn lower(addr: IpAddr) -> u64 {
    match addr {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(_) => 0,
    }
}

/// Draws IPv6 clients in the same way.
pub(super) fn draw_v6(
    table: &AreaTable,
    chosen: &[usize],
    wanted: &[usize],
    random: &mut Random,
) -> Vec<Vec<IpAddr>> {
    // Units of /48, as the sizes of areas: ranges smaller than that are not drawn from.
    let starts = table
        .ranges_v6()
        .map(|(start, _)| start)
        .skip(1)
        .chain([u64::MAX]);
    let to_48 = |((start, area), end): ((u64, AreaId), u64)| {
        let first = start.div_ceil(1 << 16);
        (first, (end >> 16).saturating_sub(first), area)
    };
    let ranges: Vec<_> = table.ranges_v6().zip(starts).map(to_48).collect();
    let mut sizes = vec![0_u64; table.areas().len()];
    for (_, size, area) in &ranges {
        sizes[area.0 as usize] += size;
    }
    let mut draws = positions(sizes.len(), chosen, wanted, |id| sizes[id], random);
    let mut drawn = vec![Vec::new(); chosen.len()];
    walk(ranges.into_iter(), &mut draws, |slot, first, offset, _| {
        let addr = u128::from(first + offset) << 80 | 0x35;
        drawn[slot].push(IpAddr::V6(Ipv6Addr::from(addr)));
    });
    drawn
}
