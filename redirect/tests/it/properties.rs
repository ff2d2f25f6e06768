//! Whatever a path holds, a location leads to an authority of the inventory.

use crate::world::{EAST, ask, view};
use hyper::Uri;
use proptest::prelude::*;
use redirect::{HttpView, NodeLoads, Outcome};
use std::sync::LazyLock;

static VIEW: LazyLock<HttpView> = LazyLock::new(|| view(|_| ()));

/// The authority as the most lenient reader would find it, after the URL rules of browsers: leading
/// and trailing blanks and all tabs and line ends dropped, backslashes taken for slashes, any
/// number of slashes after the scheme, user information cut off.
fn lenient_authority(url: &str) -> String {
    let blank = |char: char| char <= ' ';
    let kept = url
        .trim_matches(blank)
        .chars()
        .filter(|char| !matches!(char, '\t' | '\r' | '\n'));
    let url: String = kept
        .map(|char| if char == '\\' { '/' } else { char })
        .collect();
    let (_, rest) = url.split_once(':').expect("a scheme");
    let rest = rest.trim_start_matches('/');
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// Checks the location for one target, by two readers.
fn check(target: &str) -> Result<(), TestCaseError> {
    let outcome = ask(&VIEW, &NodeLoads::new(), "go.example.com", target, EAST);
    let Outcome::Redirect(redirect) = outcome else {
        prop_assert!(
            !target.starts_with(['/', '?']) && !target.is_empty(),
            "{target:?} is refused"
        );
        return Ok(());
    };
    let location = &redirect.location;
    prop_assert!(
        location.bytes().all(|byte| byte.is_ascii_graphic()),
        "{location:?}"
    );
    let known = |authority: &str| VIEW.authorities().any(|known| known == authority);
    prop_assert!(known(&lenient_authority(location)), "{location:?}");
    let strict: Uri = location.parse().unwrap();
    prop_assert!(known(strict.authority().unwrap().as_str()), "{location:?}");
    // What the next server decodes is what this one was asked for.
    let sent = strict.path_and_query().unwrap().as_str();
    let slash = if target.starts_with('/') { "" } else { "/" };
    prop_assert_eq!(
        undo_escapes(sent),
        undo_escapes(&format!("{slash}{target}"))
    );
    Ok(())
}

/// Undoes percent escapes, byte by byte.
fn undo_escapes(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut at, mut out) = (0, Vec::new());
    while let Some(&byte) = bytes.get(at) {
        let escape = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(plain) => {
                out.push(plain);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

#[test]
fn known_tricks_stay_paths() {
    for target in [
        "//evil.com",
        "///evil.com/x",
        "/\\evil.com",
        "\\/evil.com",
        "/\\\\evil.com",
        "/%0d%0aLocation:%20http://evil.com",
        "/\r\nLocation: http://evil.com",
        "/\t/evil.com",
        "/@evil.com",
        "@evil.com",
        ".evil.com/",
        ":80@evil.com/",
        "/..//evil.com",
        "/?@evil.com/",
        "?//evil.com",
        "/#@evil.com",
        "/%5cevil.com",
        "/\u{ff0f}evil.com",
        "/\u{2028}evil.com",
        "http://evil.com/",
    ] {
        check(target).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Any text at all.
    #[test]
    fn any_target_stays_behind_the_authority(target in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
        check(&target)?;
    }

    /// Texts made of what URL parsers trip over.
    #[test]
    fn nasty_targets_stay_behind_the_authority(
        target in "(/|//|\\\\|@|:|%0d|%0a|%2f|\\?|#|\r|\n|\t| |\\.\\.|evil\\.com|\\[|\\]|\u{e9}){0,12}"
    ) {
        check(&target)?;
        check(&format!("/{target}"))?;
    }
}
