//! The area table as a file.
//!
//! ```text
//! magic "WSAREA\0\3" | areas (postcard) | IPv4 ranges | IPv6 ranges | SHA-256 over all before
//! ranges: count, then per range the distance to the previous start and its area
//! numbers: varints (LEB128)
//! distance: its trailing zero bits in the lower 6 bits, the rest of it above them
//! ```
//! Ranges begin at prefixes, so distances are small numbers of large blocks: most take one or two
//! bytes. Sizes and index are derived on reading, so that a file cannot contradict itself.

use super::build::{AREAS_MAX, RANGES_MAX, assemble, identity};
use super::ranges::{RangeKey, Ranges};
use super::{Area, AreaAttrs, AreaTable};
use sha2::{Digest as _, Sha256};

/// First bytes of every file; the last byte is the format version.
const MAGIC: &[u8; 8] = b"WSAREA\0\x03";
const DIGEST_BYTES: usize = 32;

/// Reason why bytes are no area table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AreaFileError {
    /// The file does not begin like an area table of this format.
    #[error("not an area table of this format; build one with `watershed geo build`")]
    Magic,
    /// The digest at the end does not match: the file is cut short or damaged.
    #[error("damaged or truncated: the digest does not match; fetch or build it again")]
    Digest,
    /// The content contradicts the format.
    #[error("malformed at byte {at}: {what}")]
    Malformed {
        /// Offset in the file.
        at: usize,
        /// Fault.
        what: &'static str,
    },
}

impl AreaTable {
    /// The table as a file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = encode_content(self);
        bytes.extend_from_slice(&self.digest);
        bytes
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`AreaFileError`]; allocates no more than the input justifies.
    pub fn decode(bytes: &[u8]) -> Result<Self, AreaFileError> {
        if !bytes.starts_with(MAGIC) {
            return Err(AreaFileError::Magic);
        }
        let (content, digest) = bytes
            .split_last_chunk::<DIGEST_BYTES>()
            .ok_or(AreaFileError::Digest)?;
        if Sha256::digest(content).as_slice() != digest {
            return Err(AreaFileError::Digest);
        }
        let malformed = |at, what| AreaFileError::Malformed { at, what };
        let after_magic = content.get(MAGIC.len()..).ok_or(AreaFileError::Digest)?;
        let (attrs, rest) = postcard::take_from_bytes::<Vec<AreaAttrs>>(after_magic)
            .map_err(|_| malformed(MAGIC.len(), "areas do not decode"))?;
        if attrs.is_empty() || attrs.len() > AREAS_MAX || attrs[0] != AreaAttrs::default() {
            return Err(malformed(
                MAGIC.len(),
                "the first area is not `zz`, or there are too many",
            ));
        }
        // Ascending identities also mean that no two areas are the same.
        if !attrs.is_sorted_by(|a, b| identity(a) < identity(b)) {
            return Err(malformed(MAGIC.len(), "areas are not in order"));
        }
        let finite = |degrees: Option<f32>| degrees.is_none_or(f32::is_finite);
        if !attrs
            .iter()
            .all(|area| finite(area.latitude) && finite(area.longitude))
        {
            return Err(malformed(MAGIC.len(), "a coordinate is no number"));
        }
        let mut reader = Reader {
            bytes: content,
            at: content.len() - rest.len(),
        };
        let v4 = reader.ranges::<u32>(attrs.len())?;
        let v6 = reader.ranges::<u64>(attrs.len())?;
        if reader.at != content.len() {
            return Err(malformed(reader.at, "bytes after the last range"));
        }
        let area = |attrs: AreaAttrs| Area {
            name: attrs.name(),
            attrs,
            ipv4_addresses: 0,
            ipv6_subnets_48: 0,
        };
        Ok(assemble(attrs.into_iter().map(area).collect(), v4, v6))
    }
}

/// SHA-256 over the encoded content.
pub(super) fn digest(table: &AreaTable) -> [u8; DIGEST_BYTES] {
    Sha256::digest(encode_content(table)).into()
}

