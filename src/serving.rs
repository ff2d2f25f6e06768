//! Serving's state: one pointer to the snapshot with the views that DNS and HTTP derive from it,
//! and the intake that checks, keeps on disk and swaps in whatever the control plane publishes.

use anyhow::Context;
use arc_swap::ArcSwap;
use coverage::record::{self, Refusal};
use coverage::{AreaTable, Digest, Snapshot};
use dns::DnsView;
use ed25519_dalek::VerifyingKey;
use redirect::HttpView;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch;

/// A snapshot with all views of it: built before the swap and swapped with it, so that one load
/// sees one generation.
pub(crate) struct Serving {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    dns: DnsView,
    http: HttpView,
}

impl AsRef<DnsView> for Serving {
    fn as_ref(&self) -> &DnsView {
        &self.dns
    }
}

impl AsRef<HttpView> for Serving {
    fn as_ref(&self) -> &HttpView {
        &self.http
    }
}

/// The one pointer.
pub(crate) type ServingCell = Arc<ArcSwap<Serving>>;

/// Reason for which a record was not taken in. Serving goes on with what it has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// The record itself was refused.
    #[error("map refused: {0}")]
    Refused(#[from] Refusal),
    /// A view could not be built from it.
    #[error("map refused: {0}")]
    View(String),
    /// A file named `pin` in the data directory holds the map.
    #[error("the map is pinned by the file {0}; remove it to follow the control plane again")]
    Pinned(PathBuf),
}

impl IntakeError {
    /// A short label for counters.
    #[must_use]
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::View(_) => "view",
            Self::Pinned(_) => "pinned",
        }
    }
}

/// Takes map records in, for one process. All writes go through here; readers only load the cell.
pub(crate) struct Intake {
    data_dir: PathBuf,
    keys: Vec<VerifyingKey>,
    /// Held while a record is checked and swapped in, so that two never race.
    table: Mutex<Option<Arc<AreaTable>>>,
    cell: OnceLock<ServingCell>,
    /// Turns true with the first map.
    ready: watch::Sender<bool>,
}

