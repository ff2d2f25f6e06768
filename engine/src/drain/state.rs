//! One drain: its state, its lease, and the share of traffic that it leaves to its target at a
//! given time.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use coverage::{MapVersion, Timestamp};
use serde::{Deserialize, Serialize};

use super::rules::Rules;
use super::target::Target;
use super::world::Bottleneck;

/// Stage that a drain is in.
///
/// ```text
/// requested --> refused
///     `-------> queued --> shifting --> drained --> refilling --> serving
///                 |           |            |           ^
///                 `-----------+------------+-----------'
///                     lease expired, or cancelled
/// ```
/// A drain that is ended in the queue has taken nothing away: it passes through `refilling` in no
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Asked for, not judged yet.
    Requested,
    /// Turned down; the end.
    Refused,
    /// Will start when other drains have ended.
    Queued,
    /// The target's share is falling, or what was sent to it has not left yet.
    Shifting,
    /// Measured to be empty: whoever asked may go ahead.
    Drained,
    /// Ended; the target gets its capacity back step by step.
    Refilling,
    /// The target has all of its capacity back; the end.
    Serving,
}

impl State {
    /// Tells whether the target lacks capacity because of this drain.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Shifting | Self::Drained | Self::Refilling)
    }

    /// Tells whether nothing will change any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Refused | Self::Serving)
    }

    /// Tells whether the lease still counts.
    #[must_use]
    pub const fn is_leased(self) -> bool {
        matches!(self, Self::Queued | Self::Shifting | Self::Drained)
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Requested => "requested",
            Self::Refused => "refused",
            Self::Queued => "queued",
            Self::Shifting => "shifting",
            Self::Drained => "drained",
            Self::Refilling => "refilling",
            Self::Serving => "serving",
        })
    }
}

/// End of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    /// Nobody renewed the lease.
    Expired,
    /// Somebody asked for the target back.
    Cancelled,
}

/// Trouble of an active drain that does not end it. Nothing is undone silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// Capacity was lost or demand has grown: the proof no longer holds.
    AtRisk,
    /// The target counted as drained and has traffic again.
    TrafficBack,
}

/// The worst single site to lose while a drain lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstSite {
    /// Name.
    pub site: String,
    /// Demand that would be unserved with it lost during the drain, in Mbps.
    pub unserved_mbps: f64,
    /// Demand that would be unserved with it lost but nothing drained, in Mbps.
    pub baseline_unserved_mbps: f64,
    /// Capacity that would remain less demand, in Mbps.
    pub spare_mbps: f64,
}

/// Numbers behind an admission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Time at which it was made.
    pub at: Timestamp,
    /// Demand, without headroom, in Mbps.
    pub demand_mbps: f64,
    /// Factor on demand in the check without a lost site.
    pub headroom: f64,
    /// Capacity that remains with this and all active drains at 0, in Mbps.
    pub remaining_mbps: f64,
    /// `remaining_mbps` less demand with headroom; the sum over regions, of which one may be short
    /// for all that.
    pub spare_mbps: f64,
    /// Demand with headroom that would be unserved, in Mbps.
    pub unserved_mbps: f64,
    /// The same with nothing drained, in Mbps.
    pub baseline_unserved_mbps: f64,
    /// Worst other site to lose; `None` when the rules reserve nothing or there is no other.
    pub worst_site: Option<WorstSite>,
    /// Sites whose loss was tried.
    pub sites_checked: usize,
    /// Targets of the other drains that were counted in.
    pub together_with: Vec<Target>,
}

/// Reason why a drain was refused, or waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// In words, with what to do.
    pub text: String,
    /// Bottleneck, when capacity is the reason.
    pub bottleneck: Option<Bottleneck>,
}

/// Line of a drain's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Time.
    pub at: Timestamp,
    /// State from then on.
    pub state: State,
    /// Reason.
    pub why: String,
}