fn encode_content(table: &AreaTable) -> Vec<u8> {
    let attrs: Vec<&AreaAttrs> = table.areas.iter().map(|area| &area.attrs).collect();
    // Encoding plain strings and numbers into memory cannot fail.
    let attrs = postcard::to_stdvec(&attrs).expect("areas encode into memory");
    let mut bytes = [MAGIC.as_slice(), &attrs].concat();
    encode_ranges(&mut bytes, &table.v4);
    encode_ranges(&mut bytes, &table.v6);
    bytes
}

fn encode_ranges<K: RangeKey>(bytes: &mut Vec<u8>, ranges: &Ranges<K>) {
    push_varint(bytes, ranges.iter().len() as u128);
    let mut previous = 0;
    for (start, area) in ranges.iter() {
        push_varint(bytes, pack_distance(start.wide() - previous));
        push_varint(bytes, u128::from(area));
        previous = start.wide();
    }
}

/// Bits that hold the number of trailing zeros.
const ZEROS_BITS: u32 = 6;

fn pack_distance(distance: u64) -> u128 {
    let zeros = distance.trailing_zeros() % u64::BITS;
    u128::from(distance >> zeros) << ZEROS_BITS | u128::from(zeros)
}

/// The distance, unless it is too large or has a shorter form.
fn unpack_distance(packed: u128) -> Option<u64> {
    let zeros = u32::try_from(packed & ((1 << ZEROS_BITS) - 1)).ok()?;
    let distance = u64::try_from((packed >> ZEROS_BITS) << zeros).ok()?;
    (pack_distance(distance) == packed).then_some(distance)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Reads ranges from a position on.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    const fn malformed(&self, what: &'static str) -> AreaFileError {
        AreaFileError::Malformed { at: self.at, what }
    }

    /// A number of up to 70 bits: ten bytes.
    fn varint(&mut self) -> Result<u128, AreaFileError> {
        let mut value = 0_u128;
        for shift in (0..70).step_by(7) {
            let byte = *self
                .bytes
                .get(self.at)
                .ok_or_else(|| self.malformed("ends within a number"))?;
            self.at += 1;
            value |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // One number has one form, so that equal tables are equal bytes.
                if byte == 0 && shift > 0 {
                    return Err(self.malformed("a number is longer than it need be"));
                }
                return Ok(value);
            }
        }
        Err(self.malformed("a number is too long"))
    }

    fn distance(&mut self) -> Result<u64, AreaFileError> {
        let packed = self.varint()?;
        unpack_distance(packed).ok_or_else(|| self.malformed("a distance is malformed"))
    }

    fn ranges<K: RangeKey>(
        &mut self,
        areas_total: usize,
    ) -> Result<(Vec<K>, Vec<u32>), AreaFileError> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        // Every range takes at least two bytes, so a count that passes this check justifies what is
        // reserved for it.
        if count == 0 || count > RANGES_MAX || count > (self.bytes.len() - self.at) / 2 {
            return Err(self.malformed("the number of ranges is out of bounds"));
        }
        let (mut starts, mut areas) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut wide = 0_u64;
        for index in 0..count {
            let distance = self.distance()?;
            if (distance == 0) != (index == 0) {
                return Err(self.malformed("ranges do not ascend from zero"));
            }
            wide = wide
                .checked_add(distance)
                .ok_or_else(|| self.malformed("a range starts past the end"))?;
            starts.push(
                K::narrow(wide).ok_or_else(|| self.malformed("a range starts past the end"))?,
            );
            let area = u32::try_from(self.varint()?).unwrap_or(u32::MAX);
            if area as usize >= areas_total {
                return Err(self.malformed("a range names an area that does not exist"));
            }
            if areas.last() == Some(&area) {
                return Err(self.malformed("neighbouring ranges of one area are not merged"));
            }
            areas.push(area);
        }
        Ok((starts, areas))
    }
}
