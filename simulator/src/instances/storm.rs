//! Bad quarters of an hour: what fails or is drained, one after another, in an instance that is in
//! use.

use crate::random::Random;
use instance::{Instance, Plan};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StormEvent {
    /// A site is drained: none of its links may carry anything.
    Drain {
        /// Index of the site.
        site: u32,
    },
    /// A link is lost.
    Loss {
        /// Index of the link.
        link: u32,
    },
}

/// `drains` drains and `losses` losses in mixed order, of sites and links that carry something in
/// `plan`; no row twice.
#[must_use]
pub fn storm(
    instance: &Instance,
    plan: &Plan,
    (drains, losses): (usize, usize),
    seed: u64,
) -> Vec<StormEvent> {
    let mut load_mbps = vec![0.0; instance.links.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            load_mbps[link.index()] += unit.mbps * share;
        }
    }
    let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut links: Vec<u32> = (0..load_mbps.len())
        .filter(|&l| load_mbps[l] > 0.0)
        .map(index)
        .collect();
    let carries = |site: &usize| {
        let id = &instance.sites[*site].id;
        links
            .iter()
            .any(|&link| instance.links[link as usize].site == *id)
    };
    let mut sites: Vec<u32> = (0..instance.sites.len())
        .filter(carries)
        .map(index)
        .collect();
    let mut random = Random::new(seed);
    let (mut drains, mut losses) = (drains.min(sites.len()), losses.min(links.len()));
    let mut events = Vec::with_capacity(drains + losses);
    while drains + losses > 0 {
        let left = (drains + losses) as u64;
        if random.below(left) < drains as u64 {
            drains -= 1;
            events.push(StormEvent::Drain {
                site: take(&mut sites, &mut random),
            });
        } else {
            losses -= 1;
            events.push(StormEvent::Loss {
                link: take(&mut links, &mut random),
            });
        }
    }
    events
}

/// Takes the capacity of what `event` hits. Candidates stay as they are.
pub fn apply(instance: &mut Instance, event: StormEvent) {
    match event {
        StormEvent::Drain { site } => {
            let site = &mut instance.sites[site as usize];
            site.capacity_mbps = 0.0;
            site.watermark_mbps = None;
        }
        StormEvent::Loss { link } => {
            let link = &mut instance.links[link as usize];
            link.capacity_mbps = 0.0;
            link.watermark_mbps = None;
        }
    }
}

/// Removes a random entry; the list is not empty.
fn take(list: &mut Vec<u32>, random: &mut Random) -> u32 {
    let at = random.below(list.len() as u64);
    list.swap_remove(usize::try_from(at).unwrap_or(0))
}
