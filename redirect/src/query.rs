//! Parameters of a query string.

/// A query that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadQuery {
    /// A parameter that counts comes twice; which one is meant would be a guess.
    #[error("a parameter is given twice: give it once")]
    Twice,
    /// An escape is cut short, or what it hides is not UTF-8.
    #[error("a parameter is not percent-encoded UTF-8")]
    Encoding,
}

/// The value of the parameter `name`; `None` when it is absent. O(length of the query), which the
/// target's bound limits.
pub(crate) fn parameter(query: &str, name: &str) -> Result<Option<String>, BadQuery> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key == name && found.replace(value).is_some() {
            return Err(BadQuery::Twice);
        }
    }
    found.map(decode).transpose()
}

/// Undoes percent escapes (RFC 3986 section 2.1); `+` stays itself.
fn decode(text: &str) -> Result<String, BadQuery> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(BadQuery::Encoding);
        };
        bytes.push(u8::try_from(high << 4 | low).map_err(|_| BadQuery::Encoding)?);
    }
    String::from_utf8(bytes).map_err(|_| BadQuery::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_and_decoded() {
        let query = "host=a.example&ip=2001%3adb8%3A%3A1&empty=&flag&x=1&x=2";
        let value = |name| parameter(query, name);
        assert_eq!(value("host"), Ok(Some("a.example".into())));
        assert_eq!(value("ip"), Ok(Some("2001:db8::1".into())));
        assert_eq!(value("empty"), Ok(Some(String::new())));
        assert_eq!(value("flag"), Ok(Some(String::new())));
        assert_eq!(value("hos"), Ok(None));
        assert_eq!(value("x"), Err(BadQuery::Twice));
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert_eq!(parameter(bad, "a"), Err(BadQuery::Encoding), "{bad}");
        }
    }
}
