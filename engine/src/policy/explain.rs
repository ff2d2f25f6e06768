//! Reasons why a static service answers as it does.

use super::pool::choose;
use super::{CheckStates, Policies, PolicyAreas, Pool, PoolKind, Steering};
use coverage::AreaId;
use serde::Serialize;

/// The story of one answer that follows a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyStory {
    /// The policy; empty where a service lists its pools itself.
    pub policy: String,
    /// True when a rule pins the first label whatever its state.
    pub pinned: bool,
    /// Pools in the order in which this area prefers them.
    pub pools: Vec<PoolStory>,
}

/// A pool and its fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolStory {
    /// Label of the policy; empty without one.
    pub label: String,
    /// The pool.
    pub pool: String,
    /// True when it may answer.
    pub up: bool,
    /// Source of that: forced by configuration, or the checks.
    pub because: String,
    /// Chosen, or the reason why it lost.
    pub verdict: String,
}

impl Policies {
    /// Explains why a service answers as it does in an area, where the pool `answering` is what the
    /// map names; `None` when the service is none of these.
    #[must_use]
    pub fn explain(
        &self,
        areas: &PolicyAreas,
        states: &CheckStates,
        service: &str,
        area: AreaId,
        answering: &str,
    ) -> Option<PolicyStory> {
        let service = self
            .services
            .iter()
            .find(|known| known.served.name == service)?;
        let mut story = PolicyStory {
            policy: String::new(),
            pinned: false,
            pools: Vec::new(),
        };
        match &service.steering {
            Steering::Pools(pools) => {
                let pools = pools
                    .iter()
                    .map(|pool| self.pool_story(*pool, "", None, states));
                story.pools.extend(pools);
            }
            Steering::Policy {
                policy,
                pools,
                states: forced,
            } => {
                let preference = areas.preference(area, *policy);
                story.policy.clone_from(&self.policies[*policy].name);
                story.pinned = preference.pinned;
                for label in preference.labels.iter().map(|label| usize::from(*label)) {
                    let name = &self.policies[*policy].labels[label];
                    let pools = pools[label].iter();
                    story.pools.extend(
                        pools.map(|pool| self.pool_story(*pool, name, forced[label], states)),
                    );
                }
            }
        }
        judge(&mut story, answering);
        Some(story)
    }

    fn pool_story(
        &self,
        pool: usize,
        label: &str,
        forced: Option<bool>,
        states: &CheckStates,
    ) -> PoolStory {
        let Pool {
            name,
            checks,
            forced: pool_forced,
            kind,
        } = &self.pools[pool];
        let (up, because) = match (forced, pool_forced, kind) {
            (Some(up), ..) => (up, "the label's state is set by configuration"),
            (None, Some(up), _) => (*up, "the pool's state is set by configuration"),
            (None, None, PoolKind::Alias(_)) => (true, "a name is not checked"),
            (None, None, PoolKind::Addresses { ipv4, ipv6 }) => {
                let v4 = choose(ipv4.as_ref(), checks, states).up;
                let v6 = choose(ipv6.as_ref(), checks, states).up;
                let because = match (v4, v6) {
                    (true, true) => "enough of its addresses are up",
                    (false, true) => "too few of its IPv4 addresses are up",
                    (true, false) => "too few of its IPv6 addresses are up",
                    (false, false) => "too few of its addresses are up",
                };
                (v4 && v6, because)
            }
        };
        PoolStory {
            label: label.to_owned(),
            pool: name.clone(),
            up,
            because: because.to_owned(),
            verdict: String::new(),
        }
    }
}

/// Says of each pool why it was chosen or not. `answering` is the group that the map names.
fn judge(story: &mut PolicyStory, answering: &str) {
    let any_up = story.pools.iter().any(|pool| pool.up);
    let chosen = story.pools.iter().position(|pool| pool.pool == answering);
    for (at, pool) in story.pools.iter_mut().enumerate() {
        let verdict = match chosen {
            Some(chosen) if at == chosen && story.pinned => "chosen: pinned here",
            Some(chosen) if at == chosen && !any_up => "chosen: nothing is up",
            Some(chosen) if at == chosen => "chosen: the first that is up",
            Some(chosen) if at < chosen && !pool.up => "down",
            Some(_) => "preferred less here",
            None => "not in this map yet",
        };
        verdict.clone_into(&mut pool.verdict);
    }
}
