//! Requests per second as a second resource: services differ in how many come with a Mbps, sites in
//! what they can answer.

use super::draw::log_normal;
use crate::random::Random;
use instance::Instance;
use std::collections::BTreeMap;

/// Requests per second and Mbps of the median service.
const RPS_PER_MBPS: f64 = 8.0;
/// Standard deviation of the logarithm of that over services.
const SERVICE_SPREAD: f64 = 1.0;
/// By how much areas differ from their service.
const AREA_SPREAD: f64 = 0.2;
/// Share of sites that limit requests.
const LIMITED_SHARE: f64 = 0.8;
/// Part of all requests that all sites could answer that are made.
const FILL: f64 = 0.8;
/// Range of answers of a site, as multiples of its part by bandwidth.
const ANSWER_RANGE: (f64, f64) = (0.7, 1.5);

/// Gives an instance requests, and limits on them at most sites.
pub(super) fn ask(instance: &mut Instance, seed: u64) {
    let mut random = Random::new(seed ^ 0x7265_7175);
    let mut services: BTreeMap<String, f64> = BTreeMap::new();
    for unit in &mut instance.units {
        let usual = *services
            .entry(unit.service.clone())
            .or_insert_with(|| RPS_PER_MBPS * log_normal(&mut random, SERVICE_SPREAD));
        unit.rps = unit.mbps * usual * log_normal(&mut random, AREA_SPREAD);
    }
    let asked: f64 = instance.units.iter().map(|unit| unit.rps).sum();
    let all_mbps: f64 = instance.sites.iter().map(|site| site.capacity_mbps).sum();
    for site in &mut instance.sites {
        let part = asked / FILL * site.capacity_mbps / all_mbps;
        let (least, most) = ANSWER_RANGE;
        let times = least + (most - least) * random.unit();
        if random.unit() < LIMITED_SHARE {
            site.capacity_rps = Some((part * times).round());
        }
    }
}
