//! Names and records that the fast path answers from, prepared when the view is built.

use crate::wire::{CLASS_IN, rtype};
use coverage::{ServiceId, Snapshot};

/// Octets that names are hashed and compared by.
pub(crate) const WORD: usize = 8;

/// Names and records that are prepared of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) names: NameTable,
    /// `[endpoint]`: A and AAAA records with a TTL of zero, behind one another.
    pub(crate) records: Vec<[Box<[u8]>; 2]>,
}

impl Prepared {
    /// Prepares the services of a snapshot. `names` are lower-case names on the wire that answer
    /// for services by themselves.
    pub(crate) fn new<'n>(
        snapshot: &Snapshot,
        names: impl Iterator<Item = (&'n [u8], ServiceId)>,
    ) -> Self {
        let catalog = &snapshot.catalog;
        let records = catalog.endpoints.iter().map(|endpoint| {
            let v4 = endpoint
                .ipv4
                .iter()
                .flat_map(|addr| record(rtype::A, &addr.octets()));
            let v6 = endpoint
                .ipv6
                .iter()
                .flat_map(|addr| record(rtype::AAAA, &addr.octets()));
            [v4.collect(), v6.collect()]
        });
        Self {
            names: NameTable::new(names),
            records: records.collect(),
        }
    }
}

/// A record behind a pointer to the name of the question.
fn record(rtype: u16, address: &[u8]) -> Vec<u8> {
    let len = u8::try_from(address.len()).unwrap_or(0);
    let mut bytes = vec![0xc0, 0x0c];
    bytes.extend_from_slice(&rtype.to_be_bytes());
    bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, len]);
    bytes.extend_from_slice(address);
    bytes
}

/// Names of services by a hash of whole words.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    /// A power of two of them, at least half empty.
    slots: Vec<Slot>,
    names: Vec<Box<[u8]>>,
}

/// Place of a name.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u64,
    /// Index of the name + 1, 0 where there is none.
    name: u32,
    service: u32,
}

impl NameTable {
    fn new<'n>(names: impl Iterator<Item = (&'n [u8], ServiceId)>) -> Self {
        let (names, services): (Vec<Box<[u8]>>, Vec<ServiceId>) = names
            .filter(|(name, _)| name.len() >= WORD)
            .map(|(name, service)| (Box::from(name), service))
            .unzip();
        let mut slots = vec![Slot::default(); (names.len() * 2).next_power_of_two()];
        for (name, (wire, service)) in (1..).zip(names.iter().zip(services)) {
            let hash = hash(wire);
            let mut at = slot(hash, slots.len());
            while slots[at].name != 0 {
                at = (at + 1) % slots.len();
            }
            slots[at] = Slot {
                hash,
                name,
                service: service.0,
            };
        }
        Self { slots, names }
    }

    /// The service of a name of at least one word, in any case.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<ServiceId> {
        let hash = hash(name);
        let mut at = slot(hash, self.slots.len());
        loop {
            let kept = self.slots.get(at)?;
            let known = self.names.get((kept.name as usize).checked_sub(1)?)?;
            if kept.hash == hash && same(known, name) {
                return Some(ServiceId(kept.service));
            }
            at = (at + 1) % self.slots.len();
        }
    }
}

/// A hash of a name of at least one word that does not see its case; the last word overlaps the one
/// before it where the length is no multiple of a word.
#[inline]
fn hash(name: &[u8]) -> u64 {
    let mut hash = 0;
    for word in name.as_chunks::<WORD>().0 {
        hash = stir(hash, lower(u64::from_le_bytes(*word)));
    }
    let last = name.last_chunk::<WORD>().copied().unwrap_or_default();
    stir(hash, lower(u64::from_le_bytes(last)))
}

/// Tells whether a name of at least one word is, but for its case, one that is known.
#[inline]
fn same(known: &[u8], name: &[u8]) -> bool {
    let (Some(a), Some(b)) = (known.last_chunk::<WORD>(), name.last_chunk::<WORD>()) else {
        return false;
    };
    let mut differ = u64::from_le_bytes(*a) ^ lower(u64::from_le_bytes(*b));
    for (a, b) in known
        .as_chunks::<WORD>()
        .0
        .iter()
        .zip(name.as_chunks::<WORD>().0)
    {
        differ |= u64::from_le_bytes(*a) ^ lower(u64::from_le_bytes(*b));
    }
    differ == 0 && known.len() == name.len()
}

/// A word with its capital letters made small. Lengths of labels are below 64 and no letters.
#[inline]
const fn lower(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * ONES);
    let from_a = low + (0x80 - b'A' as u64) * ONES;
    let beyond_z = low + (0x7f - b'Z' as u64) * ONES;
    let capital = (from_a ^ beyond_z) & !word & (0x80 * ONES);
    word | capital >> 2
}

/// Takes a word into a hash.
#[inline]
const fn stir(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32
}

/// A slot of a power of two of them.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "slots are bounded by memory"
)]
const fn slot(hash: u64, slots: usize) -> usize {
    hash as usize & (slots - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capital_letters_and_nothing_else_are_lowered() {
        for byte in 0..=255_u8 {
            let word = u64::from_le_bytes([byte, b'Z', b'[', b'@', b'A', b'a', 0x80 | b'A', 63]);
            let expected = [
                byte.to_ascii_lowercase(),
                b'z',
                b'[',
                b'@',
                b'a',
                b'a',
                0x80 | b'A',
                63,
            ];
            assert_eq!(lower(word).to_le_bytes(), expected);
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_length() {
        let names: Vec<Vec<u8>> = (1..40_u8)
            .map(|len| [&[len][..], &vec![b'x'; usize::from(len)], b"\x03com\0"].concat())
            .collect();
        let table = NameTable::new(
            (0..)
                .zip(&names)
                .map(|(id, name)| (&name[..], ServiceId(id))),
        );
        for (id, name) in (0..).zip(&names) {
            let found = (name.len() >= WORD)
                .then(|| table.find(&name.to_ascii_uppercase()))
                .flatten();
            assert_eq!(
                found,
                (name.len() >= WORD).then_some(ServiceId(id)),
                "{name:?}"
            );
            let mut other = name.clone();
            other[1] = b'y';
            assert!(name.len() < WORD || table.find(&other).is_none());
        }
        assert_eq!(
            NameTable::new(std::iter::empty()).find(b"\x07example\0"),
            None
        );
    }
}
