//! Share of the world's demand that each area has.
//!
//! Abroad an area counts by its addresses. In China addresses mislead: the coast and the oldest ISP
//! hold most of them, so there an area counts by the people of its province times the market share
//! of its ISP; addresses only divide what several areas of one province and ISP share.

use coverage::area::Area;
use std::collections::BTreeMap;

/// Residents by province in millions, China's census of 2020, by GB/T 2260 code.
const MILLIONS: [(&str, f64); 34] = [
    ("11", 21.9),
    ("12", 13.9),
    ("13", 74.6),
    ("14", 34.9),
    ("15", 24.0),
    ("21", 42.6),
    ("22", 24.1),
    ("23", 31.9),
    ("31", 24.9),
    ("32", 84.7),
    ("33", 64.6),
    ("34", 61.0),
    ("35", 41.5),
    ("36", 45.2),
    ("37", 101.5),
    ("41", 99.4),
    ("42", 57.8),
    ("43", 66.4),
    ("44", 126.0),
    ("45", 50.1),
    ("46", 10.1),
    ("50", 32.1),
    ("51", 83.7),
    ("52", 38.6),
    ("53", 47.2),
    ("54", 3.6),
    ("61", 39.5),
    ("62", 25.0),
    ("63", 5.9),
    ("64", 7.2),
    ("65", 25.9),
    ("71", 23.6),
    ("81", 7.5),
    ("82", 0.7),
];
/// Weight of a Chinese area without a known province, in millions.
const MILLIONS_UNKNOWN: f64 = 2.0;
/// Market shares of the three large ISPs, fixed and mobile together, rounded.
const ISP_SHARES: [(&str, f64); 3] = [("ct", 0.33), ("cm", 0.43), ("cu", 0.20)];
/// Any other ISP.
const ISP_SHARE_OTHER: f64 = 0.01;

/// Share of the demand of each area, by area id; they sum to 1, or are all 0 when nothing has
/// addresses. Area 0 (nothing known) has none. Where the table has areas of `home`, these together
/// have `home_share` of it.
#[must_use]
pub(crate) fn area_shares(areas: &[Area], home: &str, home_share: f64) -> Vec<f64> {
    let siblings = addresses_by_province_and_isp(areas);
    let weight = |(index, area): (usize, &Area)| {
        if index == 0 {
            0.0
        } else {
            weight(area, &siblings)
        }
    };
    let mut shares: Vec<f64> = areas.iter().enumerate().map(weight).collect();
    let is_home = |index: usize| areas[index].attrs.country == home;
    let sum = |at_home: bool, shares: &[f64]| -> f64 {
        (0..shares.len())
            .filter(|index| is_home(*index) == at_home)
            .map(|index| shares[index])
            .sum()
    };
    let (at_home, abroad) = (sum(true, &shares), sum(false, &shares));
    let home_part = match (at_home > 0.0, abroad > 0.0) {
        (true, true) => home_share.clamp(0.0, 1.0),
        (true, false) => 1.0,
        (false, _) => 0.0,
    };
    for (index, share) in shares.iter_mut().enumerate() {
        let (part, total) = if is_home(index) {
            (home_part, at_home)
        } else {
            (1.0 - home_part, abroad)
        };
        *share = if total > 0.0 {
            *share * part / total
        } else {
            0.0
        };
    }
    shares
}

fn addresses_by_province_and_isp(areas: &[Area]) -> BTreeMap<(&str, &str), f64> {
    let mut sums = BTreeMap::new();
    for area in areas.iter().filter(|area| area.attrs.country == "cn") {
        *sums
            .entry((area.attrs.province.as_str(), area.attrs.isp.as_str()))
            .or_insert(0.0) += addresses(area);
    }
    sums
}

fn weight(area: &Area, siblings: &BTreeMap<(&str, &str), f64>) -> f64 {
    let attrs = &area.attrs;
    if attrs.country != "cn" {
        return addresses(area);
    }
    let all = siblings
        .get(&(attrs.province.as_str(), attrs.isp.as_str()))
        .copied()
        .unwrap_or(0.0);
    let part = if all > 0.0 {
        addresses(area) / all
    } else {
        0.0
    };
    let millions = look_up(&MILLIONS, &attrs.province, MILLIONS_UNKNOWN);
    millions * look_up(&ISP_SHARES, &attrs.isp, ISP_SHARE_OTHER) * part
}

fn look_up(table: &[(&str, f64)], key: &str, default: f64) -> f64 {
    table
        .iter()
        .find(|(name, _)| *name == key)
        .map_or(default, |(_, value)| *value)
}

#[expect(clippy::cast_precision_loss, reason = "at most 2^32 addresses")]
fn addresses(area: &Area) -> f64 {
    area.ipv4_addresses as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use coverage::area::AreaAttrs;
    use proptest::prelude::*;

    fn area(country: &str, province: &str, isp: &str, ipv4_addresses: u64) -> Area {
        let attrs = AreaAttrs {
            country: country.into(),
            province: province.into(),
            isp: isp.into(),
            ..AreaAttrs::default()
        };
        Area {
            name: attrs.name(),
            attrs,
            ipv4_addresses,
            ipv6_subnets_48: 0,
        }
    }

    #[test]
    fn people_count_at_home_and_addresses_abroad() {
        let areas = [
            area("", "", "", 1 << 31),
            area("cn", "11", "ct", 90_000),
            area("cn", "44", "ct", 10_000),
            area("de", "", "", 3_000),
            area("fr", "", "", 1_000),
        ];
        let shares = area_shares(&areas, "cn", 0.8);
        assert!(shares[0].abs() < 1e-12);
        assert!((shares[2] / shares[1] - 126.0 / 21.9).abs() < 1e-9);
        assert!((shares[1] + shares[2] - 0.8).abs() < 1e-9);
        assert!((shares[3] / shares[4] - 3.0).abs() < 1e-9);
    }

    #[test]
    fn areas_of_one_province_and_isp_divide_by_addresses() {
        let mut first = area("cn", "44", "ct", 3_000);
        first.attrs.city = "Guangzhou".into();
        let areas = [area("", "", "", 1), first, area("cn", "44", "ct", 1_000)];
        let shares = area_shares(&areas, "cn", 0.8);
        assert!((shares[1] - 0.75).abs() < 1e-9 && (shares[2] - 0.25).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn shares_sum_to_one(sizes in proptest::collection::vec((0_u64..1 << 32, 0..4_usize), 1..40), home_share in 0.0..1.0_f64) {
            let countries = ["cn", "de", "us", "jp"];
            let mut areas = vec![area("", "", "", 7)];
            areas.extend(sizes.iter().map(|(size, country)| area(countries[*country], "44", "ct", *size)));
            let shares = area_shares(&areas, "cn", home_share);
            let total: f64 = shares.iter().sum();
            prop_assert!(shares.iter().all(|share| *share >= 0.0));
            // With home_share 0 or nothing at home the other side takes it all.
            let any = sizes.iter().any(|(size, _)| *size > 0);
            prop_assert!((total - f64::from(u8::from(any))).abs() < 1e-9, "{total}");
        }
    }
}
