//! Bad quarters of an hour, played against the real engine in virtual time.
//!
//! ```text
//!   cdn: sites, areas, what is true    stories: drains, losses, flapping health, frozen telemetry
//!                               |        |
//!            player: observe, cycle, follow the map with the lag of caches --> Outcome
//! ```
//! Only the public interface of [`engine::cycle::Engine`] is used: observations and drains go in,
//! drafts come out. What is measured is what a CDN would see: where the map in force sends traffic,
//! and how much of that is served.

mod cdn;
mod player;
mod stories;

use super::{GenerateError, Sources};
use cdn::Cdn;
use player::Player;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A named quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Story {
    /// Ten drains are asked for and three links are lost, in mixed order.
    DrainStorm,
    /// All nodes of a site change between well and unwell every 30 s.
    Flap,
    /// Half of the sites tell nothing any more, while what they last told looks better and better.
    Stale,
}

/// All stories.
pub const STORIES: [Story; 3] = [Story::DrainStorm, Story::Flap, Story::Stale];

impl Story {
    /// As it is written on a command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DrainStorm => "drain-storm",
            Self::Flap => "flap",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Story {
    type Err = GenerateError;

    fn from_str(text: &str) -> Result<Self, GenerateError> {
        STORIES
            .into_iter()
            .find(|story| story.as_str() == text)
            .ok_or_else(|| GenerateError::Unknown(text.to_owned()))
    }
}

/// Size of the CDN of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Sites.
    pub sites: usize,
    /// Areas, the largest of the table; at most 250.
    pub areas: usize,
}

/// Outcome of a story.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// Steps of 10 s.
    pub steps: usize,
    /// Demand at the beginning, Mbps.
    pub demand_mbps: f64,
    /// Maps published, by tier and reason.
    pub published: BTreeMap<String, usize>,
    /// Reason why the map in force stayed, by word, counted in ticks and jobs.
    pub held: BTreeMap<String, usize>,
    /// States in which drains ended up, counted.
    pub drains: BTreeMap<String, usize>,
    /// Reason why drains were refused or wait, one each.
    pub refusals: Vec<String>,
    /// Traffic that new maps sent elsewhere, summed, Mbps.
    pub moved_mbps: f64,
    /// Share of all demand that was lost or did not fit under the map in force, mean over the
    /// steps.
    pub lost_share: f64,
    /// Worst step: demand that did not fit under the map in force and yet could have been served,
    /// Mbps. Capacity is what drains, losses and health leave.
    pub servable_lost_mbps_max: f64,
    /// Sites whose planned traffic rose and fell by more than a tenth of the largest, each at least
    /// twice.
    pub oscillating_sites: usize,
    /// Planned traffic that came to frozen sites after they had been silent for two periods, Mbps.
    pub to_frozen_mbps: f64,
    /// Planned traffic that came to the flapping site, summed over its returns, Mbps.
    pub to_flapping_mbps: f64,
}

/// Plays a story. Equal arguments give equal outcomes.
///
/// # Errors
/// [`GenerateError`] when the area table does not suffice.
pub fn play(
    story: Story,
    size: Size,
    seed: u64,
    sources: &Sources<'_>,
) -> Result<Outcome, GenerateError> {
    let cdn = Cdn::of(sources.table, size, seed)?;
    let mut player = Player::new(cdn, seed);
    stories::tell(story, &mut player, seed);
    Ok(player.finish())
}

#[cfg(test)]
mod tests;
