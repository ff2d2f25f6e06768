//! The `Location` of a redirect: an authority from the inventory, then the target as it came.

use crate::config::Scheme;

/// Writes `scheme://authority` and the path and query of a request.
///
/// `target` is kept byte for byte, except that bytes which RFC 3986 does not allow there (control
/// bytes, spaces, quotes, backslashes, `#`, anything that is not ASCII) become percent escapes.
/// Whatever it holds, it stays behind the `/` that ends the authority: a target of `//elsewhere` is
/// a path, because the authority has been written before it.
#[must_use]
pub fn location(scheme: Scheme, authority: &str, target: &str) -> String {
    let scheme = scheme.as_str();
    // One allocation when nothing needs an escape, which is the rule.
    let mut url = String::with_capacity(scheme.len() + authority.len() + target.len() + 4);
    url.push_str(scheme);
    url.push_str("://");
    url.push_str(authority);
    if !target.starts_with('/') {
        // An absolute-form target may have an empty path (RFC 9112 section 3.2.2): the root is
        // meant.
        url.push('/');
    }
    let mut rest = target;
    while let Some(at) = rest.bytes().position(|byte| !is_kept(byte)) {
        // Everything before `at` is ASCII, so both borders are borders of characters.
        let (clean, after) = rest.split_at(at);
        url.push_str(clean);
        let mut chars = after.chars();
        let escaped = chars.next().map_or(0, char::len_utf8);
        for byte in &after.as_bytes()[..escaped] {
            url.push('%');
            url.push(hex_digit(byte >> 4));
            url.push(hex_digit(byte & 15));
        }
        rest = chars.as_str();
    }
    url.push_str(rest);
    url
}

/// Tells whether a byte may stand in a path or query as it is: RFC 3986 section 3.3 and 3.4, the
/// `%` of escapes, and square brackets, which every parser takes and signed addresses contain.
const fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+'
        )
        || matches!(
            byte,
            b',' | b';' | b'=' | b':' | b'@' | b'/' | b'?' | b'%' | b'[' | b']'
        )
}

/// A digit of an escape; upper case as RFC 3986 section 2.1 asks.
const fn hex_digit(nibble: u8) -> char {
    (match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + nibble - 10,
    }) as char
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stay_behind_the_authority() {
        for (target, expected) in [
            ("/a/b.ts?k=v&t=%2f", "/a/b.ts?k=v&t=%2f"),
            ("//evil.com/x", "//evil.com/x"),
            ("/\\evil.com", "/%5Cevil.com"),
            ("/@evil.com", "/@evil.com"),
            ("@evil.com", "/@evil.com"),
            ("?q", "/?q"),
            ("", "/"),
            ("/a\r\nSet-Cookie: x", "/a%0D%0ASet-Cookie:%20x"),
            ("/%0d%0a", "/%0d%0a"),
            ("/a\tb\0", "/a%09b%00"),
            ("/#evil", "/%23evil"),
            ("/\u{4e2d}\"<>", "/%E4%B8%AD%22%3C%3E"),
        ] {
            let url = location(Scheme::Https, "n1.example:8443", target);
            assert_eq!(url, format!("https://n1.example:8443{expected}"));
        }
    }
}
