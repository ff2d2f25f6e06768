//! Check that answers keep what the plan behind them promised: the last look at a map before it
//! leaves.
//!
//! A map has whole 64ths, has an answer for all areas, and may be one step of several. So it cannot
//! be the checked plan to the last Mbps, but a row may be beyond its hard limit by so much alone:
//!
//! - as far as the map in force is: its traffic leaves step by step;
//! - by the units that lost their place: they go where the checked plan has them, whatever traffic
//!   is still there;
//! - by demand that has no place in the plan: it is answered somewhere all the same;
//! - by rounding, which moves less than one 64th of a unit for each link of the checked plan, once
//!   more for each endpoint that its answer names, and nothing of a unit that is not split.
//!
//! More than that has no reason, and the map is refused.

use crate::failure::CheckFailure;
use crate::loads::Loads;
use crate::shares::{add_loads, check_length, check_shares};
use crate::tolerances::{CLAIM_TOLERANCE, SHARE_TOLERANCE};
use coverage::LinkId;
use instance::{Instance, Plan, Shares, Unit};

/// Steps of a whole unit in weight rounding.
const STEPS: f64 = 64.0;

/// Answers, and what they were made from; all plans are of the same instance.
#[derive(Clone, Copy)]
pub struct Answers<'a> {
    /// The plan that they amount to.
    pub plan: &'a Plan,
    /// Number of endpoints that the answer of a unit names, by its index.
    pub named: &'a dyn Fn(usize) -> usize,
    /// The plan that was to become answers.
    pub wanted: &'a Plan,
    /// The plan that this is a step towards, found within all hard limits.
    pub checked: &'a Plan,
    /// The plan that the map in force amounts to, if there is one.
    pub in_force: Option<&'a Plan>,
}

/// Checks that answers serve all that was wanted of every unit, through its candidates alone, and
/// exceed no hard limit by more than they must.
///
/// ```
/// use checker::{Answers, answers};
/// use coverage::LinkId;
/// use instance::{Plan, Shares};
///
/// # use instance::Instance;
/// # let text = r#"{"version": 1, "value_cny_per_gbps_ms_slot": 0.02,
/// #     "links": [{"id": "gz1/ct", "site": "gz1", "capacity_mbps": 100, "contract": "m1"}],
/// #     "sites": [{"id": "gz1", "region": "south", "capacity_mbps": 100}],
/// #     "contracts": [{"id": "m1", "model": "flat"}],
/// #     "units": [{"area": "cn/44/ct", "service": "live", "mbps": 80, "cand": [[0, 10]]}]}"#;
/// // A unit of 80 Mbps with one candidate.
/// let instance = Instance::read(text.as_bytes())?;
/// let checked = Plan {
///     shares: vec![Shares::whole(LinkId(0))],
///     input_digest: instance.digest(),
/// };
/// let of = |plan| Answers {
///     plan,
///     named: &|_unit| 1,
///     wanted: &checked,
///     checked: &checked,
///     in_force: None,
/// };
/// answers(&instance, &of(&checked))?;
///
/// let silent = Plan {
///     shares: vec![Shares::new()],
///     ..checked.clone()
/// };
/// let refused = answers(&instance, &of(&silent)).unwrap_err();
/// assert!(refused.to_string().contains("answers serve 0 of it where 1 was wanted"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`CheckFailure::Length`], [`CheckFailure::Share`] or [`CheckFailure::Capacity`].
pub fn answers(instance: &Instance, answers: &Answers<'_>) -> Result<(), CheckFailure> {
    for plan in [answers.plan, answers.wanted, answers.checked] {
        check_length(instance, plan)?;
    }
    let none = vec![0.0; instance.links.len()];
    let mut sums = Sums {
        open: open_links(instance),
        now_mbps: none.clone(),
        before_mbps: none.clone(),
        beyond_mbps: none,
    };
    for (index, unit) in instance.units.iter().enumerate() {
        check_shares(index, unit, &answers.plan.shares[index])?;
        check_served(index, answers)?;
        sums.add(index, unit, answers)?;
    }
    let of = |links_mbps: &[f64]| Loads::of(instance, links_mbps);
    let (before, beyond) = (of(&sums.before_mbps), of(&sums.beyond_mbps));
    of(&sums.now_mbps).check_at_most(instance, |kind, id, hard| {
        // The same shares were added up in another order elsewhere.
        let most = hard.max(before.on(kind, id)) + beyond.on(kind, id);
        most * (1.0 + CLAIM_TOLERANCE)
    })
}

