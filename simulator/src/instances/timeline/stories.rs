//! Course of each story, step by step.

use super::Story;
use super::player::Player;
use crate::random::Random;
use std::time::Duration;

/// Steps until traffic has settled on the first map.
const SETTLE_STEPS: usize = 18;
/// Steps of a quarter of an hour.
const STORY_STEPS: usize = 90;
/// Steps between two changes of a flapping site.
const FLAP_STEPS: usize = 3;
/// Above this part of its region's capacity, a site that looks down is not believed to be.
const BELIEVED_SHARE: f64 = 0.25;
/// Drains of the storm, beside lost links.
const DRAINS: usize = 10;
const LOSSES: usize = 3;

/// Plays `story`.
pub(super) fn tell(story: Story, player: &mut Player, seed: u64) {
    player.wait(SETTLE_STEPS);
    match story {
        Story::DrainStorm => drain_storm(player, seed),
        Story::Flap => flap(player),
        Story::Stale => stale(player, seed),
    }
}

/// Every 70 s another thing: a site, group or link is drained with a ramp of a minute, or a link is
/// lost and the monitor takes it out at once.
fn drain_storm(player: &mut Player, seed: u64) {
    let mut random = Random::new(seed ^ 8);
    let (mut drains, mut losses) = (DRAINS, LOSSES);
    let gap = STORY_STEPS / (DRAINS + LOSSES);
    for step in 0..STORY_STEPS {
        if step % gap == 0 && drains + losses > 0 {
            let (links, sites) = player.loaded();
            if random.below((drains + losses) as u64) < losses as u64 {
                losses -= 1;
                if let Some(link) = pick(&links, &mut random) {
                    let name = player.cdn.inventory.links[link].name.clone();
                    player.drain(&format!("link:{name}"), "monitor", Duration::ZERO, true);
                }
            } else {
                drains -= 1;
                let target = match (
                    drains % 3,
                    pick(&links, &mut random),
                    pick(&sites, &mut random),
                ) {
                    (0, Some(link), _) => format!("link:{}", player.cdn.inventory.links[link].name),
                    (1, _, Some(site)) => {
                        format!("group:{}-a", player.cdn.inventory.sites[site].name)
                    }
                    (_, _, Some(site)) => format!("site:{}", player.cdn.inventory.sites[site].name),
                    _ => continue,
                };
                player.drain(&target, "rollout", Duration::from_mins(1), false);
            }
        }
        player.step();
    }
}

/// The site that carries most, of those that are small enough in their region for reports about
/// them to be believed, changes between well and unwell.
fn flap(player: &mut Player) {
    let believed = |site: &usize| player.part_of_region(*site) < BELIEVED_SHARE;
    let busiest = player.loaded().1.into_iter().filter(believed);
    let busiest = busiest.max_by(|&a, &b| player.site_mbps(a).total_cmp(&player.site_mbps(b)));
    let Some(site) = busiest else { return };
    player.flapping = Some(site);
    for step in 0..STORY_STEPS {
        if step % FLAP_STEPS == 0 && !player.unwell.remove(&site) {
            player.unwell.insert(site);
        }
        player.step();
    }
}

/// Half of the sites fall silent. All others are measured a little worse at each step, and demand
/// rises by a tenth: by what is known, the silent ones are where one would like to be.
fn stale(player: &mut Player, seed: u64) {
    let mut random = Random::new(seed ^ 16);
    let mut sites: Vec<usize> = (0..player.cdn.inventory.sites.len()).collect();
    while sites.len() > player.cdn.inventory.sites.len() / 2 {
        if let Some(site) = pick(&sites, &mut random) {
            sites.retain(|other| *other != site);
            player.frozen.insert(site, player.now);
        }
    }
    for step in 0..STORY_STEPS {
        let done = f64::from(u32::try_from(step).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(STORY_STEPS).unwrap_or(u32::MAX));
        player.worse = 1.0 + done;
        player.busier = 0.1f64.mul_add(done, 1.0);
        player.step();
    }
}

/// One of `list`.
fn pick(list: &[usize], random: &mut Random) -> Option<usize> {
    let at = random.below(list.len().max(1) as u64);
    list.get(usize::try_from(at).unwrap_or(0)).copied()
}
