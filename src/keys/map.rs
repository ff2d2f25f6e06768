//! The key that signs maps, and the keys that are believed.

use super::{random_bytes, write_secret};
use anyhow::Context;
use ed25519_dalek::{SigningKey, VerifyingKey};
use std::fs;
use std::path::Path;

/// File of the key that signs our maps, in the data directory.
const SIGNING_KEY: &str = "map.key";
/// File of the key of an edge's control plane, in the data directory.
const ACCEPTED_KEY: &str = "map.pub";

/// The key that signs maps: read from the data directory, made there at the first start.
///
/// # Errors
/// When it cannot be read, or cannot be written with access for the owner alone.
pub(crate) fn signing_key(data_dir: &Path) -> anyhow::Result<SigningKey> {
    let path = data_dir.join(SIGNING_KEY);
    if path.exists() {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
            anyhow::anyhow!(
                "{} is no map key of 32 bytes; restore it from a backup",
                path.display()
            )
        })?;
        return Ok(SigningKey::from_bytes(&bytes));
    }
    let bytes = random_bytes::<32>()?;
    write_secret(&path, &bytes)?;
    Ok(SigningKey::from_bytes(&bytes))
}

/// Accepted keys of an edge: `map.pub` in its data directory, as kept at its first contact. There
/// is none before.
#[must_use]
pub(crate) fn accepted_keys(data_dir: &Path) -> Vec<VerifyingKey> {
    let key = key_bytes(data_dir, ACCEPTED_KEY);
    key.and_then(|key| VerifyingKey::from_bytes(&key).ok())
        .into_iter()
        .collect()
}

/// Keys that may have signed the maps in a data directory: our own where we publish, the control
/// plane's on an edge. Empty where no daemon ever ran.
#[must_use]
pub fn known_keys(data_dir: &Path) -> Vec<VerifyingKey> {
    let mut keys = accepted_keys(data_dir);
    let own = key_bytes(data_dir, SIGNING_KEY);
    keys.extend(own.map(|bytes| SigningKey::from_bytes(&bytes).verifying_key()));
    keys
}

/// The 32 bytes of a key, if its file has them.
fn key_bytes(data_dir: &Path, name: &str) -> Option<[u8; 32]> {
    fs::read(data_dir.join(name)).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_first_start_is_that_of_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let first = signing_key(dir.path()).unwrap();
        assert_eq!(
            signing_key(dir.path()).unwrap().to_bytes(),
            first.to_bytes()
        );
        assert_eq!(known_keys(dir.path()), [first.verifying_key()]);
        assert_eq!(accepted_keys(dir.path()), []);
    }

    #[test]
    fn a_start_after_a_crash_makes_the_key_that_was_not_finished() {
        let dir = tempfile::tempdir().unwrap();
        // A crash in the middle of the write: half of a key, not yet under its name.
        let left = dir.path().join(".map.key.00000000000000ff.new");
        fs::write(&left, [7; 16]).unwrap();
        let key = signing_key(dir.path()).unwrap();
        assert_eq!(signing_key(dir.path()).unwrap().to_bytes(), key.to_bytes());
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.key");
        fs::write(&path, [7; 16]).unwrap();
        let fault = signing_key(dir.path()).unwrap_err();
        assert!(fault.to_string().contains("backup"), "{fault}");
        assert_eq!(fs::read(&path).unwrap(), [7; 16]);
        assert_eq!(known_keys(dir.path()), []);
    }
}
