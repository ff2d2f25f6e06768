//! The embedded store: one SQLite file in the data directory.

use super::{AuditEntry, LedgerRow, LinkParts, StateStore, StoreError};
use coverage::Timestamp;
use engine::billing::UsualDemand;
use engine::drain::Drain;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// Tables of format 1. `user_version` tells which format a file has.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS drain (id TEXT PRIMARY KEY, requested_at INTEGER NOT NULL, record TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS ledger (meter TEXT NOT NULL, slot INTEGER NOT NULL, mbps REAL NOT NULL,
                                       PRIMARY KEY (meter, slot)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ledger_part (meter TEXT NOT NULL, slot INTEGER NOT NULL, links TEXT NOT NULL,
                                            PRIMARY KEY (meter, slot)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS demand (place INTEGER PRIMARY KEY, units TEXT NOT NULL, bin INTEGER NOT NULL,
                                       ratio REAL NOT NULL, mbps BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL,
                                      action TEXT NOT NULL, detail TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS flag (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    PRAGMA user_version = 1;
";

/// State in one file.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    connection: Connection,
}

impl SqliteStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be opened, is locked by another process, or is no store.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        // A write is durable when it returns: kill -9 and power loss alike.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Two daemons on one data directory would fight over epochs; the second is refused.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }

    /// Traffic of links by (slot, meter), of few slots. A row that does not decode is no reason not
    /// to start: its slot is known less exactly.
    fn ledger_parts(&self) -> Result<HashMap<(i64, String), LinkParts>, StoreError> {
        let mut query = self
            .connection
            .prepare("SELECT slot, meter, links FROM ledger_part")?;
        let parts = query.query_map([], |row| {
            let links: String = row.get(2)?;
            let parts = serde_json::from_str(&links).unwrap_or_default();
            Ok(((row.get(0)?, row.get(1)?), parts))
        })?;
        Ok(parts.collect::<Result<_, _>>()?)
    }

    fn counter(&self, name: &str) -> Result<u64, StoreError> {
        let value: Option<i64> = self
            .connection
            .query_row("SELECT value FROM counter WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(value
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(0))
    }

    fn raise(&self, name: &str, value: u64) -> Result<(), StoreError> {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.connection.execute(
            "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
            params![name, value],
        )?;
        Ok(())
    }
}

/// SQLite keeps signed integers; times are far below their bound.
fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp(u64::try_from(millis).unwrap_or(0))
}

impl StateStore for SqliteStore {
    fn take_epoch(&mut self, above: u64) -> Result<u64, StoreError> {
        let epoch = self.counter("epoch")?.max(above) + 1;
        self.raise("epoch", epoch)?;
        Ok(epoch)
    }

    fn reserve_version(&mut self, version: u64) -> Result<(), StoreError> {
        self.raise("version", version)
    }

    fn reserved_version(&self) -> Result<u64, StoreError> {
        self.counter("version")
    }

    fn put_drains(&mut self, drains: &[Drain]) -> Result<(), StoreError> {
        let change = self.connection.transaction()?;
        for drain in drains {
            let record = serde_json::to_string(drain).map_err(|fault| StoreError::Record {
                key: drain.id.clone(),
                fault: fault.to_string(),
            })?;
            change.execute(
                "INSERT OR REPLACE INTO drain VALUES (?1, ?2, ?3)",
                params![drain.id, millis(drain.requested_at), record],
            )?;
        }
        Ok(change.commit()?)
    }

    fn drains(&self) -> Result<Vec<Drain>, StoreError> {
        let mut query = self
            .connection
            .prepare("SELECT id, record FROM drain ORDER BY requested_at, id")?;
        let rows = query.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        rows.map(|row| {
            let (key, record) = row?;
            serde_json::from_str(&record).map_err(|fault| StoreError::Record {
                key,
                fault: fault.to_string(),
            })
        })
        .collect()
    }

    fn forget_drains(&mut self, ids: &[String]) -> Result<(), StoreError> {
        let change = self.connection.transaction()?;
        for id in ids {
            change.execute("DELETE FROM drain WHERE id = ?1", [id])?;
        }
        Ok(change.commit()?)
    }

    fn put_ledger(&mut self, rows: &[LedgerRow], parts_span: Duration) -> Result<(), StoreError> {
        let change = self.connection.transaction()?;
        let span = i64::try_from(parts_span.as_millis()).unwrap_or(i64::MAX);
        for row in rows {
            let slot = millis(row.slot);
            change.execute(
                "INSERT OR REPLACE INTO ledger VALUES (?1, ?2, ?3)",
                params![row.meter, slot, row.mbps],
            )?;
            // Parts that are no longer those of the row would explain it wrongly.
            let ends = (slot.saturating_sub(span), slot.saturating_add(span));
            change.execute(
                "DELETE FROM ledger_part WHERE meter = ?1 AND (slot < ?2 OR slot = ?3 OR slot > ?4)",
                params![row.meter, ends.0, slot, ends.1],
            )?;
            if row.parts.is_empty() {
                continue;
            }
            let links = serde_json::to_string(&row.parts).map_err(|fault| StoreError::Record {
                key: format!("of the links of {}", row.meter),
                fault: fault.to_string(),
            })?;
            change.execute(
                "INSERT INTO ledger_part VALUES (?1, ?2, ?3)",
                params![row.meter, slot, links],
            )?;
        }
        Ok(change.commit()?)
    }

