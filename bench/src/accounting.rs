//! Accounts of the kernel about a process: processor time and memory.

use anyhow::{Context as _, Result};
use std::fs;
use std::time::Duration;

/// Processor time of all threads of a process since it began.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// Time on a core, exact: the scheduler adds it up in nanoseconds.
    pub total: Duration,
    /// Clock ticks that found the process in user mode, 10 ms each as printed.
    pub user_ticks: u64,
    /// Clock ticks that found it in the kernel.
    pub system_ticks: u64,
}

impl CpuTime {
    /// Reads the accounts of process `pid`.
    ///
    /// # Errors
    /// When the process is gone or the kernel keeps no scheduler statistics.
    pub fn of(pid: u32) -> Result<Self> {
        let mut time = Self::default();
        let tasks = format!("/proc/{pid}/task");
        for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
            let path = task?.path().join("schedstat");
            // A thread may end between being listed and being read.
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            let ns = text.split_whitespace().next().unwrap_or_default();
            let ns = ns
                .parse()
                .with_context(|| format!("{} has no time", path.display()))?;
            time.total += Duration::from_nanos(ns);
        }
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        (time.user_ticks, time.system_ticks) =
            ticks_of(&text).with_context(|| format!("{path} has no utime and stime"))?;
        Ok(time)
    }

    /// Returns what was spent since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            user_ticks: self.user_ticks.saturating_sub(before.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(before.system_ticks),
        }
    }

    /// The share of user mode, 0 to 1: sampled at ticks, so the more seconds, the truer.
    #[must_use]
    pub fn user_share(self) -> f64 {
        let ticks = self.user_ticks + self.system_ticks;
        if ticks == 0 {
            return 0.0;
        }
        count(self.user_ticks) / count(ticks)
    }
}

/// User and system ticks from a line of /proc/PID/stat: fields 14 and 15 (proc(5)). The name in
/// field 2 may hold spaces and brackets, so counting begins behind its last bracket.
fn ticks_of(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some((user.parse().ok()?, system.parse().ok()?))
}

/// Memory of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident pages, KiB.
    pub rss_kib: u64,
    /// Resident pages, those shared with other processes divided among them, KiB.
    pub pss_kib: u64,
}

impl Memory {
    /// Reads the accounts of process `pid`.
    ///
    /// # Errors
    /// When the process is gone or belongs to somebody else.
    pub fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_whitespace().next());
            value
                .and_then(|value| value.parse().ok())
                .with_context(|| format!("{path} has no {name}"))
        };
        Ok(Self {
            rss_kib: field("Rss:")?,
            pss_kib: field("Pss:")?,
        })
    }
}

/// A count as a number to divide.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^52"
)]
#[must_use]
pub fn count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn our_own_accounts_grow_with_work() {
        let pid = std::process::id();
        let before = CpuTime::of(pid).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(60) {
            std::hint::spin_loop();
        }
        let spent = CpuTime::of(pid).unwrap().since(before);
        assert!(spent.total > Duration::from_millis(5), "{spent:?}");
        let memory = Memory::of(pid).unwrap();
        assert!(memory.rss_kib > 500 && memory.pss_kib <= memory.rss_kib);
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 1200 340 0 0 20 0";
        assert_eq!(ticks_of(line), Some((1200, 340)));
        assert_eq!(ticks_of("7 (a"), None);
    }

    #[test]
    fn shares_of_nothing_are_nothing() {
        assert!(CpuTime::default().user_share().abs() < f64::EPSILON);
        let time = CpuTime {
            user_ticks: 1,
            system_ticks: 3,
            ..CpuTime::default()
        };
        assert!((time.user_share() - 0.25).abs() < 1e-9);
    }
}
