//! Files of the configuration that is read: how much of them, and which ones a shell pattern means.

use crate::fault::{ImportError, Place};
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Most bytes of one file.
const BYTES_MAX: u64 = 256 << 20;
/// Most files of one import, includes among them.
const FILES_MAX: usize = 100_000;

/// Reads files, with bounds.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    files: usize,
}

impl Reader {
    /// A file whole.
    ///
    /// # Errors
    /// [`ImportError::Unreadable`], also for what is too large or one too many.
    pub(crate) fn bytes(&mut self, path: &Path) -> Result<Vec<u8>, ImportError> {
        let fault = |why| unreadable(path, why);
        self.files += 1;
        if self.files > FILES_MAX {
            let text =
                format!("more than {FILES_MAX} files are read; is there a loop of includes?");
            return Err(fault(std::io::Error::other(text)));
        }
        let mut bytes = Vec::new();
        let mut file = fs::File::open(path).map_err(fault)?.take(BYTES_MAX + 1);
        file.read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() as u64 > BYTES_MAX {
            let text = format!("is larger than {BYTES_MAX} bytes");
            return Err(fault(std::io::Error::other(text)));
        }
        Ok(bytes)
    }
}

/// Returns what the system says of a file.
pub(crate) fn unreadable(path: &Path, why: std::io::Error) -> ImportError {
    ImportError::Unreadable {
        file: path.display().to_string(),
        why,
    }
}

/// A file as a whole, as a place.
pub(crate) fn place(path: &Path) -> Place {
    Place {
        file: Arc::from(path.display().to_string()),
        line: 0,
    }
}

/// The names in a directory that do not begin with a dot, sorted.
///
/// # Errors
/// [`ImportError::Unreadable`].
pub(crate) fn listing(dir: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let fault = |why| unreadable(dir, why);
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The existing files that a shell pattern means, sorted.
pub(crate) fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let wild = match part {
            Component::Normal(name) => name.to_str().filter(|name| name.contains(['*', '?', '['])),
            _ => None,
        };
        found = match wild {
            None => found.into_iter().map(|dir| dir.join(part)).collect(),
            Some(wild) => {
                let within = found.iter().flat_map(|dir| {
                    let dir = if dir.as_os_str().is_empty() {
                        Path::new(".")
                    } else {
                        dir
                    };
                    listing(dir).unwrap_or_default()
                });
                let named = |path: &PathBuf| {
                    let name = path.file_name().and_then(|name| name.to_str());
                    name.is_some_and(|name| matches(wild, name))
                };
                within.filter(named).collect()
            }
        };
    }
    found.retain(|path| path.is_file());
    found
}

/// Tells whether a shell pattern (`*`, `?`, `[a-z]`, `[!x]`, `\` before any of them) matches a text
/// as a whole. `*` matches slashes, too.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where to go on when what follows the last star does not fit: linear in pattern times text.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at + 1, read));
            at += 1;
        } else if let Some(next) = one(&pattern, at, text[read]) {
            at = next;
            read += 1;
        } else if let Some((behind, from)) = star {
            star = Some((behind, from + 1));
            at = behind;
            read = from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// The place behind the element at `at`, if that matches the character.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => Some(at + 1),
        '\\' if at + 1 < pattern.len() => (pattern[at + 1] == character).then_some(at + 2),
        '[' => match class(pattern, at + 1, character) {
            Some((holds, next)) => holds.then_some(next),
            // A bracket that is never closed stands for itself.
            None => (character == '[').then_some(at + 1),
        },
        other => (other == character).then_some(at + 1),
    }
}

/// Tells whether a bracket expression holds a character, and where it ends; `None` when it does not
/// end.
fn class(pattern: &[char], mut at: usize, character: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let first = at;
    let mut holds = false;
    loop {
        let low = *pattern.get(at)?;
        if low == ']' && at > first {
            return Some((holds != negated, at + 1));
        }
        let range =
            pattern.get(at + 1) == Some(&'-') && pattern.get(at + 2).is_some_and(|c| *c != ']');
        let high = if range { pattern[at + 2] } else { low };
        holds |= (low..=high).contains(&character);
        at += if range { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_a_shell_does() {
        for (pattern, text, holds) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("192.0.2.1/*", "192.0.2.1/http", true),
            ("192.0.2.1/*", "192.0.2.11/http", false),
            ("*/dc-?", "geoip/m/dc-1", true),
            ("*/dc-?", "geoip/m/dc-12", false),
            ("[a-c]x[!0-9]", "bxz", true),
            ("[a-c]x[!0-9]", "bx7", false),
            ("[]a]", "]", true),
            ("[a", "[a", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXc", false),
        ] {
            assert_eq!(matches(pattern, text), holds, "{pattern} {text}");
        }
    }

    #[test]
    fn globs_find_files_and_pass_hidden_ones_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        for name in ["d/b.cfg", "d/a.cfg", "d/.c.cfg", "d/x"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = glob(&dir.path().join("*/*.cfg"));
        assert_eq!(
            found,
            ["d/a.cfg", "d/b.cfg"].map(|name| dir.path().join(name))
        );
        assert_eq!(
            glob(&dir.path().join("d/none*")),
            [""; 0].map(PathBuf::from)
        );
        assert_eq!(glob(&dir.path().join("d")), [""; 0].map(PathBuf::from));
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[\\[\\]*?!a-c\\\\-]{0,12}", text in "[a-c\\[\\]-]{0,12}") {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn a_text_matches_itself_and_stars_around_any_part(text in "[a-z/.]{0,12}", cut in 0_usize..13) {
            prop_assert!(matches(&text, &text));
            let cut = cut.min(text.len());
            let starred = format!("*{}", &text[cut..]);
            prop_assert!(matches(&starred, &text));
        }
    }
}
