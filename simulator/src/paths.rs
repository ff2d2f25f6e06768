//! The quality of every path: from each area with demand to each link.

use crate::geography::{Path, Reach, distance_km, idle_path, loaded_path};
use crate::population::DemandArea;
use crate::topology::Topology;
use crate::traffic::{Failures, Loads};

/// Idle paths, [area][link], row-major.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    idle: Vec<Path>,
    links: usize,
}

impl Paths {
    /// All paths; O(areas x links).
    pub(crate) fn new(areas: &[DemandArea], topology: &Topology) -> Self {
        let path = |area: &DemandArea| {
            let area = area.clone();
            topology.links.iter().map(move |link| {
                let ends = (
                    (link.isp.as_str(), link.country.as_str()),
                    (area.isp.as_str(), area.country.as_str()),
                );
                idle_path(
                    distance_km(area.place, link.place),
                    Reach::of(ends.0, ends.1),
                )
            })
        };
        Self {
            idle: areas.iter().flat_map(path).collect(),
            links: topology.links.len(),
        }
    }

    /// Number of pairs of area and link there are.
    pub(crate) fn pairs(&self) -> usize {
        self.idle.len()
    }

    /// Area and link of a pair.
    pub(crate) fn pair(&self, index: usize) -> (usize, usize) {
        let links = self.links.max(1);
        (index / links, index % links)
    }

    /// A path as it is now: slower and lossier on a crowded link, without any answer on a dead one.
    pub(crate) fn now(
        &self,
        (area, link): (usize, usize),
        topology: &Topology,
        now: (&Loads, &Failures),
    ) -> Path {
        let (loads, failures) = now;
        let idle = self.idle[area * self.links + link];
        if failures.links.contains(&link) {
            return Path { loss: 1.0, ..idle };
        }
        loaded_path(idle, loads.utilisation(topology, link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::tests::table;
    use crate::population::{Population, PopulationOptions};
    use crate::world::tests::small;

    #[test]
    fn near_is_better_until_it_is_crowded_or_dead() {
        let topology = small().topology().unwrap();
        let population = Population::draw(&table(), &PopulationOptions::default(), 1);
        let paths = Paths::new(&population.areas, &topology);
        assert_eq!(paths.pairs(), population.areas.len() * 3);
        assert_eq!(paths.pair(4), (1, 1));
        let south = population
            .areas
            .iter()
            .position(|area| area.name == "cn/44/ct")
            .unwrap();
        let mut loads = Loads {
            link_offered: vec![100.0; 3],
            ..Loads::default()
        };
        let mut failures = Failures::default();
        let rtt = |link, loads: &Loads| {
            paths
                .now((south, link), &topology, (loads, &Failures::default()))
                .rtt_ms
        };
        let (home, other_isp, far) = (rtt(0, &loads), rtt(1, &loads), rtt(2, &loads));
        assert!(home < other_isp && home < far, "{home} {other_isp} {far}");
        loads.link_offered[0] = 8000.0;
        assert!(rtt(0, &loads) > far, "a full link is worse than a long one");
        failures.links.insert(0);
        let dead = paths.now((south, 0), &topology, (&loads, &failures));
        assert!((dead.loss - 1.0).abs() < 1e-12);
    }
}
