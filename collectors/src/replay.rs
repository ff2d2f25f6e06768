//! Replays recorded telemetry: bytes in, frames out, paced by the `at` of the lines. No clock: whoever plays it waits.

use crate::decode::{Batch, Limits, decode_batch, parse};
use coverage::observation::Directory;
use coverage::{AreaTable, Timestamp};
use std::time::Duration;

/// Lines that were taken at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When to play it, counted from the first frame.
    pub offset: Duration,
    /// When it was recorded; zero before the first line that says so.
    pub recorded_at: Timestamp,
    /// Number of its first line in the recording, from 1.
    pub first_line: usize,
    /// The lines.
    pub bytes: &'a [u8],
}

impl Frame<'_> {
    /// Decodes the frame as it would have been on arrival, and moves its samples to `now`. Line numbers are those of the
    /// recording.
    #[must_use]
    pub fn decode(
        &self,
        directory: &Directory,
        table: &AreaTable,
        now: Timestamp,
        limits: &Limits,
    ) -> Batch {
        let mut batch = decode_batch(self.bytes, directory, table, self.recorded_at, limits);
        for observation in &mut batch.accepted {
            let age = self.recorded_at.since(observation.at);
            observation.at = Timestamp(
                now.0
                    .saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            );
        }
        for refused in &mut batch.refused {
            refused.line += self.first_line - 1;
        }
        batch
    }
}

/// An iterator over the frames of a recording. Consecutive lines of one time form one frame; a line without a time, or one
/// that does not parse, belongs to the frame before it; a time that runs backwards does not rewind the play.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    rest: &'a [u8],
    line: usize,
    started_at: Option<Timestamp>,
    latest: Timestamp,
    speed: f64,
}

/// Slowest and fastest play.
const SPEED_MIN: f64 = 1e-3;
const SPEED_MAX: f64 = 1e6;

impl<'a> Replay<'a> {
    /// Plays `bytes` at `speed` times the recorded pace; the speed is kept within 0.001 and 1,000,000.
    #[must_use]
    pub fn new(bytes: &'a [u8], speed: f64) -> Self {
        let speed = if speed.is_nan() {
            1.0
        } else {
            speed.clamp(SPEED_MIN, SPEED_MAX)
        };
        Self {
            rest: bytes,
            line: 1,
            started_at: None,
            latest: Timestamp(0),
            speed,
        }
    }
}

/// The time of a line, if it has one.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    parse(line.trim_ascii()).ok()?.at().map(Timestamp)
}

impl<'a> Iterator for Replay<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (first_line, all) = (self.line, self.rest);
        let mut time = None;
        let mut end = 0;
        for line in all.split_inclusive(|byte| *byte == b'\n') {
            match (time, time_of(line)) {
                (None, Some(at)) => time = Some(at),
                (Some(now), Some(at)) if at > now => break,
                _ => {}
            }
            end += line.len();
            self.line += 1;
        }
        let (bytes, rest) = all.split_at(end);
        self.rest = rest;
        self.latest = self.latest.max(time.unwrap_or(self.latest));
        let started_at = *self.started_at.get_or_insert(self.latest);
        let offset = self.latest.since(started_at).div_f64(self.speed);
        Some(Frame {
            offset,
            recorded_at: self.latest,
            first_line,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDING: &[u8] = b"{\"kind\":\"link\",\"link\":\"a\",\"mbps\":1,\"at\":1000}\n\
        {\"kind\":\"link\",\"link\":\"b\",\"mbps\":1,\"at\":1000}\n\
        rubbish\n\
        {\"kind\":\"link\",\"link\":\"a\",\"mbps\":2,\"at\":3000}\n\
        {\"kind\":\"link\",\"link\":\"b\",\"mbps\":2,\"at\":2000}\n\
        {\"kind\":\"link\",\"link\":\"a\",\"mbps\":3,\"at\":4000}";

    #[test]
    fn frames_follow_the_recorded_times_and_never_run_backwards() {
        let offsets: Vec<_> = Replay::new(RECORDING, 2.0)
            .map(|f| (f.offset.as_millis(), f.first_line))
            .collect();
        assert_eq!(offsets, [(0, 1), (1000, 4), (1500, 6)]);
    }

    #[test]
    fn frames_together_are_the_recording() {
        let joined: Vec<u8> = Replay::new(RECORDING, 1.0)
            .flat_map(|f| f.bytes.to_vec())
            .collect();
        assert_eq!(joined, RECORDING);
    }

    #[test]
    fn a_frame_decodes_as_if_it_arrived_now() {
        let mut directory = Directory::default();
        let names = [("a", 0), ("b", 1)];
        for (name, id) in names {
            let ids = (coverage::LinkId(id), coverage::SiteId(0));
            directory.links.insert(name.to_owned(), ids);
        }
        let table = coverage::area::AreaTableBuilder::new().finish().unwrap();
        let frames: Vec<_> = Replay::new(RECORDING, 1.0).collect();
        let now = Timestamp(1_000_000);
        let first = frames[0].decode(&directory, &table, now, &Limits::default());
        assert_eq!(first.accepted.len(), 2);
        assert_eq!(first.refused[0].line, 3);
        let second = frames[1].decode(&directory, &table, now, &Limits::default());
        let times: Vec<_> = second.accepted.iter().map(|seen| seen.at.0).collect();
        assert_eq!(times, [1_000_000, 999_000], "the late line keeps its age");
    }
}
