//! Publishing: version, signature, the same checks that every consumer makes, and a short history
//! of maps on disk.

use crate::serving::{Intake, IntakeError, keep_file};
use crate::store::{StateStore, StoreError};
use anyhow::Context;
use coverage::record::{self, Header, SealError};
use coverage::{Body, Digest, MapVersion, Snapshot, Timestamp};
use ed25519_dalek::SigningKey;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maps kept for `map diff` and `map rollback`.
const HISTORY_MAX: usize = 32;

/// Reason for which a map was not published. The one in force stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The store could not make its version durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The map does not encode.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The map fails the checks that every consumer makes.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// Signs and numbers maps for one control plane.
pub(crate) struct Publisher {
    key: SigningKey,
    version: MapVersion,
    parent: Digest,
    table_digest: Digest,
    history: PathBuf,
}

impl Publisher {
    /// Takes the next epoch, above that of the map in force even when the store was lost.
    ///
    /// # Errors
    /// When the epoch cannot be made durable or the history has no place.
    pub(crate) fn new(
        data_dir: &Path,
        key: SigningKey,
        table_digest: Digest,
        store: &mut dyn StateStore,
        serving: Option<&Snapshot>,
    ) -> anyhow::Result<Self> {
        let history = data_dir.join("maps");
        fs::create_dir_all(&history)
            .with_context(|| format!("cannot create {}", history.display()))?;
        let known = serving.map(|snapshot| snapshot.version).unwrap_or_default();
        let version = store.reserved_version()?.max(known.version);
        let epoch = store.take_epoch(known.epoch)?;
        let parent = serving.map(|snapshot| snapshot.digest).unwrap_or_default();
        Ok(Self {
            key,
            version: MapVersion { epoch, version },
            parent,
            table_digest,
            history,
        })
    }

    /// Numbers, signs, checks and puts a map into service.
    ///
    /// # Errors
    /// [`PublishError`]; the number is used up, the map in force stays.
    pub(crate) fn publish(
        &mut self,
        body: &Body,
        input_digest: Digest,
        store: &mut dyn StateStore,
        intake: &Intake,
        now: Timestamp,
    ) -> Result<(Arc<Snapshot>, Arc<Vec<u8>>), PublishError> {
        let version = MapVersion {
            version: self.version.version + 1,
            ..self.version
        };
        store.reserve_version(version.version)?;
        self.version = version;
        let (parent, table_digest) = (self.parent, self.table_digest);
        let header = Header {
            version,
            parent,
            created_at: now,
            table_digest,
            input_digest,
            body_bytes: 0,
        };
        let record = record::seal(header, body, &self.key)?;
        let snapshot = intake.take(&record)?;
        self.parent = snapshot.digest;
        if let Err(fault) = self.keep(version, &record) {
            tracing::warn!(%fault, "the map is in service but not in the history; rollback to it will not work");
        }
        Ok((snapshot, Arc::new(record)))
    }

    /// The body of a kept map; `None` asks for the newest that is not in force.
    ///
    /// # Errors
    /// When it is not kept or does not read.
    pub(crate) fn kept(&self, wanted: Option<MapVersion>) -> anyhow::Result<(MapVersion, Body)> {
        let wanted = match wanted {
            Some(wanted) => wanted,
            None => *self
                .versions()?
                .iter()
                .rev()
                .find(|version| **version < self.version)
                .context("there is no earlier map to go back to")?,
        };
        let path = self.path(wanted);
        let record = fs::read(&path).with_context(|| {
            format!("map {wanted} is not kept: only the newest {HISTORY_MAX} are; list them with `watershed map show`")
        })?;
        let opened = record::open(&record, &[self.key.verifying_key()])?;
        Ok((wanted, opened.body()?))
    }

    fn path(&self, version: MapVersion) -> PathBuf {
        self.history.join(format!("{version}.wsm"))
    }

    fn keep(&self, version: MapVersion, record: &[u8]) -> anyhow::Result<()> {
        keep_file(&self.history, &format!("{version}.wsm"), None, record)?;
        let versions = self.versions()?;
        let surplus = versions.len().saturating_sub(HISTORY_MAX);
        for old in &versions[..surplus] {
            fs::remove_file(self.path(*old))?;
        }
        Ok(())
    }

    /// Versions that are kept, ascending.
    fn versions(&self) -> anyhow::Result<Vec<MapVersion>> {
        let mut versions = Vec::new();
        for entry in fs::read_dir(&self.history)? {
            let name = entry?.file_name();
            let version = name.to_str().and_then(|name| name.strip_suffix(".wsm"));
            versions.extend(version.and_then(|text| text.parse::<MapVersion>().ok()));
        }
        versions.sort_unstable();
        Ok(versions)
    }
}
