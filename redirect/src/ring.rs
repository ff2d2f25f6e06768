//! The ring of consistent hashing (Karger et al. 1997): which nodes an object prefers, in order.

use coverage::split::mix;

/// Most members of one ring.
pub(crate) const RING_MEMBERS_MAX: usize = 1024;
/// Most points of one ring; small rings have fewer.
const RING_POINTS_MAX: usize = 16_384;
/// Points of a member in a ring that is not crowded: the spread of loads is about one over their
/// square root, 9 %.
const POINTS_PER_MEMBER: usize = 128;

/// A ring over members that are known by index. A member's points follow from its name alone, so
/// every process that has the same names places every object alike, and a member that goes away
/// moves its own objects only.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// (position, member), ascending.
    points: Vec<(u32, u16)>,
}

impl Ring {
    /// A ring over `names`; members are numbered in the order given. At most [`RING_MEMBERS_MAX`]
    /// names are taken.
    pub(crate) fn build(names: &[&str]) -> Self {
        let members = names.len().clamp(1, RING_MEMBERS_MAX);
        // Halved each time the ring doubles, never in between: one node more or less leaves all
        // other points in place.
        let each = (RING_POINTS_MAX / members.next_power_of_two()).min(POINTS_PER_MEMBER);
        let mut points = Vec::with_capacity(names.len() * each);
        for (member, name) in (0_u16..).zip(names.iter().take(RING_MEMBERS_MAX)) {
            let seed = hash_bytes(0, name.as_bytes());
            let steps = (1..).take(each);
            points.extend(steps.map(|step: u64| (position(seed.wrapping_add(step)), member)));
        }
        points.sort_unstable();
        Self { points }
    }

    /// Members as met clockwise from the place of `key`, each point once; members repeat.
    pub(crate) fn walk(&self, key: u64) -> impl Iterator<Item = usize> + '_ {
        let at = position(key);
        let start = self.points.partition_point(|(point, _)| *point < at);
        let (before, after) = self.points.split_at(start);
        after
            .iter()
            .chain(before)
            .map(|(_, member)| usize::from(*member))
    }
}

/// A place on the circle.
const fn position(hash: u64) -> u32 {
    (mix(hash) >> 32) as u32
}

/// A 64-bit hash that is the same in every process and build: eight bytes per step, multiplied and
/// scattered. Not against deliberate collisions, which would only send an attacker's own objects to
/// one node.
pub(crate) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    // The length goes in first, so that padding the last step with zeroes cannot make two texts
    // equal.
    let mut hash = mix(seed ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9fb2_1c65_1e98_df25);
        hash ^= hash >> 32;
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash ^ u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|node| format!("edge-{node:03}")).collect()
    }

    fn home(ring: &Ring, object: u32) -> usize {
        ring.walk(hash_bytes(7, format!("/video/{object}.ts").as_bytes()))
            .next()
            .unwrap()
    }

    fn ring(names: &[String]) -> Ring {
        Ring::build(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn objects_spread_over_all_members() {
        for members in [2, 10, 40] {
            let ring = ring(&names(members));
            let mut counts = vec![0_u32; members];
            let objects = u32::try_from(members).unwrap() * 2_000;
            (0..objects).for_each(|object| counts[home(&ring, object)] += 1);
            let range = (counts.iter().min(), counts.iter().max());
            assert!(
                counts.iter().all(|count| (1_300..2_800).contains(count)),
                "{range:?}"
            );
        }
    }

    #[test]
    fn a_member_that_leaves_moves_its_own_objects_only() {
        let all = names(20);
        let before = ring(&all);
        let fewer: Vec<String> = all
            .iter()
            .filter(|name| *name != "edge-007")
            .cloned()
            .collect();
        let after = ring(&fewer);
        let mut moved = 0;
        for object in 0..20_000 {
            let (old, new) = (&all[home(&before, object)], &fewer[home(&after, object)]);
            if old == "edge-007" {
                moved += 1;
            } else {
                assert_eq!(old, new, "object {object} moved for nothing");
            }
        }
        assert!((600..1_500).contains(&moved), "about a twentieth: {moved}");
    }

    #[test]
    fn a_walk_meets_every_member_and_rings_are_bounded() {
        for members in [1, 3, RING_MEMBERS_MAX] {
            let ring = ring(&names(members));
            assert!(ring.points.len() <= RING_POINTS_MAX);
            let mut met: Vec<usize> = ring.walk(42).collect();
            met.sort_unstable();
            met.dedup();
            assert_eq!(met.len(), members);
        }
    }

    #[test]
    fn hashes_differ_by_length_content_and_seed() {
        let texts: [&[u8]; 6] = [b"", b"\0", b"\0\0", b"abcdefgh", b"abcdefgh\0", b"abcdefgi"];
        let mut hashes: Vec<u64> = texts.iter().map(|text| hash_bytes(1, text)).collect();
        hashes.push(hash_bytes(2, b""));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 7);
    }
}
