//! Pruning of the store: billing slots that no bill needs any more, and old entries of the audit
//! log.

use super::Actor;
use crate::clock::now;
use crate::store::{StateStore, StoreError};
use coverage::Timestamp;
use std::time::{Duration, Instant};

/// Slots of each meter are kept for so long: the running month and the two before it.
const LEDGER_KEPT: Duration = Duration::from_hours(93 * 24);
/// Time between two runs.
const EVERY: Duration = Duration::from_hours(24);
/// The same while there is more to remove than one run may.
const EVERY_WHILE_MORE: Duration = Duration::from_mins(1);
/// Most rows of each table that one run removes: nobody waits for long while it does.
const ROWS_MAX: u32 = 10_000;

/// Times of pruning, and bounds on what is kept.
pub(super) struct Pruning {
    /// Slots of each meter.
    slots: u64,
    /// Time that entries of the audit log are kept.
    audit_kept: Duration,
    /// Time of the newest entry of the audit log that was there at the start, and the
    /// start.
    newest: (Option<Timestamp>, Instant),
    next: Instant,
}

impl Pruning {
    /// Due at once. Slots are `slot` long.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn new(
        slot: Duration,
        audit_kept: Duration,
        store: &dyn StateStore,
    ) -> Result<Self, StoreError> {
        let newest = store.audit_tail(1)?.first().map(|entry| entry.at);
        Ok(Self {
            newest: (newest, Instant::now()),
            slots: LEDGER_KEPT.as_secs() / slot.as_secs().max(1),
            audit_kept,
            next: Instant::now(),
        })
    }

    /// `at`, but no later than the newest entry at the start says: a clock that is ahead must not
    /// empty the log.
    fn no_later(&self, at: Timestamp) -> Timestamp {
        let (newest, start) = self.newest;
        newest.map_or(at, |newest| at.min(newest.after(start.elapsed())))
    }

    /// Removes a bounded number of rows. Returns whether there is more.
    fn run(&self, store: &mut dyn StateStore, at: Timestamp) -> Result<bool, StoreError> {
        let kept_ms = u64::try_from(self.audit_kept.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp(self.no_later(at).0.saturating_sub(kept_ms));
        let slots = store.prune_ledger(self.slots, LEDGER_KEPT, ROWS_MAX)?;
        let entries = store.prune_audit(before, ROWS_MAX)?;
        if slots + entries > 0 {
            tracing::info!(slots, entries, "old rows are removed from the store");
        }
        Ok(slots.max(entries) >= ROWS_MAX as usize)
    }
}

impl Actor {
    /// Prunes the store when it is time.
    pub(super) fn prune(&mut self) {
        if Instant::now() < self.pruning.next {
            return;
        }
        let more = self.pruning.run(self.store.as_mut(), now());
        let more = more.unwrap_or_else(|fault| {
            tracing::warn!(%fault, "old rows stay in the store; it is tried again tomorrow");
            false
        });
        let wait = if more { EVERY_WHILE_MORE } else { EVERY };
        self.pruning.next = Instant::now() + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LedgerRow, SqliteStore};

    #[test]
    fn a_backlog_is_removed_in_bounded_runs_and_what_bills_need_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&dir.path().join("state.db")).unwrap();
        let day_ms = 86_400_000;
        let row = |slot: u64| LedgerRow {
            meter: "m".to_owned(),
            slot: Timestamp(slot * 300_000),
            mbps: 1.0,
            ..LedgerRow::default()
        };
        // 93 days of five minutes, and a run and a bit more.
        let kept = 93 * 288;
        let rows: Vec<LedgerRow> = (0..kept + 10_005).map(row).collect();
        store.put_ledger(&rows, Duration::ZERO).unwrap();
        let now = Timestamp(500 * day_ms);
        store
            .audit(Timestamp(99 * day_ms), "ops", "map.pin", "old")
            .unwrap();
        store
            .audit(Timestamp(101 * day_ms), "ops", "map.pin", "x")
            .unwrap();
        let kept_for = Duration::from_hours(400 * 24);
        let pruning =
            |store: &SqliteStore| Pruning::new(Duration::from_mins(5), kept_for, store).unwrap();
        let ahead = Timestamp(5_000 * day_ms);
        assert_eq!(
            pruning(&store).no_later(ahead).0 / day_ms,
            101,
            "a clock that is years ahead"
        );
        store.audit(now, "ops", "map.unpin", "new").unwrap();
        let pruning = pruning(&store);
        assert!(pruning.run(&mut store, now).unwrap());
        assert!(!pruning.run(&mut store, now).unwrap());
        let left = store.ledger_newest(u64::MAX).unwrap();
        assert_eq!(left.len() as u64, kept);
        assert_eq!(left[0].slot, Timestamp(10_005 * 300_000));
        let tail = store.audit_tail(9).unwrap();
        let tail: Vec<&str> = tail.iter().map(|entry| entry.detail.as_str()).collect();
        assert_eq!(tail, ["new", "x"]);
    }
}
