//! Forced states, and what they leave of weighted resources.

use crate::pools::{Pools, Watched, Weighted};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use testkit::Random;

/// Addresses of which one is answered, with their weights.
pub(crate) type Choices = BTreeMap<IpAddr, u32>;

/// The lines of an `admin_state` file; later ones beat earlier ones.
pub(crate) struct States(Vec<(String, bool)>);

impl States {
    /// Random states for addresses and for the datacenters (`plugin/resource/datacenter`) that
    /// plugins offer, with shell patterns among them.
    pub(crate) fn new(pools: &Pools, datacenters: &[String], random: &mut Random) -> Self {
        let mut lines = Vec::new();
        if random.percent(30) {
            lines.push((format!("198.18.0.{}*/*", random.between(1, 9)), false));
        }
        if random.percent(20) {
            let last = random
                .choose(datacenters)
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned();
            lines.push((format!("*/{last}"), false));
        }
        let share_down = random.below(45);
        for watched in &pools.addresses {
            if random.percent(share_down) {
                let service = random.choose(&watched.services);
                let is_up = random.percent(15);
                lines.push((format!("{}/{service}", watched.address), is_up));
            }
        }
        for datacenter in datacenters {
            if random.percent(10) {
                lines.push((datacenter.clone(), random.percent(30)));
            }
        }
        Self(lines)
    }

    /// The file.
    pub(crate) fn text(&self, random: &mut Random) -> String {
        let mut text = "# Forced by a test.\n".to_owned();
        for (pattern, is_up) in &self.0 {
            let state = if *is_up { "UP" } else { "DOWN" };
            let ttl = if random.percent(20) { "/60" } else { "" };
            let _ = writeln!(text, "{pattern} => {state}{ttl}");
        }
        text
    }

    fn is_up(&self, watched: &Watched) -> bool {
        watched.services.iter().all(|service| {
            let key = format!("{}/{service}", watched.address);
            let forced = self.0.iter().rev().find(|(line, _)| matches(line, &key));
            match forced {
                Some((_, is_up)) => *is_up,
                None => !["down", "dead"].contains(service),
            }
        })
    }

    /// The addresses among which a weighted family chooses: those up, or all when too little weight
    /// is up.
    pub(crate) fn choices(&self, family: &Weighted) -> Choices {
        let total: u32 = family.members.iter().map(|(_, weight)| weight).sum();
        let up: Vec<_> = family
            .members
            .iter()
            .filter(|(watched, _)| self.is_up(watched))
            .collect();
        let weight: u32 = up.iter().map(|(_, weight)| weight).sum();
        let is_enough = f64::from(weight) >= (family.up_thresh * f64::from(total)).ceil();
        let pair = |(watched, weight): &(Watched, u32)| (watched.address, *weight);
        if is_enough {
            up.into_iter().map(pair).collect()
        } else {
            family.members.iter().map(pair).collect()
        }
    }
}

/// Shell patterns whose only special character is `*`.
fn matches(pattern: &str, key: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == key,
        Some((start, rest)) => key.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len())
                .filter(|at| tail.is_char_boundary(*at))
                .any(|at| matches(rest, &tail[at..]))
        }),
    }
}