/// A drain. Refers to the inventory by name only, so it can be stored and restored as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// Identifier, such as `d17`; numbers rise with every request.
    pub id: String,
    /// Target that is drained.
    pub target: Target,
    /// Requester.
    pub requester: String,
    /// Reason, in the requester's words.
    pub reason: String,
    /// Stage that it is in.
    pub state: State,
    /// End of it; `None` while it has not.
    pub ended_by: Option<EndedBy>,
    /// Time at which it was asked for.
    pub requested_at: Timestamp,
    /// Length of the lease when last granted.
    #[serde(with = "milliseconds", rename = "lease_ms")]
    pub lease: Duration,
    /// Time at which the lease ends unless renewed.
    pub expires_at: Timestamp,
    /// Time over which the share falls to 0. 0 for nodes: inside a group nothing can be moved by
    /// degrees.
    #[serde(with = "milliseconds", rename = "ramp_ms")]
    pub ramp: Duration,
    /// Time at which shifting began.
    pub shifting_since: Option<Timestamp>,
    /// Time at which refilling began.
    pub refilling_since: Option<Timestamp>,
    /// Share from which refilling began, 0..=1.
    pub refill_from: f64,
    /// Share that the target may have, 1 down to 0 and back: of its traffic while shifting, of its
    /// capacity while refilling. As of the latest step.
    pub planned_share: f64,
    /// Traffic planned for the target when shifting began, or what was observed when nothing was
    /// planned, in Mbps.
    pub base_mbps: f64,
    /// Time at which the share reached 0.
    pub share_zero_at: Option<Timestamp>,
    /// Since when a published map leaves the target out, and that map's version.
    pub zero_published_at: Option<(Timestamp, MapVersion)>,
    /// Time at which all known edges had acknowledged that version.
    pub edges_confirmed_at: Option<Timestamp>,
    /// Latest traffic measured, in Mbps; `None` while there is no fresh measurement.
    pub observed_mbps: Option<f64>,
    /// Time until caches have forgotten the target; `None` while that cannot be told yet.
    #[serde(with = "optional_milliseconds", rename = "ttl_tail_left_ms")]
    pub ttl_tail_left: Option<Duration>,
    /// Numbers behind the latest admission.
    pub proof: Option<Proof>,
    /// Reason why it was refused, or what it waits for; kept when `force` overrode it.
    pub refusal: Option<Refusal>,
    /// True when the proof was skipped. Needs its own permission, which is checked by whoever
    /// calls.
    pub force: bool,
    /// Key under which the requester repeats the request; empty when none was given.
    pub idempotency_key: String,
    /// Warnings that hold at the moment.
    pub warnings: BTreeSet<Warning>,
    /// Events, oldest first.
    pub history: Vec<Event>,
}

impl Drain {
    /// Share that the target may have at `now`: of [`Self::base_mbps`] while shifting, of its
    /// capacity while refilling. Between two steps it goes on along the ramp, never back.
    #[must_use]
    pub fn share_at(&self, now: Timestamp, rules: &Rules) -> f64 {
        match self.state {
            State::Requested | State::Refused | State::Queued | State::Serving => 1.0,
            State::Drained => 0.0,
            State::Shifting => {
                let done = progress(self.shifting_since, now, self.ramp);
                self.planned_share.min(1.0 - done)
            }
            State::Refilling => {
                let done = progress(self.refilling_since, now, self.ramp.max(rules.refill_ramp));
                self.planned_share.max((self.refill_from + done).min(1.0))
            }
        }
    }

    /// Brings what a clock that was ahead has noted back to `now`: ramps, tails and leases run on
    /// from there, and no lease ends later than one that is granted now.
    pub(super) fn not_after(&mut self, now: Timestamp) {
        let noted = [
            &mut self.shifting_since,
            &mut self.refilling_since,
            &mut self.share_zero_at,
            &mut self.edges_confirmed_at,
        ];
        let published = self.zero_published_at.iter_mut().map(|(at, _)| at);
        for at in noted.into_iter().flatten().chain(published) {
            *at = (*at).min(now);
        }
        self.expires_at = self.expires_at.min(now.after(self.lease));
    }

    /// Moves to `state` and writes it into the history.
    pub(super) fn enter(&mut self, state: State, why: String, now: Timestamp, rules: &Rules) {
        self.state = state;
        self.note(why, now, rules);
    }

    /// Writes a line into the history, which never runs backwards, even when the clock does.
    pub(super) fn note(&mut self, why: String, now: Timestamp, rules: &Rules) {
        let at = self.history.last().map_or(now, |event| event.at.max(now));
        self.history.push(Event {
            at,
            state: self.state,
            why,
        });
        while self.history.len() > rules.history_max.max(2) {
            // The first line says who asked; it stays.
            self.history.remove(1);
        }
    }
}

/// Share of `ramp` that has passed since `since`, 0..=1; an empty ramp is over at once.
fn progress(since: Option<Timestamp>, now: Timestamp, ramp: Duration) -> f64 {
    let Some(since) = since else { return 0.0 };
    if ramp.is_zero() {
        1.0
    } else {
        (now.since(since).as_secs_f64() / ramp.as_secs_f64()).min(1.0)
    }
}

/// Stores a duration as whole milliseconds.
mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    /// Writes milliseconds; durations beyond 2^64 ms become that.
    pub(super) fn serialize<S: Serializer>(span: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads milliseconds.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        u64::deserialize(input).map(Duration::from_millis)
    }
}

/// Stores an optional duration as whole milliseconds, or null.
mod optional_milliseconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    /// Writes milliseconds or null.
    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
            .serialize(out)
    }

    /// Reads milliseconds or null.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(input)?.map(Duration::from_millis))
    }
}
