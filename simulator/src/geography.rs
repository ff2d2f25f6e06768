//! Geography of paths: distance becomes round-trip time, crossing ISPs
//! and crowded links add.

/// Mean radius of the Earth, km.
const EARTH_KM: f64 = 6371.0;
/// Light in fibre goes about 2/3 c: 200 km per ms one way, so 100 km per ms of round trip.
const KM_PER_RTT_MS: f64 = 100.0;
/// Cables are longer than great circles; the usual factor on land.
const DETOUR: f64 = 1.4;
/// Access network of the client, ms of round trip.
const LAST_MILE_MS: f64 = 4.0;
/// Exchange points between ISPs of one country are few and crowded, ms of round trip.
const CROSS_ISP_MS: f64 = 25.0;
/// Loss on a path that crosses ISPs, beyond the usual.
const CROSS_ISP_LOSS: f64 = 0.004;
/// Loss on any path.
const BASE_LOSS: f64 = 0.0005;
/// Queue of a full router port, ms.
const QUEUE_FULL_MS: f64 = 80.0;
/// Utilisation at which queues begin to show.
const QUEUE_FROM: f64 = 0.9;

/// A place on Earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// Great-circle distance in km, by the haversine formula.
#[must_use]
pub fn distance_km(a: Place, b: Place) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let scale = a.latitude.to_radians().cos() * b.latitude.to_radians().cos();
    let chord = scale.mul_add(half(a.longitude, b.longitude), half(a.latitude, b.latitude));
    2.0 * EARTH_KM * chord.clamp(0.0, 1.0).sqrt().asin()
}

/// Quality of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// Round-trip time, ms.
    pub rtt_ms: f64,
    /// Share of packets lost, 0..=1.
    pub loss: f64,
}

/// Kinds of paths: within one ISP, or across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Same ISP, or one that all ISPs reach alike.
    Direct,
    /// Through an exchange between ISPs of one country.
    CrossIsp,
}

impl Reach {
    /// The reach of a link (ISP, country of its site) from clients of an ISP in a country. Unknown
    /// ISPs and other countries count as direct: there, distance tells.
    #[must_use]
    pub fn of((link_isp, site_country): (&str, &str), (isp, country): (&str, &str)) -> Self {
        let crosses =
            !isp.is_empty() && link_isp != "bgp" && link_isp != isp && site_country == country;
        if crosses {
            Self::CrossIsp
        } else {
            Self::Direct
        }
    }
}

/// The path of an idle link.
#[must_use]
pub fn idle_path(distance_km: f64, reach: Reach) -> Path {
    let (extra_ms, extra_loss) = match reach {
        Reach::Direct => (0.0, 0.0),
        Reach::CrossIsp => (CROSS_ISP_MS, CROSS_ISP_LOSS),
    };
    let rtt_ms = (distance_km / KM_PER_RTT_MS).mul_add(DETOUR, LAST_MILE_MS) + extra_ms;
    Path {
        rtt_ms,
        loss: BASE_LOSS + extra_loss,
    }
}

/// The same path when the link is asked to carry `utilisation` times its capacity: queues grow from
/// 90 %, and what does not fit is lost.
#[must_use]
pub fn loaded_path(idle: Path, utilisation: f64) -> Path {
    let queue = ((utilisation - QUEUE_FROM) / (1.0 - QUEUE_FROM)).clamp(0.0, 1.0);
    let dropped = if utilisation > 1.0 {
        1.0 - 1.0 / utilisation
    } else {
        0.0
    };
    Path {
        rtt_ms: QUEUE_FULL_MS.mul_add(queue, idle.rtt_ms),
        loss: (idle.loss + (1.0 - idle.loss) * dropped).clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEIJING: Place = Place {
        latitude: 39.90,
        longitude: 116.40,
    };
    const GUANGZHOU: Place = Place {
        latitude: 23.13,
        longitude: 113.26,
    };

    #[test]
    fn known_distances() {
        let km = distance_km(BEIJING, GUANGZHOU);
        assert!((km - 1889.0).abs() < 10.0, "{km}");
        let antipode = Place {
            latitude: -39.90,
            longitude: 116.40 - 180.0,
        };
        assert!((distance_km(BEIJING, antipode) - 20_015.0).abs() < 5.0);
    }

    #[test]
    fn beijing_to_guangzhou_takes_what_it_takes() {
        let path = idle_path(distance_km(BEIJING, GUANGZHOU), Reach::Direct);
        assert!((25.0..40.0).contains(&path.rtt_ms), "{path:?}");
        let crossing = idle_path(distance_km(BEIJING, GUANGZHOU), Reach::CrossIsp);
        assert!(crossing.rtt_ms > path.rtt_ms + 20.0 && crossing.loss > path.loss);
    }

    #[test]
    fn isps_cross_only_at_home() {
        assert_eq!(Reach::of(("ct", "cn"), ("cu", "cn")), Reach::CrossIsp);
        assert_eq!(Reach::of(("ct", "cn"), ("ct", "cn")), Reach::Direct);
        assert_eq!(Reach::of(("bgp", "cn"), ("cu", "cn")), Reach::Direct);
        assert_eq!(Reach::of(("ct", "cn"), ("", "cn")), Reach::Direct);
        assert_eq!(Reach::of(("ct", "cn"), ("dtag", "de")), Reach::Direct);
    }

    #[test]
    fn twice_the_capacity_loses_half() {
        let idle = Path {
            rtt_ms: 10.0,
            loss: 0.0,
        };
        assert_eq!(loaded_path(idle, 0.5), idle);
        let full = loaded_path(idle, 2.0);
        assert!((full.loss - 0.5).abs() < 1e-12 && (full.rtt_ms - 90.0).abs() < 1e-12);
    }

    fn place() -> impl Strategy<Value = Place> {
        (-90.0..90.0_f64, -180.0..180.0_f64).prop_map(|(latitude, longitude)| Place {
            latitude,
            longitude,
        })
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in place(), b in place(), c in place()) {
            prop_assert!((distance_km(a, b) - distance_km(b, a)).abs() < 1e-6);
            prop_assert!(distance_km(a, a) < 1e-6);
            prop_assert!(distance_km(a, c) <= distance_km(a, b) + distance_km(b, c) + 1e-6);
            prop_assert!(distance_km(a, b) <= 20_016.0);
        }

        #[test]
        fn load_never_improves_a_path(rtt_ms in 0.0..300.0_f64, loss in 0.0..1.0_f64, u in 0.0..5.0_f64, more in 0.0..5.0_f64) {
            let idle = Path { rtt_ms, loss };
            let (less, more) = (loaded_path(idle, u), loaded_path(idle, u + more));
            prop_assert!(more.rtt_ms >= less.rtt_ms && more.loss >= less.loss - 1e-12);
            prop_assert!((0.0..=1.0).contains(&more.loss));
        }
    }
}
