//! Senses of the engine: what the world tells it at each step.

use super::Player;
use crate::random::noise;
use coverage::observation::{Observation, Sample};
use coverage::{AreaId, LinkId, NodeId, ServiceId, SiteId};

/// Samples differ from the truth by up to this share.
const NOISE: f64 = 0.02;
impl Player {
    /// Returns what is told at this moment.
    pub(super) fn observations(&self) -> Vec<Observation> {
        let (at, inventory) = (self.now, &self.cdn.inventory);
        let mut samples = Vec::new();
        let mut place = 0_u64;
        let mut noisy = |value: f64| {
            place += 1;
            value * NOISE.mul_add(noise(self.seed, at.0, place), 1.0)
        };
        for (area, &mbps) in (0..).zip(&self.cdn.demand_mbps) {
            samples.push(Sample::Demand {
                area: AreaId(area),
                service: ServiceId(0),
                mbps: noisy(mbps * self.busier),
                rps: None,
            });
        }
        for (index, link) in inventory.links.iter().enumerate() {
            if self.frozen.contains_key(&link.site.index()) {
                continue;
            }
            let id = LinkId::from_index(index);
            samples.push(Sample::Link {
                link: id,
                mbps: noisy(self.carried_mbps[index]),
            });
            for area in 1..self.cdn.table.areas().len() {
                let true_ms = self.quality_ms[area * inventory.links.len() + index];
                samples.push(Sample::Quality {
                    area: AreaId::from_index(area),
                    site: link.site,
                    link: Some(id),
                    rtt_ms: noisy(true_ms * self.worse),
                    loss: 0.0,
                });
            }
        }
        for (index, node) in inventory.nodes.iter().enumerate() {
            let site = inventory.site_of(node).index();
            if !self.frozen.contains_key(&site) {
                let mbps = self.site_carries(site) / 4.0;
                samples.push(Sample::Node {
                    node: NodeId::from_index(index),
                    healthy: !self.unwell.contains(&site),
                    load: mbps / node.capacity_mbps,
                    mbps,
                });
            }
        }
        let told = |sample| Observation { at, sample };
        samples.into_iter().map(told).collect()
    }

    fn site_carries(&self, site: usize) -> f64 {
        let links = self.cdn.inventory.links.iter().zip(&self.carried_mbps);
        let here = links.filter(|(link, _)| link.site == SiteId::from_index(site));
        here.map(|(_, mbps)| mbps).sum()
    }
}
