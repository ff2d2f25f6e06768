//! SHA-256 digests and the hex in which people and files write them.

use coverage::Digest;
use sha2::{Digest as _, Sha256};

/// Hex digits of a digest.
const DIGITS: usize = 64;

/// Text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadDigest {
    /// The text is too short or too long.
    #[error("a digest has 64 hex digits, not {0}")]
    Length(usize),
    /// A character is no hex digit; its place is counted from 1.
    #[error("a digest has hex digits only, not {found:?} at place {place}")]
    Digit {
        /// The character.
        found: char,
        /// Place in the text, from 1.
        place: usize,
    },
}

/// Reads a digest, or any other 32 bytes, from 64 hex digits of either case.
///
/// # Errors
/// [`BadDigest`], which says what is wrong with the text.
pub(crate) fn digest_of_hex(text: &str) -> Result<Digest, BadDigest> {
    for (found, place) in text.chars().zip(1..) {
        if !found.is_ascii_hexdigit() {
            return Err(BadDigest::Digit { found, place });
        }
    }
    if text.len() != DIGITS {
        return Err(BadDigest::Length(text.len()));
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte - b'A' + 10,
    };
    let mut bytes = [0; DIGITS / 2];
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(&mut bytes) {
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    Ok(Digest(bytes))
}

/// SHA-256 of some bytes.
///
/// ```
/// use watershed::keys::{new_token, sha256};
///
/// // The configuration of a control plane accepts a token by its digest, in hex.
/// let token = new_token()?;
/// assert_eq!(sha256(&token).to_string().len(), 64);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back_in_either_case() {
        let digest = sha256("abc");
        // FIPS 180-2, appendix B.1.
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(digest_of_hex(text), Ok(digest));
        assert_eq!(digest_of_hex(&text.to_uppercase()), Ok(digest));
    }

    #[test]
    fn text_that_is_no_digest_is_told_what_is_wrong() {
        assert_eq!(digest_of_hex(""), Err(BadDigest::Length(0)));
        assert_eq!(digest_of_hex(&"0".repeat(63)), Err(BadDigest::Length(63)));
        assert_eq!(digest_of_hex(&"0".repeat(66)), Err(BadDigest::Length(66)));
        let place = |text: &str| digest_of_hex(text).unwrap_err();
        let bad = |found, place| BadDigest::Digit { found, place };
        assert_eq!(place(&format!("{}g", "0".repeat(63))), bad('g', 64));
        assert_eq!(place(&format!("+1{}", "0".repeat(62))), bad('+', 1));
        assert_eq!(place(&"é".repeat(32)), bad('é', 1));
        assert_eq!(
            place("zz").to_string(),
            "a digest has hex digits only, not 'z' at place 1"
        );
    }
}
