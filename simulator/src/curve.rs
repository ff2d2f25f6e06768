//! Curve of demand over a day, and which hour of it is now.

use serde::{Deserialize, Serialize};

/// Shape of a day's demand, by local hour; the busiest hour is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Entertainment: low at dawn, peak at 21 h.
    #[default]
    Evening,
    /// Work: a broad top from 10 to 17 h.
    Daytime,
    /// Machines: updates and downloads, fullest after midnight.
    Night,
    /// The same all day.
    Flat,
}

/// Evening video: trough at 5 h of about a sixth of the peak, a shoulder at noon.
const EVENING: [f64; 24] = [
    0.62, 0.42, 0.29, 0.21, 0.17, 0.16, 0.20, 0.28, 0.36, 0.42, 0.47, 0.53, 0.60, 0.58, 0.54, 0.54,
    0.57, 0.63, 0.73, 0.86, 0.96, 1.00, 0.95, 0.81,
];
/// Office hours with a dip at lunch.
const DAYTIME: [f64; 24] = [
    0.22, 0.16, 0.13, 0.12, 0.12, 0.14, 0.22, 0.40, 0.68, 0.90, 1.00, 0.97, 0.82, 0.88, 0.97, 0.99,
    0.96, 0.86, 0.72, 0.64, 0.58, 0.50, 0.40, 0.30,
];
/// Scheduled downloads.
const NIGHT: [f64; 24] = [
    0.86, 0.95, 1.00, 0.99, 0.92, 0.78, 0.60, 0.46, 0.40, 0.38, 0.37, 0.37, 0.38, 0.38, 0.37, 0.37,
    0.38, 0.40, 0.43, 0.47, 0.52, 0.58, 0.66, 0.76,
];

impl Shape {
    /// Demand at a local hour as a share of the peak: linear between full hours, periodic over 24.
    #[must_use]
    pub fn at(self, local_hour: f64) -> f64 {
        let table = match self {
            Self::Evening => &EVENING,
            Self::Daytime => &DAYTIME,
            Self::Night => &NIGHT,
            Self::Flat => return 1.0,
        };
        let hour = wrap(local_hour);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0..24"
        )]
        let first = hour as usize % 24;
        let part = hour.fract();
        table[first].mul_add(1.0 - part, table[(first + 1) % 24] * part)
    }
}

/// Local solar hour at a longitude (degrees east), from the hour at Greenwich.
#[must_use]
pub(crate) fn local_hour(utc_hour: f64, longitude: f64) -> f64 {
    wrap(utc_hour + longitude / 15.0)
}

/// An hour brought into 0..24; 0 for what is no number.
fn wrap(hour: f64) -> f64 {
    let wrapped = hour.rem_euclid(24.0);
    // A tiny negative hour rounds up to 24 itself.
    if wrapped < 24.0 { wrapped } else { 0.0 }
}

/// The simulated time of day. Wall time is passed in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DayClock {
    /// Hour at Greenwich when it was last set.
    hour: f64,
    /// Wall time then, ms since the start of the simulation.
    set_at_ms: u64,
    /// Simulated hours per second of wall time.
    hours_per_s: f64,
}

impl DayClock {
    /// A clock that shows `hour` (Greenwich) at wall time 0.
    #[must_use]
    pub(crate) const fn new(hour: f64, hours_per_s: f64) -> Self {
        Self {
            hour,
            set_at_ms: 0,
            hours_per_s,
        }
    }

    /// The hour at Greenwich, in 0..24.
    #[must_use]
    pub(crate) fn hour(&self, now_ms: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a run lasts less than 2^52 ms")]
        let passed_s = now_ms.saturating_sub(self.set_at_ms) as f64 / 1000.0;
        wrap(passed_s.mul_add(self.hours_per_s, self.hour))
    }

    /// Jumps to an hour.
    pub(crate) const fn set_hour(&mut self, now_ms: u64, hour: f64) {
        self.hour = hour;
        self.set_at_ms = now_ms;
    }

    /// Changes the pace from here on.
    pub(crate) fn set_speed(&mut self, now_ms: u64, hours_per_s: f64) {
        self.hour = self.hour(now_ms);
        self.set_at_ms = now_ms;
        self.hours_per_s = hours_per_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPES: [Shape; 4] = [Shape::Evening, Shape::Daytime, Shape::Night, Shape::Flat];

    #[test]
    fn the_busiest_hour_is_one() {
        for shape in SHAPES {
            let peak = (0..24)
                .map(|hour| shape.at(f64::from(hour)))
                .fold(0.0, f64::max);
            assert!((peak - 1.0).abs() < 1e-12, "{shape:?}");
        }
        assert!((Shape::Evening.at(21.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_clock_runs_at_its_pace_and_jumps() {
        let mut clock = DayClock::new(20.0, 0.4);
        assert!((clock.hour(5_000) - 22.0).abs() < 1e-9);
        assert!((clock.hour(15_000) - 2.0).abs() < 1e-9, "past midnight");
        clock.set_speed(5_000, 0.0);
        assert!((clock.hour(60_000) - 22.0).abs() < 1e-9);
        clock.set_hour(60_000, 3.0);
        assert!((clock.hour(90_000) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn the_sun_rises_in_the_east() {
        assert!((local_hour(12.0, 120.0) - 20.0).abs() < 1e-9);
        assert!((local_hour(1.0, -75.0) - 20.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn curves_are_positive_bounded_and_continuous(hour in -1e6..1e6_f64) {
            for shape in SHAPES {
                let (here, next) = (shape.at(hour), shape.at(hour + 0.01));
                prop_assert!(here > 0.0 && here <= 1.0);
                prop_assert!((here - next).abs() < 0.01);
            }
        }

        #[test]
        fn hours_stay_in_the_day(hour in any::<f64>(), longitude in -180.0..180.0_f64) {
            prop_assert!((0.0..24.0).contains(&local_hour(hour, longitude)));
        }
    }
}
