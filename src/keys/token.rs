//! Tokens of the control API: how they are made and where they are read.

use super::{random_bytes, write_secret};
use anyhow::Context;
use coverage::Digest;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns a new token: 32 random bytes in hex.
///
/// # Errors
/// When the system has no random bytes.
pub fn new_token() -> anyhow::Result<String> {
    Ok(Digest(random_bytes()?).to_string())
}

/// File of the admin token in a data directory.
#[must_use]
pub fn admin_token_file(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.token")
}

/// The token of the command line on this machine: made at the first start, readable by its owner
/// alone.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn admin_token(data_dir: &Path) -> anyhow::Result<String> {
    let path = admin_token_file(data_dir);
    if !path.exists() {
        write_secret(&path, new_token()?.as_bytes())?;
    }
    read_token(&path)
}

/// Reads a token from a file, without surrounding white space.
///
/// # Errors
/// When the file cannot be read.
pub fn read_token(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the token file {}", path.display()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_token_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".admin.token.0000000000000007.new"), "cut").unwrap();
        let token = admin_token(dir.path()).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(admin_token(dir.path()).unwrap(), token);
        assert_ne!(new_token().unwrap(), token);
    }
}
