//! Times in zone files: seconds, or numbers with units.

/// `300`, `5M`, `1h30m`, in seconds.
pub(super) fn seconds(text: &str) -> Option<u32> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (mut total, mut number) = (0_u32, None::<u32>);
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            let digit = u32::from(byte - b'0');
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match byte.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    total.checked_add(number.unwrap_or(0))
}

/// `MAX` or `MAX/MIN`; the minimum is half of the maximum where it is not said.
pub(super) fn range(text: &str) -> Option<(u32, Option<u32>)> {
    match text.split_once('/') {
        None => Some((seconds(text)?, None)),
        Some((max, min)) => Some((seconds(max)?, Some(seconds(min)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        for (text, value) in [
            ("0", Some(0)),
            ("300", Some(300)),
            ("5M", Some(300)),
            ("1h30m", Some(5400)),
            ("2W3d", Some(1_468_800)),
            ("1m5", Some(65)),
            ("m", None),
            ("", None),
            ("5x", None),
            ("5mm", None),
            ("99999999999", None),
            ("9999999w", None),
            ("-1", None),
        ] {
            assert_eq!(seconds(text), value, "{text}");
        }
        assert_eq!(range("300/30"), Some((300, Some(30))));
        assert_eq!(range("300"), Some((300, None)));
        assert_eq!(range("300/"), None);
    }
}
