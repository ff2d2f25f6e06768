//! ip2region `.db` files: Chinese provinces and ISPs by IPv4 range.
//!
//! Bytes 0..8 hold the offsets of the first and the last index row (u32 LE). A row is 12 bytes:
//! first address, last address, and a pointer whose upper 8 bits are the length and lower 24 bits
//! the offset of a record. A record is a 4-byte city number and the text
//! `country|area|province|city|ISP`, `0` for what is unknown.

use crate::places::Places;
use crate::source::{Reach, Source, SourceBuilder, SourceError, name_part};
use coverage::area::AreaAttrs;
use std::net::Ipv4Addr;

/// Bytes of one index row.
const ROW_BYTES: usize = 12;

/// Reads the file. Only Chinese rows say more than a country; others are left to better sources. As
/// published files are years old, the source counts only where nothing below it found another
/// country.
///
/// # Errors
/// [`SourceError`] when the index lies outside the file, or no row could be used.
pub fn read_ip2region(bytes: &[u8], places: &Places) -> Result<Source, SourceError> {
    let malformed = |why: &str| SourceError::Format {
        format: "an ip2region .db file",
        why: why.to_owned(),
    };
    let first = number(bytes, 0).ok_or_else(|| malformed("too short"))?;
    let last = number(bytes, 4).ok_or_else(|| malformed("too short"))?;
    let rows = bytes
        .get(first..last.saturating_add(ROW_BYTES))
        .filter(|rows| rows.len().is_multiple_of(ROW_BYTES))
        .ok_or_else(|| malformed("the index lies outside the file"))?;
    let mut source = SourceBuilder::default();
    for (index, row) in rows.chunks_exact(ROW_BYTES).enumerate() {
        let at = first + index * ROW_BYTES;
        match record(bytes, row) {
            Some((start, end, text)) => {
                if let Some(attrs) = attributes(text, places) {
                    source.take(
                        at,
                        Ipv4Addr::from(start).into(),
                        Ipv4Addr::from(end).into(),
                        &attrs,
                    );
                }
            }
            None => source.refuse(at, "the row points outside the file or at no text"),
        }
    }
    Ok(source.finish()?.reaching(Reach::SameCountryOrNone))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes) as usize)
}

/// First and last address and the text of a row.
fn record<'a>(bytes: &'a [u8], row: &[u8]) -> Option<(u32, u32, &'a str)> {
    let field = |at| number(row, at).and_then(|value| u32::try_from(value).ok());
    let pointer = number(row, 8)?;
    let (offset, length) = (pointer & 0x00ff_ffff, pointer >> 24);
    let text = bytes.get(offset..offset + length)?.get(4..)?;
    Some((field(0)?, field(4)?, std::str::from_utf8(text).ok()?))
}

/// Returns what a Chinese record says; `None` elsewhere. Taiwan, Hong Kong and Macau have country
/// codes of their own (ISO 3166).
fn attributes(text: &str, places: &Places) -> Option<AreaAttrs> {
    let mut fields = text.split('|');
    let (country, _area, province, city, isp) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let own_code = match (country, province) {
        ("中国", "台湾省") => "tw",
        ("中国", "香港") => "hk",
        ("中国", "澳门") => "mo",
        ("中国", _) => "",
        _ => return None,
    };
    if !own_code.is_empty() {
        return Some(AreaAttrs {
            country: own_code.to_owned(),
            ..AreaAttrs::default()
        });
    }
    let province = places.province_code(province).unwrap_or_default();
    let city = if city == "0" { "" } else { city };
    Some(AreaAttrs {
        country: "cn".to_owned(),
        province: province.to_owned(),
        city: name_part(city),
        isp: isp_code(isp).to_owned(),
        ..AreaAttrs::default()
    })
}

/// The short name of an access ISP. Tietong was merged into China Mobile in 2015.
fn isp_code(name: &str) -> &'static str {
    match name {
        "电信" => "ct",
        "联通" | "网通" => "cu",
        "移动" | "铁通" => "cm",
        "教育网" => "edu",
        "科技网" => "cst",
        "鹏博士" | "长城" => "drp",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, start: u32, end: u32) -> Vec<u8> {
        let record = [&7_u32.to_le_bytes(), text.as_bytes()].concat();
        let index = 8 + record.len();
        let pointer = u32::try_from(record.len() << 24 | 8).unwrap();
        let mut bytes = Vec::new();
        for number in [u32::try_from(index).unwrap(); 2] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(record);
        for number in [start, end, pointer] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_province_and_an_isp_are_read() {
        let places = Places::shipped();
        let bytes = file("中国|0|广东省|深圳市|电信", 0x0102_0300, 0x0102_03ff);
        let source = read_ip2region(&bytes, &places).unwrap();
        let found = source.table.lookup("1.2.3.4".parse().unwrap());
        let attrs = &source.table.area(found.area).attrs;
        assert_eq!(
            (
                attrs.province.as_str(),
                attrs.isp.as_str(),
                attrs.city.as_str()
            ),
            ("44", "ct", "深圳市")
        );
    }

    #[test]
    fn places_with_codes_of_their_own_are_countries() {
        for (text, name) in [
            ("中国|0|台湾省|台北市|中华电信", "tw"),
            ("中国|0|香港|0|电讯盈科", "hk"),
            ("中国|0|澳门|0|澳门电讯", "mo"),
            ("中国|0|内蒙古|0|联通", "cn/15/cu"),
            ("中国|0|0|0|阿里云", "cn"),
        ] {
            let attrs = attributes(text, &Places::shipped()).unwrap();
            assert_eq!(attrs.name(), name, "{text}");
        }
        assert_eq!(attributes("美国|0|0|0|Level3", &Places::shipped()), None);
        assert_eq!(attributes("中国|0", &Places::shipped()), None);
    }

    #[test]
    fn every_truncation_is_an_error_and_none_panics() {
        let places = Places::shipped();
        let bytes = file("中国|0|广东省|深圳市|电信", 1, 2);
        for length in 0..bytes.len() {
            assert!(
                read_ip2region(&bytes[..length], &places).is_err(),
                "{length}"
            );
        }
    }
}
