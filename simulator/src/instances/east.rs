//! The shortage of `infeasible-east`.

use super::assemble::{WATERMARK_SHARE, cents};
use instance::Instance;
use std::collections::BTreeSet;

/// Takes from the clients that see eastern sites every other site, and from those sites half of
/// their capacity.
pub(super) fn confine_the_east(instance: &mut Instance) {
    let east: BTreeSet<String> = instance
        .sites
        .iter()
        .filter(|site| site.region == "east")
        .map(|site| site.id.clone())
        .collect();
    let in_east: Vec<bool> = instance
        .links
        .iter()
        .map(|link| east.contains(&link.site))
        .collect();
    for unit in &mut instance.units {
        if unit
            .cand
            .first()
            .is_some_and(|best| in_east[best.0.index()])
        {
            unit.cand.retain(|&(link, _)| in_east[link.index()]);
        }
    }
    for site in instance
        .sites
        .iter_mut()
        .filter(|site| site.region == "east")
    {
        site.capacity_mbps = cents(site.capacity_mbps * 0.5);
        site.watermark_mbps = Some(cents(site.capacity_mbps * WATERMARK_SHARE));
    }
}