/// Checks that the answer of a unit serves as much of it as was wanted.
fn check_served(index: usize, answers: &Answers<'_>) -> Result<(), CheckFailure> {
    let found = placed_part(&answers.plan.shares[index]);
    let wanted = placed_part(&answers.wanted.shares[index]);
    if found >= wanted - SHARE_TOLERANCE {
        return Ok(());
    }
    Err(CheckFailure::Share {
        unit: index,
        problem: format!("answers serve {found} of it where {wanted} was wanted"),
    })
}

/// Sums over units, all of them by link.
struct Sums {
    /// True when a link can carry anything.
    open: Vec<bool>,
    /// Traffic that answers put there, Mbps.
    now_mbps: Vec<f64>,
    /// Traffic that the map in force puts there, Mbps.
    before_mbps: Vec<f64>,
    /// Distance by which answers may exceed a limit there, Mbps.
    beyond_mbps: Vec<f64>,
}

impl Sums {
    fn add(
        &mut self,
        index: usize,
        unit: &Unit,
        answers: &Answers<'_>,
    ) -> Result<(), CheckFailure> {
        let (shares, wanted) = (&answers.plan.shares[index], &answers.wanted.shares[index]);
        add_loads(index, unit, shares, &mut self.now_mbps)?;
        let rounded = rounded_part(wanted, (answers.named)(index));
        let free = rounded + 1.0 - self.settled_part(unit, wanted);
        for &(link, share) in shares {
            self.beyond_mbps[link.index()] += share.min(free) * unit.mbps;
        }
        let before = answers.in_force.and_then(|plan| plan.shares.get(index));
        let rescued = before.is_some_and(|shares| {
            for &(link, share) in shares {
                if let Some(load) = self.before_mbps.get_mut(link.index()) {
                    *load += share * unit.mbps;
                }
            }
            self.settled_part(unit, shares) < 1.0 - SHARE_TOLERANCE
        });
        let checked = &answers.checked.shares[index];
        let unplaced = (1.0 - placed_part(checked)).max(0.0);
        let free = rounded_part(checked, checked.len()) + unplaced;
        for &(link, share) in checked {
            let whole = if rescued { share } else { 0.0 };
            if let Some(beyond) = self.beyond_mbps.get_mut(link.index()) {
                *beyond += (whole + free) * unit.mbps;
            }
        }
        Ok(())
    }

    /// Returns the part of a unit that these shares put on candidates which can carry something.
    fn settled_part(&self, unit: &Unit, shares: &Shares) -> f64 {
        let stands = |link: LinkId| {
            let open = self.open.get(link.index()).copied().unwrap_or(false);
            open && unit.cand.iter().any(|c| c.0 == link)
        };
        let here = shares.iter().filter(|share| stands(share.0));
        here.map(|share| share.1).sum()
    }
}

/// The part of a unit that has a place.
fn placed_part(shares: &Shares) -> f64 {
    shares.iter().fold(0.0, |sum, share| sum + share.1)
}

/// Part of a unit that rounding may move: one with these shares, whose answer has so many parts.
#[expect(clippy::cast_precision_loss, reason = "at most 64 parts count")]
fn rounded_part(shares: &Shares, parts: usize) -> f64 {
    if shares.len() < 2 {
        return 0.0;
    }
    (parts as f64 / STEPS).min(1.0)
}

