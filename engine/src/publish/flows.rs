//! Flows: what a change of plans takes from which site to which.

use optimizer::Problem;

use coverage::LinkId;
use instance::{Plan, Shares};
use std::collections::BTreeMap;

/// (from site, to site) -> Mbps. What changes its link within a site goes from there to there.
pub(super) type Flows = BTreeMap<(usize, usize), f64>;

/// The flows of a change. What has no place in one of the plans flows nowhere.
pub(super) fn between(problem: &Problem<'_>, before: &Plan, after: &Plan) -> Flows {
    let mut flows = Flows::new();
    let pairs = before.shares.iter().zip(&after.shares);
    let units = problem.instance.units.iter().zip(pairs);
    for (unit, (now, then)) in units.filter(|(_, (now, then))| now != then) {
        for (from, to, share) in ways(now, then) {
            let site = |link: LinkId| problem.find(link).map(|place| place.site.index());
            if let (Some(from), Some(to)) = (site(from), site(to)) {
                *flows.entry((from, to)).or_default() += share * unit.mbps;
            }
        }
    }
    flows
}

/// Flows of `moved` beyond those of `known`, Mbps.
pub(super) fn beyond(moved: &Flows, known: &Flows) -> f64 {
    let known = |way| known.get(way).copied().unwrap_or_default();
    let beyond = moved.iter().map(|(way, mbps)| (mbps - known(way)).max(0.0));
    beyond.sum()
}

/// Ways of shares from `now` to `then`: (from link, to link, share). The first that
/// loses goes to the first that gains, as it does when a unit goes in slices.
fn ways(now: &Shares, then: &Shares) -> Vec<(LinkId, LinkId, f64)> {
    let more = |shares: &Shares, others: &Shares| {
        let rest = |&(link, share): &(LinkId, f64)| (link, share - others.on(link));
        let rest = shares.iter().map(rest).filter(|rest| rest.1 > 0.0);
        rest.collect::<Vec<_>>()
    };
    let (mut lost, mut gained) = (more(now, then), more(then, now));
    let mut ways = Vec::new();
    let (mut from, mut to) = (0, 0);
    while let (Some(lost), Some(gained)) = (lost.get_mut(from), gained.get_mut(to)) {
        let share = lost.1.min(gained.1);
        ways.push((lost.0, gained.0, share));
        lost.1 -= share;
        gained.1 -= share;
        from += usize::from(lost.1 <= 0.0);
        to += usize::from(gained.1 <= 0.0);
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_go_from_the_first_that_loses_to_the_first_that_gains() {
        let now = Shares::from([(0, 0.5), (1, 0.25), (2, 0.25)]);
        let then = Shares::from([(1, 0.25), (3, 0.25), (4, 0.5)]);
        let expected = [(0, 3, 0.25), (0, 4, 0.25), (2, 4, 0.25)]
            .map(|(from, to, share)| (LinkId(from), LinkId(to), share));
        assert_eq!(ways(&now, &then), expected);
        assert!(ways(&now, &now).is_empty());
        assert!(ways(&Shares::new(), &then).is_empty() && ways(&now, &Shares::new()).is_empty());
    }

    #[test]
    fn only_what_is_more_than_was_known_is_beyond_it() {
        let known = Flows::from([((0, 1), 10.0), ((1, 2), 5.0)]);
        let moved = Flows::from([((0, 1), 12.0), ((1, 2), 1.0), ((2, 0), 3.0)]);
        assert!((beyond(&moved, &known) - 5.0).abs() < 1e-12);
        assert!(beyond(&known, &known) <= 0.0);
    }
}
