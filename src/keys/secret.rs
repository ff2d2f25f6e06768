//! Random bytes, and files that only their owner may read.

use anyhow::Context;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Reasons why a secret was not written. A file that stands at its place is untouched.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// A file stands there already.
    #[error("{0} exists already and is left as it is")]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {path}: {fault}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word on it.
        fault: io::Error,
    },
    /// The system has no random bytes.
    #[error("{0:#}")]
    Random(anyhow::Error),
}

/// Returns bytes of the system's generator.
///
/// # Errors
/// When the system has none.
pub(super) fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read random bytes from the system")?;
    Ok(bytes)
}

/// Writes a new file that only its owner may read. The file is whole or not there, also after a
/// crash: its content goes to a temporary file beside it, which then gets its name.
///
/// A crash can leave such a temporary file. Nobody reads it, and no later write meets it, because
/// every write draws a new name.
///
/// # Errors
/// [`SecretError::Exists`] when there is a file already; it is never written over.
pub(super) fn write_secret(path: &Path, content: &[u8]) -> Result<(), SecretError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draw = u64::from_ne_bytes(random_bytes().map_err(SecretError::Random)?);
    let temporary = path.with_file_name(format!(".{name}.{draw:016x}.new"));
    let written = write_private(&temporary, content)
        // A link, because a rename would replace what stands there.
        .and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    let ended = written.and(removed).and_then(|()| {
        // The name is durable when the directory is.
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or_else(|| Path::new(".")))?.sync_all()
    });
    ended.map_err(|fault| match fault.kind() {
        io::ErrorKind::AlreadyExists => SecretError::Exists(path.to_owned()),
        _ => SecretError::Write {
            path: path.to_owned(),
            fault,
        },
    })
}

/// Writes a new file of mode 0600 through to the disk.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Names in a directory, in order.
    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_secret_is_for_its_owner_alone_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.key");
        write_secret(&path, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["map.key"]);
    }

    #[test]
    fn a_file_that_exists_is_an_error_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.key");
        for old in ["old", ""] {
            fs::write(&path, old).unwrap();
            let fault = write_secret(&path, b"new").unwrap_err();
            assert!(matches!(&fault, SecretError::Exists(at) if *at == path));
            assert!(fault.to_string().contains("map.key exists"), "{fault}");
            assert_eq!(fs::read_to_string(&path).unwrap(), old);
            assert_eq!(names(dir.path()), ["map.key"]);
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("map.key"), dir.path().join("elsewhere"));
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let fault = write_secret(&path, b"new").unwrap_err();
        assert!(matches!(fault, SecretError::Exists(_)), "{fault}");
        assert!(!target.exists());
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let fault = write_secret(&dir.path().join("none/map.key"), b"x").unwrap_err();
        assert!(matches!(fault, SecretError::Write { .. }), "{fault}");
        assert!(fault.to_string().contains("none/map.key"), "{fault}");
    }

    #[test]
    fn what_a_crash_left_does_not_stop_the_next_write() {
        let dir = tempfile::tempdir().unwrap();
        let left = ".map.key.0000000000000001.new";
        fs::write(dir.path().join(left), "cut").unwrap();
        let path = dir.path().join("map.key");
        write_secret(&path, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(names(dir.path()), [left, "map.key"]);
    }
}