/// `[link]`: true when it can carry anything.
fn open_links(instance: &Instance) -> Vec<bool> {
    let shut = instance
        .sites
        .iter()
        .filter(|site| site.capacity_mbps <= 0.0);
    let shut: Vec<&str> = shut.map(|site| site.id.as_str()).collect();
    let open =
        |link: &instance::Link| link.capacity_mbps > 0.0 && !shut.contains(&link.site.as_str());
    instance.links.iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four units of 40 Mbps; links of 100 Mbps at two sites, of one region with 190, and one that
    /// is closed.
    fn instance() -> Instance {
        let unit = |area: &str| {
            let cand = "[[0, 10], [1, 20], [2, 5]]";
            format!(r#"{{"area": "{area}", "service": "s", "mbps": 40, "cand": {cand}}}"#)
        };
        let link = |site: &str, mbps: u32| {
            format!(
                r#"{{"id": "{site}/x", "site": "{site}", "capacity_mbps": {mbps}, "meter": "m"}}"#
            )
        };
        let site = |id: &str| format!(r#"{{"id": "{id}", "region": "r", "capacity_mbps": 100}}"#);
        let text = format!(
            r#"{{"version": 1, "value_cny_per_gbps_ms_slot": 0.02, "links": [{}, {}, {}, {}],
            "sites": [{}, {}, {}, {}], "regions": [{{"id": "r", "capacity_mbps": 190}}],
            "meters": [{{"id": "m", "model": "flat"}}], "units": [{}, {}, {}, {}]}}"#,
            link("p", 100),
            link("q", 100),
            link("gone", 0),
            link("far", 100),
            site("p"),
            site("q"),
            site("gone"),
            site("far"),
            unit("a"),
            unit("b"),
            unit("c"),
            unit("d"),
        );
        Instance::read(text.as_bytes()).unwrap()
    }

    fn shares_of(pairs: &[(u32, f64)]) -> Shares {
        let typed = pairs.iter().map(|&(link, share)| (LinkId(link), share));
        typed.collect()
    }

    fn plan(shares: [&[(u32, f64)]; 4]) -> Plan {
        Plan {
            shares: shares.map(shares_of).to_vec(),
            input_digest: String::new(),
        }
    }

    /// Checks answers of one endpoint per link that are made of a checked plan as a whole.
    fn whole(answered: &Plan, checked: &Plan, in_force: Option<&Plan>) -> Result<(), String> {
        let of = Answers {
            plan: answered,
            named: &|unit| answered.shares[unit].len(),
            wanted: checked,
            checked,
            in_force,
        };
        answers(&instance(), &of).map_err(|failure| failure.to_string())
    }

    const P: &[(u32, f64)] = &[(0, 1.0)];
    const Q: &[(u32, f64)] = &[(1, 1.0)];
    const GONE: &[(u32, f64)] = &[(2, 1.0)];
    const FAR: &[(u32, f64)] = &[(3, 1.0)];
    const NOWHERE: &[(u32, f64)] = &[];

    #[test]
    fn what_rounding_moves_is_accepted_and_more_is_not() {
        let exact = plan([P, P, &[(0, 0.49), (1, 0.51)], Q]);
        let split = |steps: u8| {
            let first = f64::from(steps) / 64.0;
            plan([P, P, &[(0, first), (1, 1.0 - first)], Q])
        };
        // The first link has room for half of the third unit, of which a 64th is 0.6 Mbps: two for
        // the links of the plan, two for the endpoints of the answer.
        assert_eq!(whole(&split(31), &exact, None), Ok(()));
        assert_eq!(whole(&split(33), &exact, None), Ok(()));
        let refused = whole(&split(37), &exact, None).unwrap_err();
        assert!(
            refused.starts_with("link p/x carries 103.125 mbps, its capacity is 100"),
            "{refused}"
        );
        // Nothing of it may be rounded where the plan does not split.
        let whole_units = plan([P, P, Q, Q]);
        assert!(whole(&split(33), &whole_units, None).is_err());
    }

    #[test]
    fn each_hard_limit_counts() {
        let checked = plan([P, P, Q, Q]);
        let mut wide = instance();
        let of_wide = |wide: &Instance, answered: &Plan| {
            let of = Answers {
                plan: answered,
                named: &|_| 1,
                wanted: &checked,
                checked: &checked,
                in_force: None,
            };
            answers(wide, &of).map_err(|failure| failure.to_string())
        };
        let piled = plan([P, P, P, Q]);
        wide.links[0].capacity_mbps = 200.0;
        let refused = of_wide(&wide, &piled).unwrap_err();
        assert!(refused.starts_with("site p carries 120"), "{refused}");
        wide.sites[0].capacity_mbps = 200.0;
        assert_eq!(of_wide(&wide, &piled), Ok(()));
        wide.regions[0].capacity_mbps = 150.0;
        let refused = of_wide(&wide, &piled).unwrap_err();
        assert!(refused.starts_with("region r carries 160"), "{refused}");
    }

    #[test]
    fn a_unit_is_served_by_candidates_and_as_far_as_was_wanted() {
        let checked = plan([P, P, Q, Q]);
        let stranger = whole(&plan([P, P, Q, FAR]), &checked, None).unwrap_err();
        assert!(
            stranger.contains("unit 3: link 3 is no candidate"),
            "{stranger}"
        );
        let half = whole(&plan([P, P, Q, &[(1, 0.5)]]), &checked, None).unwrap_err();
        assert!(
            half.starts_with("unit 3: answers serve 0.5 of it"),
            "{half}"
        );
        let short = Plan {
            shares: vec![shares_of(P)],
            input_digest: String::new(),
        };
        assert!(whole(&checked, &checked, Some(&short)).is_ok());
        assert!(whole(&short, &checked, None).is_err());
    }

    #[test]
    fn what_has_no_place_in_the_plan_may_be_answered_beyond_a_limit() {
        let answered = plan([P, P, P, Q]);
        assert_eq!(whole(&answered, &plan([P, P, NOWHERE, Q]), None), Ok(()));
        assert_eq!(
            whole(&answered, &plan([P, P, &[(0, 0.5)], Q]), None),
            Ok(())
        );
        assert!(whole(&answered, &plan([P, P, Q, Q]), None).is_err());
    }

    #[test]
    fn a_unit_that_lost_its_place_goes_where_others_have_not_left_yet_and_no_other_does() {
        let checked = plan([Q, P, P, Q]);
        let still = plan([P, P, GONE, Q]);
        let step = Answers {
            plan: &plan([P, P, P, Q]),
            named: &|_| 1,
            wanted: &plan([P, P, P, Q]),
            checked: &checked,
            in_force: Some(&still),
        };
        assert_eq!(answers(&instance(), &step), Ok(()));
        let moved = plan([P, P, Q, Q]);
        let in_force = Some(&moved);
        let refused = answers(&instance(), &Answers { in_force, ..step });
        assert!(
            matches!(refused, Err(CheckFailure::Capacity { .. })),
            "{refused:?}"
        );
        // A place where the checked plan does not have it is none for it either.
        let elsewhere = plan([Q, P, Q, P]);
        let checked = &elsewhere;
        assert!(answers(&instance(), &Answers { checked, ..step }).is_err());
    }

    #[test]
    fn a_link_that_is_too_full_already_may_stay_so_and_not_fill_further() {
        let too_full = plan([P, P, P, Q]);
        let checked = plan([P, P, Q, Q]);
        let stays = Answers {
            plan: &too_full,
            named: &|_| 1,
            wanted: &too_full,
            checked: &checked,
            in_force: Some(&too_full),
        };
        assert_eq!(answers(&instance(), &stays), Ok(()));
        let fuller = plan([P, P, P, P]);
        let fuller = Answers {
            plan: &fuller,
            wanted: &fuller,
            ..stays
        };
        assert!(answers(&instance(), &fuller).is_err());
    }
}
