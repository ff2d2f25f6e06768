//! State that must survive: drains, the audit log, billing samples, usual demand, counters. One
//! interface, SQLite by default.
//!
//! What serving needs is not here: the last good map is a file that an edge reads without any
//! store.

mod sqlite;

pub(crate) use sqlite::SqliteStore;

use coverage::Timestamp;
use engine::billing::UsualDemand;
use engine::drain::Drain;
use std::collections::BTreeMap;
use std::time::Duration;

/// Link -> sum of its samples in Mbps, and how many there were.
pub(crate) type LinkParts = BTreeMap<String, (f64, u32)>;

/// A billing slot of a meter, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LedgerRow {
    /// Name of the meter.
    pub meter: String,
    /// Start of the slot.
    pub slot: Timestamp,
    /// Mean traffic, Mbps.
    pub mbps: f64,
    /// Traffic of its links, kept for as long as late samples may come.
    pub parts: LinkParts,
}

/// One entry of the audit log: who did what, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct AuditEntry {
    /// Rising number.
    pub id: i64,
    /// Time of the entry, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub at: Timestamp,
    /// Name of the token, or `system`.
    pub who: String,
    /// Deed, such as `drain.request`.
    pub action: String,
    /// To what, and why, in words.
    pub detail: String,
}

/// Reason for which state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database refused.
    #[error("state store: {0}; check that the data directory is writable and not full")]
    Database(#[from] rusqlite::Error),
    /// A stored record does not decode.
    #[error("state store: record {key} does not decode: {fault}")]
    Record {
        /// Key of the record.
        key: String,
        /// Fault of the record.
        fault: String,
    },
}

/// Keeps state. Every write is durable when it returns.
pub(crate) trait StateStore: Send {
    /// Takes the next epoch: greater than any that was ever taken, and than `above`.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be made durable; then nobody may publish under it.
    fn take_epoch(&mut self, above: u64) -> Result<u64, StoreError>;

    /// Reserves map versions up to and including `version`, so that no restart publishes one again.
    ///
    /// # Errors
    /// [`StoreError`].
    fn reserve_version(&mut self, version: u64) -> Result<(), StoreError>;

    /// The highest reserved version; 0 at first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn reserved_version(&self) -> Result<u64, StoreError>;

    /// Writes drains whole, replacing what is stored under their ids.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them is stored.
    fn put_drains(&mut self, drains: &[Drain]) -> Result<(), StoreError>;

    /// All stored drains, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn drains(&self) -> Result<Vec<Drain>, StoreError>;

    /// Removes drains that the engine has forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_drains(&mut self, ids: &[String]) -> Result<(), StoreError>;

    /// Stores billing slots, replacing equal (meter, slot). Of parts, those of slots stay that are
    /// no more than `parts_span` from the one written last.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them is stored.
    fn put_ledger(&mut self, rows: &[LedgerRow], parts_span: Duration) -> Result<(), StoreError>;

    /// The newest billing slots of each meter, at most so many, oldest first: no clock is asked,
    /// since one may have been wrong.
    ///
    /// # Errors
    /// [`StoreError`].
    fn ledger_newest(&self, slots: u64) -> Result<Vec<LedgerRow>, StoreError>;

    /// Removes billing slots of each meter that are neither among its newest `slots` nor within
    /// `span` of the newest of all its slots, oldest first, at most `most` rows. Returns how many
    /// were removed. No clock is asked, and one that was far ahead for a while takes nothing away;
    /// neither does another length of slots.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is removed.
    fn prune_ledger(&mut self, slots: u64, span: Duration, most: u32) -> Result<usize, StoreError>;

    /// Stores what is usual in one bin of the week, in the place of what was; `units` says whose
    /// demand it is.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_demand(&mut self, units: &str, usual: &UsualDemand) -> Result<(), StoreError>;

    /// Usual demand of `units`, in any order: at most one for each bin of the week.
    ///
    /// # Errors
    /// [`StoreError`].
    fn demand(&self, units: &str) -> Result<Vec<UsualDemand>, StoreError>;

    /// Appends to the audit log.
    ///
    /// # Errors
    /// [`StoreError`].
    fn audit(
        &mut self,
        at: Timestamp,
        who: &str,
        action: &str,
        detail: &str,
    ) -> Result<(), StoreError>;

    /// The newest entries of the audit log, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn audit_tail(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;

    /// Removes entries of the audit log that are older than `before`, oldest first, at most `most`.
    /// Returns how many were removed.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is removed.
    fn prune_audit(&mut self, before: Timestamp, most: u32) -> Result<usize, StoreError>;

    /// A named flag that must survive, such as the pin of the map; `None` when it is not set.
    ///
    /// # Errors
    /// [`StoreError`].
    fn flag(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Sets or clears a flag.
    ///
    /// # Errors
    /// [`StoreError`].
    fn set_flag(&mut self, name: &str, value: Option<&str>) -> Result<(), StoreError>;
}
