//! Judgement of plans: traffic without room, sites that swing.

use instance::Instance;
use std::collections::BTreeMap;

/// Traffic above what links and sites can carry, Mbps; the larger of both counts.
pub(super) fn excess(instance: &Instance, planned: &[f64]) -> f64 {
    let links = instance.links.iter().zip(planned);
    let over_links: f64 = links
        .map(|(link, mbps)| (mbps - link.capacity_mbps).max(0.0))
        .sum();
    let mut sites: BTreeMap<&str, f64> = BTreeMap::new();
    for (link, mbps) in instance.links.iter().zip(planned) {
        *sites.entry(&link.site).or_default() += mbps.min(link.capacity_mbps);
    }
    let over = |site: &instance::Site| {
        let mbps = sites.get(site.id.as_str()).copied().unwrap_or(0.0);
        (mbps - site.capacity_mbps).max(0.0)
    };
    over_links + instance.sites.iter().map(over).sum::<f64>()
}

/// Tells whether a row rose and fell by more than a tenth of its largest value, each at least
/// twice.
pub(super) fn oscillates(row: &[f64]) -> bool {
    let largest = row.iter().copied().fold(0.0, f64::max);
    let (mut rises, mut falls) = (0, 0);
    let mut turn = row.first().copied().unwrap_or(0.0);
    let mut rising: Option<bool> = None;
    for &value in row {
        let up = value > turn;
        if rising == Some(up) {
            turn = value;
        } else if (value - turn).abs() > 0.1 * largest {
            (rises, falls) = if up {
                (rises + 1, falls)
            } else {
                (rises, falls + 1)
            };
            (rising, turn) = (Some(up), value);
        }
    }
    rises >= 2 && falls >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_rises_and_falls_twice_by_more_than_a_tenth_swings() {
        assert!(oscillates(&[100.0, 50.0, 100.0, 50.0, 100.0]));
        assert!(!oscillates(&[100.0, 50.0, 100.0, 100.0, 98.0, 100.0, 97.0]));
        assert!(!oscillates(&[10.0, 20.0, 30.0, 60.0, 100.0]));
        assert!(!oscillates(&[]));
    }
}