    fn ledger_newest(&self, slots: u64) -> Result<Vec<LedgerRow>, StoreError> {
        let mut parts = self.ledger_parts()?;
        let mut query = self.connection.prepare(
            "SELECT meter, slot, mbps FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY meter ORDER BY slot DESC) AS place
             FROM ledger) WHERE place <= ?1 ORDER BY slot, meter",
        )?;
        let most = i64::try_from(slots).unwrap_or(i64::MAX);
        let rows = query.query_map([most], |row| {
            let place = (row.get(1)?, row.get(0)?);
            let parts = parts.remove(&place).unwrap_or_default();
            let (slot, meter) = place;
            Ok(LedgerRow {
                meter,
                slot: timestamp(slot),
                mbps: row.get(2)?,
                parts,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn prune_ledger(&mut self, slots: u64, span: Duration, most: u32) -> Result<usize, StoreError> {
        let change = self.connection.transaction()?;
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        // Each meter by a step along the key; only those that have anything old.
        let meters: Vec<String> = change
            .prepare(
                "WITH RECURSIVE each (meter) AS (SELECT min(meter) FROM ledger UNION ALL
                 SELECT (SELECT min(meter) FROM ledger WHERE meter > each.meter) FROM each WHERE each.meter IS NOT NULL)
                 SELECT meter FROM each WHERE (SELECT min(slot) FROM ledger WHERE meter = each.meter) <=
                 (SELECT max(slot) FROM ledger WHERE meter = each.meter) - ?1",
            )?
            .query_map([span], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let kept = i64::try_from(slots).unwrap_or(i64::MAX);
        let mut removed = 0;
        for meter in meters {
            let left = i64::from(most) - i64::try_from(removed).unwrap_or(i64::MAX);
            removed += change.execute(
                "DELETE FROM ledger WHERE meter = ?1 AND slot IN (SELECT slot FROM ledger WHERE meter = ?1 AND slot <=
                 (SELECT slot FROM ledger WHERE meter = ?1 ORDER BY slot DESC LIMIT 1 OFFSET ?2) AND slot <=
                 (SELECT max(slot) FROM ledger WHERE meter = ?1) - ?3 ORDER BY slot LIMIT ?4)",
                params![meter, kept, span, left],
            )?;
        }
        change.commit()?;
        Ok(removed)
    }

    fn put_demand(&mut self, units: &str, usual: &UsualDemand) -> Result<(), StoreError> {
        let place = i64::try_from(usual.place()).unwrap_or(i64::MAX);
        let bytes = usual.mbps.iter().flat_map(|mbps| mbps.to_le_bytes());
        let mbps: Vec<u8> = bytes.collect();
        self.connection.execute(
            "INSERT OR REPLACE INTO demand VALUES (?1, ?2, ?3, ?4, ?5)",
            params![place, units, usual.bin, usual.ratio, mbps],
        )?;
        Ok(())
    }

    fn demand(&self, units: &str) -> Result<Vec<UsualDemand>, StoreError> {
        let mut query = self
            .connection
            .prepare("SELECT bin, ratio, mbps FROM demand WHERE units = ?1")?;
        let rows = query.query_map([units], |row| {
            let bytes: Vec<u8> = row.get(2)?;
            let (numbers, _) = bytes.as_chunks();
            Ok(UsualDemand {
                bin: row.get(0)?,
                ratio: row.get(1)?,
                mbps: numbers.iter().copied().map(f32::from_le_bytes).collect(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn audit(
        &mut self,
        at: Timestamp,
        who: &str,
        action: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        self.connection.execute(
            "INSERT INTO audit (at, who, action, detail) VALUES (?1, ?2, ?3, ?4)",
            params![millis(at), who, action, detail],
        )?;
        Ok(())
    }

    fn audit_tail(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let mut query = self
            .connection
            .prepare("SELECT id, at, who, action, detail FROM audit ORDER BY id DESC LIMIT ?1")?;
        let rows = query.query_map([limit], |row| {
            Ok(AuditEntry {
                id: row.get(0)?,
                at: timestamp(row.get(1)?),
                who: row.get(2)?,
                action: row.get(3)?,
                detail: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn prune_audit(&mut self, before: Timestamp, most: u32) -> Result<usize, StoreError> {
        Ok(self.connection.execute(
            // No more than the oldest are looked at.
            "DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, at FROM audit ORDER BY id LIMIT ?2) WHERE at < ?1)",
            params![millis(before), most],
        )?)
    }

    fn flag(&self, name: &str) -> Result<Option<String>, StoreError> {
        let query = "SELECT value FROM flag WHERE name = ?1";
        Ok(self
            .connection
            .query_row(query, [name], |row| row.get(0))
            .optional()?)
    }

    fn set_flag(&mut self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        match value {
            Some(value) => self
                .connection
                .execute("INSERT OR REPLACE INTO flag VALUES (?1, ?2)", [name, value])?,
            None => self
                .connection
                .execute("DELETE FROM flag WHERE name = ?1", [name])?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
