//! Demand of clients: share of the area, share of the service, hour of the day, and what the
//! operator of the simulation turns up or down.

use crate::curve::local_hour;
use crate::population::DemandArea;
use crate::random::noise;
use crate::world::Service;

/// Whose demand is turned up or down. A part that is absent matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Name of a service.
    pub service: Option<String>,
    /// Beginning of an area's name, up to a `/` or the end: `cn/44` is all of Guangdong, `cn/4`
    /// nothing.
    pub area: Option<String>,
}

impl Filter {
    /// Tells whether the demand of an area for a service is meant.
    #[must_use]
    pub fn matches(&self, service: &str, area: &str) -> bool {
        let under = |prefix: &String| {
            area.strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.service.as_ref().is_none_or(|name| name == service)
            && self.area.as_ref().is_none_or(under)
    }
}

/// Filters turned up or down; several on one demand multiply.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scales(Vec<(Filter, f64)>);

/// Most filters at a time.
const SCALES_MAX: usize = 256;

impl Scales {
    /// Sets the factor of a filter; 1 takes it away. Past 256 filters the oldest is forgotten.
    pub(crate) fn set(&mut self, filter: Filter, factor: f64) {
        self.0.retain(|(known, _)| *known != filter);
        if self.0.len() >= SCALES_MAX {
            self.0.remove(0);
        }
        if (factor - 1.0).abs() > f64::EPSILON {
            self.0.push((filter, factor));
        }
    }

    /// The factor on the demand of an area for a service.
    #[must_use]
    pub(crate) fn factor(&self, service: &str, area: &str) -> f64 {
        let matching = self
            .0
            .iter()
            .filter(|(filter, _)| filter.matches(service, area));
        matching.map(|(_, factor)| factor).product()
    }
}

/// The size of demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Demand of the whole world if it were everyone's busiest hour at once, Mbps.
    pub peak_mbps: f64,
    /// Noise on each demand, as a share of it: 0.05 is up to 5 % more or less.
    pub noise: f64,
    /// Seed of the noise.
    pub seed: u64,
}

/// Demand in Mbps, [area][service], row-major, at an hour (Greenwich). Noise changes with `tick`.
#[must_use]
pub(crate) fn demand_mbps(
    areas: &[DemandArea],
    services: &[Service],
    scales: &Scales,
    level: Level,
    (utc_hour, tick): (f64, u64),
) -> Vec<f64> {
    let mut demand = Vec::with_capacity(areas.len() * services.len());
    for area in areas {
        let hour = local_hour(utc_hour, area.place.longitude);
        for service in services {
            let factor = scales.factor(&service.name, &area.name);
            let steady =
                level.peak_mbps * area.share * service.share * service.shape.at(hour) * factor;
            let noise = noise(level.seed, tick, demand.len() as u64) * level.noise;
            demand.push((steady * (1.0 + noise)).max(0.0));
        }
    }
    demand
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geography::Place;
    use crate::world::tests::small;
    use coverage::AreaId;

    fn areas() -> Vec<DemandArea> {
        let area = |name: &str, share, longitude| DemandArea {
            id: AreaId(1),
            name: name.into(),
            share,
            place: Place {
                latitude: 30.0,
                longitude,
            },
            isp: "ct".into(),
            country: "cn".into(),
        };
        vec![area("cn/44/ct", 0.75, 120.0), area("us", 0.25, -75.0)]
    }

    fn demand(scales: &Scales, utc_hour: f64, noise: f64) -> Vec<f64> {
        let services = small().topology().unwrap().services;
        let level = Level {
            peak_mbps: 1000.0,
            noise,
            seed: 7,
        };
        demand_mbps(&areas(), &services, scales, level, (utc_hour, 1))
    }

    #[test]
    fn peaks_follow_the_sun() {
        let evening_in_china = demand(&Scales::default(), 13.0, 0.0);
        assert!(
            (evening_in_china[0] - 562.5).abs() < 1e-9,
            "3/4 of the people, 3/4 of the traffic"
        );
        assert!((evening_in_china[1] - 187.5).abs() < 1e-9);
        let evening_in_america = demand(&Scales::default(), 2.0, 0.0);
        assert!((evening_in_america[2] - 187.5).abs() < 1e-9);
        assert!(evening_in_america[0] < evening_in_china[0]);
    }

    #[test]
    fn noise_stays_within_its_share() {
        let (quiet, noisy) = (
            demand(&Scales::default(), 9.0, 0.0),
            demand(&Scales::default(), 9.0, 0.1),
        );
        assert!(
            quiet
                .iter()
                .zip(&noisy)
                .all(|(a, b)| (a - b).abs() <= a * 0.1)
        );
        assert_ne!(quiet, noisy);
    }

    #[test]
    fn scales_multiply_and_are_taken_back() {
        let filter = |service: Option<&str>, area: Option<&str>| Filter {
            service: service.map(Into::into),
            area: area.map(Into::into),
        };
        let mut scales = Scales::default();
        scales.set(filter(Some("live"), None), 1.5);
        scales.set(filter(None, Some("cn/44")), 2.0);
        let factor =
            |scales: &Scales, service, area| (scales.factor(service, area) * 100.0).round() / 100.0;
        assert_eq!(format!("{}", factor(&scales, "live", "cn/44/ct")), "3");
        assert_eq!(format!("{}", factor(&scales, "static", "cn/441")), "1");
        assert_eq!(format!("{}", factor(&scales, "static", "cn/44")), "2");
        scales.set(filter(Some("live"), None), 1.0);
        assert_eq!(format!("{}", factor(&scales, "live", "cn/44/ct")), "2");
    }
}
