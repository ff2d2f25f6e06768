//! Months and days of a contract, in the zone that the contract counts in.
//!
//! Contracts count in a fixed offset to UTC: a month has the same number of slots in every year of
//! that zone, and no hour is counted twice or left out by daylight saving.

use coverage::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;
/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;
/// Farthest offsets in use on Earth are -12:00 and +14:00.
const OFFSET_MINUTES_MAX: i16 = 14 * 60;

/// A fixed offset to UTC, such as `+08:00`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcOffset {
    minutes: i16,
}

/// Reason why a text is no offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an offset to UTC between -14:00 and +14:00, such as +08:00, or Z")]
pub struct OffsetError;

impl UtcOffset {
    /// UTC itself.
    pub const UTC: Self = Self { minutes: 0 };

    /// An offset in minutes east of Greenwich; `None` beyond 14 hours.
    #[must_use]
    pub const fn from_minutes(minutes: i16) -> Option<Self> {
        if minutes.abs() <= OFFSET_MINUTES_MAX {
            Some(Self { minutes })
        } else {
            None
        }
    }

    /// The local day that holds `at`.
    #[must_use]
    pub fn day_of(self, at: Timestamp) -> Period {
        let day = self.number_of_day(at);
        self.period(day, day + 1)
    }

    /// The local calendar month that holds `at`.
    #[must_use]
    pub fn month_of(self, at: Timestamp) -> Period {
        let (year, month) = month_of_day(self.number_of_day(at));
        let (next_year, next_month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
        self.period(
            first_day_of_month(year, month),
            first_day_of_month(next_year, next_month),
        )
    }

    /// The local calendar month before the one that holds `at`.
    #[must_use]
    pub fn month_before(self, at: Timestamp) -> Period {
        let start = self.month_of(at).start;
        self.month_of(Timestamp(start.0.saturating_sub(1)))
    }

    /// Number of the local day since 1970.
    pub(super) fn number_of_day(self, at: Timestamp) -> i64 {
        let utc_ms = i64::try_from(at.0).unwrap_or(i64::MAX / 2);
        (utc_ms + i64::from(self.minutes) * MINUTE_MS).div_euclid(DAY_MS)
    }

    fn period(self, first_day: i64, end_day: i64) -> Period {
        let utc = |day: i64| {
            let ms = day * DAY_MS - i64::from(self.minutes) * MINUTE_MS;
            // Only the first hours of 1970 lie before the epoch.
            Timestamp(u64::try_from(ms).unwrap_or(0))
        };
        Period {
            start: utc(first_day),
            end: utc(end_day),
        }
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let minutes = self.minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl FromStr for UtcOffset {
    type Err = OffsetError;

    fn from_str(text: &str) -> Result<Self, OffsetError> {
        if text == "Z" {
            return Ok(Self::UTC);
        }
        let east = match text.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(OffsetError),
        };
        let number = |part: &str| {
            let two = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            two.then(|| part.parse::<i16>().ok()).flatten()
        };
        let (hours, minutes) = text[1..].split_once(':').ok_or(OffsetError)?;
        let (hours, minutes) = number(hours).zip(number(minutes)).ok_or(OffsetError)?;
        if minutes > 59 {
            return Err(OffsetError);
        }
        Self::from_minutes(east * (hours * 60 + minutes)).ok_or(OffsetError)
    }
}

/// A span of time, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First moment.
    pub start: Timestamp,
    /// First moment after it.
    pub end: Timestamp,
}

impl Period {
    /// Tells whether a moment lies in it.
    #[must_use]
    pub const fn contains(&self, at: Timestamp) -> bool {
        self.start.0 <= at.0 && at.0 < self.end.0
    }

