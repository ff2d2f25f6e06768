//! Data of static records, with names absolute, numbers in seconds, and long texts split.

use super::name::Origins;
use super::ttl;
use super::words::Word;

/// Longest part of a text record (RFC 1035, section 3.3).
const TEXT_MAX: usize = 255;

/// The data of a record as it is written anew.
///
/// # Errors
/// What is wrong with it.
pub(super) fn data(rtype: &str, words: &[Word], origins: &Origins) -> Result<String, String> {
    let names: &[usize] = match rtype {
        "NS" | "CNAME" | "PTR" | "DNAME" => &[0],
        "MX" | "AFSDB" => &[1],
        "SRV" => &[3],
        "NAPTR" => &[5],
        "SOA" => &[0, 1],
        "TXT" | "SPF" => return texts(words),
        _ => &[],
    };
    if let Some(last) = names.last()
        && words.len() <= *last
    {
        return Err(format!("{rtype} needs at least {} fields", last + 1));
    }
    if words.is_empty() {
        return Err(format!("{rtype} has no data"));
    }
    let field = |(at, word): (usize, &Word)| {
        if names.contains(&at) {
            origins.absolute(&word.raw)
        } else if word.quoted {
            format!("\"{}\"", word.raw)
        } else {
            word.raw.clone()
        }
    };
    let fields: Vec<String> = words.iter().enumerate().map(field).collect();
    Ok(fields.join(" "))
}

/// The start of authority, and the time that an absence may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    /// All before the last field.
    pub(super) head: String,
    /// The last field, in seconds.
    pub(super) absent_s: u32,
}

/// Reads an SOA record.
///
/// # Errors
/// What is wrong with it.
pub(super) fn authority(words: &[Word], origins: &Origins) -> Result<Authority, String> {
    let [server, mailbox, serial, refresh, retry, expire, absent] = words else {
        return Err(format!("SOA needs 7 fields and has {}", words.len()));
    };
    let time =
        |word: &Word| ttl::seconds(&word.raw).ok_or_else(|| format!("{:?} is no time", word.raw));
    if serial.raw.parse::<u32>().is_err() {
        return Err(format!("{:?} is no serial number", serial.raw));
    }
    let head = format!(
        "{} {} {} {} {} {}",
        origins.absolute(&server.raw),
        origins.absolute(&mailbox.raw),
        serial.raw,
        time(refresh)?,
        time(retry)?,
        time(expire)?
    );
    Ok(Authority {
        head,
        absent_s: time(absent)?,
    })
}

/// Texts, split where they are longer than a part may be.
fn texts(words: &[Word]) -> Result<String, String> {
    let mut parts = Vec::new();
    for word in words {
        let bytes = unescaped(&word.raw)?;
        if bytes.is_empty() {
            parts.push("\"\"".to_owned());
        }
        parts.extend(bytes.chunks(TEXT_MAX).map(escaped));
    }
    if parts.is_empty() {
        return Err("TXT has no text".to_owned());
    }
    Ok(parts.join(" "))
}

/// Bytes of a text with its escapes.
pub(super) fn unescaped(raw: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = raw.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let wrong = || {
            format!(
                "{raw:?} has a backslash without a character or three digits up to 255 behind it"
            )
        };
        match behind {
            [a, b, c, behind @ ..] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()) => {
                let value = [a, b, c]
                    .iter()
                    .fold(0_u32, |sum, digit| sum * 10 + u32::from(**digit - b'0'));
                bytes.push(u8::try_from(value).map_err(|_| wrong())?);
                rest = behind;
            }
            [digit, ..] if digit.is_ascii_digit() => return Err(wrong()),
            [other, behind @ ..] => {
                bytes.push(*other);
                rest = behind;
            }
            [] => return Err(wrong()),
        }
    }
    Ok(bytes)
}

/// A quoted text.
fn escaped(bytes: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<Word> {
        super::super::words::lines(text).unwrap().remove(0).words
    }

    fn origins() -> Origins {
        Origins {
            current: "sub.example.com.".to_owned(),
            zone: "example.com.".to_owned(),
            file: "example.com.".to_owned(),
        }
    }

    #[test]
    fn names_within_data_become_absolute() {
        for (rtype, text, written) in [
            ("MX", "10 mail", "10 mail.sub.example.com."),
            ("MX", "10 mail.@Z", "10 mail.example.com."),
            ("CNAME", "@", "sub.example.com."),
            ("SRV", "5 500 80 www.", "5 500 80 www."),
            (
                "NAPTR",
                "1 2 \"u\" \"x\" \"!a!b!\" @",
                "1 2 \"u\" \"x\" \"!a!b!\" sub.example.com.",
            ),
            ("A", "192.0.2.1", "192.0.2.1"),
            ("TYPE99", "\\# 2 0102", "\\# 2 0102"),
            ("TXT", "a \"b c\" \"\"", "\"a\" \"b c\" \"\""),
        ] {
            assert_eq!(data(rtype, &words(text), &origins()).unwrap(), written);
        }
        assert!(data("MX", &words("10"), &origins()).is_err());
        let soa = authority(&words("ns1 h.x. 7 2H 30M 3D 900"), &origins()).unwrap();
        assert_eq!(soa.head, "ns1.sub.example.com. h.x. 7 7200 1800 259200");
        assert_eq!(soa.absent_s, 900);
    }

    proptest! {
        #[test]
        fn texts_survive(bytes in proptest::collection::vec(any::<u8>(), 1..700)) {
            let raw: String = bytes.iter().map(|byte| format!("\\{byte:03}")).collect();
            let written = texts(&[Word { raw, quoted: true }]).unwrap();
            let parts = words(&written);
            let read: Vec<Vec<u8>> = parts.iter().map(|word| unescaped(&word.raw).unwrap()).collect();
            prop_assert!(read.iter().all(|part| part.len() <= TEXT_MAX));
            prop_assert_eq!(read.concat(), bytes);
        }

        #[test]
        fn any_data_ends(rtype in "SOA|MX|TXT|SRV|A|XX", text in "[a-z0-9.@\\\\\" ]{0,40}") {
            if let Ok(lines) = super::super::words::lines(&text) {
                for line in lines {
                    let _ = data(&rtype, &line.words, &origins());
                    let _ = authority(&line.words, &origins());
                }
            }
        }
    }
}
