//! Domain names as they stand on the wire: measuring, lower-casing, walking towards the root,
//! hashing.
//!
//! Inside this crate a name is a byte slice in uncompressed wire form, lower-cased, its root label
//! included. Lower-casing such a slice byte by byte is sound, because a length octet is at most 63
//! and so never an upper-case letter.

use domain::base::Name;
use std::hash::{BuildHasherDefault, Hasher};
use std::str::FromStr;

/// Longest name in octets, root label included (RFC 1035 section 2.3.4).
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// Longest label in octets (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: u8 = 63;
/// The two top bits of a length octet that mark a compression pointer (RFC 1035 section 4.1.4).
const POINTER_BITS: u8 = 0xc0;

/// A lower-cased name copied out of a message.
#[derive(Clone)]
pub struct NameBuf {
    bytes: [u8; NAME_BYTES_MAX],
    len: u8,
}

impl NameBuf {
    /// Copies and lower-cases `wire`, a name in uncompressed wire form; a longer slice is cut.
    #[must_use]
    pub fn lowered(wire: &[u8]) -> Self {
        let mut bytes = [0; NAME_BYTES_MAX];
        let len = wire.len().min(NAME_BYTES_MAX);
        for (to, from) in bytes.iter_mut().zip(wire) {
            *to = from.to_ascii_lowercase();
        }
        Self {
            bytes,
            len: u8::try_from(len).unwrap_or(u8::MAX),
        }
    }

    /// The name in wire form.
    #[must_use]
    pub(crate) fn as_wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for NameBuf {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&shown(self.as_wire()))
    }
}

/// The length of the uncompressed name at the start of `bytes`, root label included; `None` when
/// there is none: cut short, too long, compressed, or with a label type that does not exist. Linear
/// in the result.
#[must_use]
pub(crate) fn measure(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let len = *bytes.get(at)?;
        at += 1 + usize::from(len);
        if len == 0 {
            return Some(at);
        }
        // The root label is still to come, so a label may not end on the last octet.
        if len > LABEL_BYTES_MAX || at >= NAME_BYTES_MAX {
            return None;
        }
    }
}

/// Returns where the name at `at` ends inside a message; a compression pointer ends it and is not
/// followed. Linear in the bytes passed over, so a walk over a whole message is linear too.
#[must_use]
pub(crate) fn skip(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let len = *message.get(at)?;
        if len & POINTER_BITS == POINTER_BITS {
            return (at + 2 <= message.len()).then_some(at + 2);
        }
        if len > LABEL_BYTES_MAX {
            return None;
        }
        at += 1 + usize::from(len);
        if len == 0 {
            return Some(at);
        }
    }
}

/// The name without its first label; `None` for the root. `name` must be in wire form.
#[must_use]
pub(crate) fn parent(name: &[u8]) -> Option<&[u8]> {
    let len = usize::from(*name.first()?);
    if len == 0 { None } else { name.get(1 + len..) }
}

/// Number of labels a name has, the root label not counted.
#[must_use]
pub(crate) fn labels(name: &[u8]) -> usize {
    std::iter::successors(Some(name), |name| parent(name)).count() - 1
}

/// Tells whether `name` is `ancestor` or lies below it.
#[must_use]
pub(crate) fn is_within(name: &[u8], ancestor: &[u8]) -> bool {
    let Some(extra) = labels(name).checked_sub(labels(ancestor)) else {
        return false;
    };
    std::iter::successors(Some(name), |name| parent(name)).nth(extra) == Some(ancestor)
}

/// The lower-cased wire form of a name as people write it, with or without the final dot; `None`
/// when it is no name.
#[must_use]
pub(crate) fn from_text(text: &str) -> Option<Box<[u8]>> {
    let name = Name::<Vec<u8>>::from_str(text).ok()?;
    Some(name.as_slice().to_ascii_lowercase().into())
}

/// A name in presentation form, for messages to people.
#[must_use]
pub(crate) fn shown(wire: &[u8]) -> String {
    Name::from_octets(wire).map_or_else(|_| "(not a name)".to_owned(), |name| name.to_string())
}

/// Hashes names eight octets at a time. The tables are built from configuration and never grow from
/// questions, so nobody outside can fill a bucket and the keyed hash of the standard library would
/// be wasted here.
#[derive(Default)]
pub(crate) struct NameHasher(u64);

/// The hasher of name tables.
pub(crate) type NameHash = BuildHasherDefault<NameHasher>;

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        coverage::split::mix(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last));
    }

    fn write_u64(&mut self, word: u64) {
        // Multiplication by the golden ratio spreads each word upwards, the rotation brings it down
        // again.
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, length: usize) {
        self.write_u64(length as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measure_accepts_names_and_nothing_else() {
        assert_eq!(measure(b"\0rest"), Some(1));
        assert_eq!(measure(b"\x01a\x02bc\0xx"), Some(6));
        assert_eq!(measure(b"\x01a\x02b"), None, "cut short");
        assert_eq!(measure(b"\xc0\x0c"), None, "compressed");
        assert_eq!(
            measure(b"\x41aa\0"),
            None,
            "extended label type of RFC 6891"
        );
        let label = [&[63_u8][..], &[b'x'; 63]].concat();
        let longest = [&label.repeat(3)[..], &[61], &[b'x'; 61], &[0]].concat();
        assert_eq!((longest.len(), measure(&longest)), (255, Some(255)));
        let beyond = [&label.repeat(3)[..], &[62], &[b'x'; 62], &[0]].concat();
        assert_eq!(measure(&beyond), None, "256 octets");
    }

    #[test]
    fn ancestry_respects_label_borders() {
        let name = |text| from_text(text).unwrap();
        assert!(is_within(&name("a.example.com"), &name("example.com.")));
        assert!(is_within(&name("example.com"), &name("example.com")));
        assert!(!is_within(&name("badexample.com"), &name("example.com")));
        assert!(!is_within(&name("com"), &name("example.com")));
        assert!(is_within(&name("com"), b"\0"));
        assert_eq!(labels(&name("a.b.c")), 3);
        assert_eq!(shown(&name("A.b")), "a.b");
        assert_eq!(from_text("a..b"), None);
    }

    #[test]
    fn skip_stops_at_pointers_and_ends() {
        assert_eq!(skip(b"\x01a\xc0\x0c", 0), Some(4));
        assert_eq!(skip(b"\x01a\xc0", 0), None);
        assert_eq!(skip(b"\x01a\0", 0), Some(3));
        assert_eq!(skip(b"\x80\0", 0), None);
    }
}