    /// Length in ms.
    #[must_use]
    pub const fn length_ms(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Slots of `slot_ms` that start in it.
    #[must_use]
    pub const fn slots(&self, slot_ms: u64) -> u64 {
        self.length_ms()
            .div_ceil(if slot_ms == 0 { 1 } else { slot_ms })
    }

    /// Whole days in it.
    #[must_use]
    pub const fn days(&self) -> u64 {
        self.length_ms() / DAY_MS.unsigned_abs()
    }
}

/// Year and month (1..=12) of a day since 1970, in the proleptic Gregorian calendar. Years are
/// counted from March, so that the leap day is the last of its year.
fn month_of_day(day: i64) -> (i64, i64) {
    const DAYS_PER_400_YEARS: i64 = 146_097;
    const DAYS_TO_MARCH_OF_YEAR_0: i64 = 719_468;
    let shifted = day + DAYS_TO_MARCH_OF_YEAR_0;
    let cycle = shifted.div_euclid(DAYS_PER_400_YEARS);
    let in_cycle = shifted.rem_euclid(DAYS_PER_400_YEARS);
    let year = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let month = (from_march + 2) % 12 + 1;
    let carry = i64::from(month <= 2);
    (cycle * 400 + year + carry, month)
}

/// Days from 1970 to the first of a month.
fn first_day_of_month(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let cycle = year.div_euclid(400);
    let in_cycle = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let in_year = (153 * from_march + 2) / 5;
    cycle * 146_097 + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-23 05:00:00 UTC.
    const NOVEMBER: Timestamp = Timestamp(1_795_410_000_000);

    #[test]
    fn known_months_in_two_zones() {
        let china: UtcOffset = "+08:00".parse().unwrap();
        let utc = UtcOffset::UTC.month_of(NOVEMBER);
        assert_eq!(utc.start, Timestamp(1_793_491_200_000), "2026-11-01T00:00Z");
        assert_eq!((utc.days(), utc.slots(300_000)), (30, 8640));
        let local = china.month_of(NOVEMBER);
        assert_eq!(utc.start.0 - local.start.0, 8 * 3_600_000);
        // The last evening of October in London is November in Shanghai.
        let evening = Timestamp(utc.start.0 - 3_600_000);
        assert_eq!(china.month_of(evening), local);
        assert_eq!(UtcOffset::UTC.month_of(evening).days(), 31);
        assert_eq!(UtcOffset::UTC.month_before(NOVEMBER).end, utc.start);
    }

    #[test]
    fn leap_years_have_their_day() {
        let first = |year, month| first_day_of_month(year, month);
        assert_eq!(first(2024, 3) - first(2024, 2), 29);
        assert_eq!(first(2026, 3) - first(2026, 2), 28);
        assert_eq!(first(2100, 3) - first(2100, 2), 28);
        assert_eq!(first(2000, 3) - first(2000, 2), 29);
        assert_eq!(first(1970, 1), 0);
    }

    #[test]
    fn offsets_are_read_strictly() {
        for (text, minutes) in [("+08:00", 480), ("-03:30", -210), ("Z", 0), ("+14:00", 840)] {
            assert_eq!(text.parse(), Ok(UtcOffset { minutes }), "{text}");
        }
        for text in [
            "",
            "8",
            "+8:00",
            "+08",
            "+14:01",
            "+99:00",
            "+08:60",
            "+\u{fc}8:00",
            "UTC",
        ] {
            assert_eq!(text.parse::<UtcOffset>(), Err(OffsetError), "{text}");
        }
        assert_eq!("-03:30".parse::<UtcOffset>().unwrap().to_string(), "-03:30");
    }

    proptest! {
        #[test]
        fn months_tile_the_time(at in 0_u64..7_000_000_000_000, minutes in -840_i16..=840) {
            let zone = UtcOffset::from_minutes(minutes).unwrap();
            let at = Timestamp(at + 86_400_000);
            let month = zone.month_of(at);
            prop_assert!(month.contains(at));
            prop_assert!((28..=31).contains(&month.days()) || month.start.0 == 0);
            prop_assert_eq!(zone.month_of(month.end).start, month.end);
            let day = zone.day_of(at);
            prop_assert!(day.contains(at) && day.days() == 1);
            prop_assert!(month.start <= day.start && day.end <= month.end);
        }
    }
}