impl Intake {
    /// An intake that serves nothing yet.
    #[must_use]
    pub(crate) fn new(
        data_dir: &Path,
        keys: Vec<VerifyingKey>,
        table: Option<Arc<AreaTable>>,
    ) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            keys,
            table: Mutex::new(table),
            cell: OnceLock::new(),
            ready: watch::Sender::new(false),
        }
    }

    /// Waits for the first map.
    pub(crate) async fn ready(&self) {
        // The sender lives in `self`, so this cannot fail before it is true.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// The cell, once a first map is in.
    pub(crate) fn cell(&self) -> Option<&ServingCell> {
        self.cell.get()
    }

    /// The snapshot in service.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.cell
            .get()
            .map(|cell| Arc::clone(&cell.load().snapshot))
    }

    /// Takes another area table; maps made for it are accepted from now on.
    pub(crate) fn set_table(&self, table: Arc<AreaTable>) {
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = Some(table);
    }

    /// Checks a record, keeps it on disk and swaps it in.
    ///
    /// # Errors
    /// [`IntakeError`]; what was in service stays.
    pub(crate) fn take(&self, record: &[u8]) -> Result<Arc<Snapshot>, IntakeError> {
        let pin = self.data_dir.join("pin");
        if self.cell.get().is_some() && pin.exists() {
            return self.count(Err(IntakeError::Pinned(pin)));
        }
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.check(record, table.as_ref()).inspect(|serving| {
            // A full disk must not stop serving: the map is swapped in all the same, and the loss
            // is alarmed.
            if let Err(fault) = keep_file(&self.data_dir, "map.wsm", Some("map.previous.wsm"), record) {
                metrics::counter!("watershed_map_persist_failures_total").increment(1);
                tracing::error!(%fault, "the map could not be kept on disk; a restart would serve an older one");
            }
            self.swap(Arc::clone(serving));
        });
        drop(table);
        self.count(taken.map(|serving| Arc::clone(&serving.snapshot)))
    }

    /// Starts from disk: the newest kept map, else the one before it. `None` when neither can be
    /// served.
    pub(crate) fn restore(&self) -> Option<Arc<Snapshot>> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        for name in ["map.wsm", "map.previous.wsm"] {
            let path = self.data_dir.join(name);
            let Ok(record) = fs::read(&path) else {
                continue;
            };
            match self.check(&record, table.as_ref()) {
                Ok(serving) => {
                    self.swap(Arc::clone(&serving));
                    return Some(Arc::clone(&serving.snapshot));
                }
                Err(fault) => {
                    metrics::counter!("watershed_map_refused_total", "reason" => fault.reason())
                        .increment(1);
                    tracing::error!(path = %path.display(), %fault, "a kept map cannot be served");
                }
            }
        }
        None
    }

    fn check(
        &self,
        record: &[u8],
        table: Option<&Arc<AreaTable>>,
    ) -> Result<Arc<Serving>, IntakeError> {
        let opened = record::open(record, &self.keys)?;
        let wanted = opened.header.table_digest;
        let table = table.ok_or(Refusal::Table { wanted })?;
        let serving = self.snapshot();
        let snapshot = Arc::new(opened.accept(serving.as_deref(), table)?);
        let dns = DnsView::build(Arc::clone(&snapshot))
            .map_err(|fault| IntakeError::View(fault.to_string()))?;
        let http = HttpView::build(Arc::clone(&snapshot))
            .map_err(|fault| IntakeError::View(fault.to_string()))?;
        Ok(Arc::new(Serving {
            snapshot,
            dns,
            http,
        }))
    }

    fn swap(&self, serving: Arc<Serving>) {
        let version = serving.snapshot.version;
        let cell = self
            .cell
            .get_or_init(|| Arc::new(ArcSwap::new(Arc::clone(&serving))));
        cell.store(serving);
        self.ready.send_replace(true);
        #[expect(
            clippy::cast_precision_loss,
            reason = "gauges are floats; versions stay far below 2^52"
        )]
        {
            metrics::gauge!("watershed_map_epoch").set(version.epoch as f64);
            metrics::gauge!("watershed_map_version").set(version.version as f64);
        }
    }

    fn count<T>(&self, taken: Result<T, IntakeError>) -> Result<T, IntakeError> {
        match &taken {
            Ok(_) => metrics::counter!("watershed_map_accepted_total").increment(1),
            Err(fault) => {
                metrics::counter!("watershed_map_refused_total", "reason" => fault.reason())
                    .increment(1);
            }
        }
        taken
    }
}

/// Writes a file so that a crash leaves either the old content or the new: temporary file, fsync,
/// rename, fsync of the directory. With `previous`, the old file is kept under that name.
///
/// # Errors
/// The first failing step; the old file is then still there, under one of the two names.
pub fn keep_file(dir: &Path, name: &str, previous: Option<&str>, content: &[u8]) -> io::Result<()> {
    let path = dir.join(name);
    let temporary = dir.join(format!(".{name}.new"));
    let mut file = fs::File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    if let Some(previous) = previous
        && path.exists()
    {
        fs::rename(&path, dir.join(previous))?;
    }
    fs::rename(&temporary, &path)?;
    fs::File::open(dir)?.sync_all()
}

/// Reads an area table from a file.
///
/// # Errors
/// When the file cannot be read or is no area table.
pub fn read_table(path: &Path) -> anyhow::Result<Arc<AreaTable>> {
    let bytes =
        fs::read(path).with_context(|| format!("cannot read the area table {}", path.display()))?;
    let table = AreaTable::decode(&bytes).with_context(|| {
        format!(
            "{} is no area table; build one with `watershed geo build`",
            path.display()
        )
    })?;
    Ok(Arc::new(table))
}

/// Keeps an area table that was fetched, under the name that [`read_table`] is given at the next
/// start.
///
/// # Errors
/// When it does not have the wanted digest, does not decode, or cannot be written.
pub(crate) fn keep_table(
    dir: &Path,
    bytes: &[u8],
    wanted: Digest,
) -> anyhow::Result<Arc<AreaTable>> {
    let table = AreaTable::decode(bytes).context("the fetched area table does not decode")?;
    anyhow::ensure!(
        table.digest() == wanted.0,
        "the fetched area table is not {wanted}"
    );
    keep_file(dir, "areas.wsa", None, bytes)?;
    Ok(Arc::new(table))
}
