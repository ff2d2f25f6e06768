//! An edge's subscription: it asks the control plane for whatever is newer than what it serves, and
//! keeps serving whatever the answer is. It needs no control plane to start once it has a map on
//! disk.

use crate::client::{ApiClient, ClientError};
use crate::serving::{Intake, IntakeError, keep_table};
use coverage::record::Refusal;
use coverage::{Digest, MapVersion};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest time for which a question for a newer map may stay open.
const WAIT: Duration = Duration::from_secs(20);
/// Pauses after failures double up to this bound; serving goes on meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// One edge's way to its control plane.
pub(crate) struct Subscription {
    /// Client for the control API.
    pub client: ApiClient,
    /// Name under which the control plane knows this edge.
    pub edge: String,
    /// Directory of fetched tables.
    pub data_dir: PathBuf,
    /// Intake that takes the records.
    pub intake: Arc<Intake>,
}

impl Subscription {
    /// Follows the control plane until `stop` turns true.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE_MIN;
        loop {
            let round = tokio::select! {
                round = self.round() => round,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match round {
                Ok(()) => pause = PAUSE_MIN,
                Err(fault) => {
                    tracing::warn!(%fault, "no newer map from the control plane; serving goes on");
                    metrics::counter!("watershed_map_fetch_failures_total").increment(1);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _ = stop.wait_for(|stop| *stop) => return,
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Asks once and takes in what comes.
    async fn round(&self) -> Result<(), anyhow::Error> {
        let serving = self
            .intake
            .snapshot()
            .map(|snapshot| snapshot.version)
            .unwrap_or_default();
        let Some(record) = self.fetch(serving).await? else {
            return Ok(());
        };
        match self.take(record.clone()).await {
            Err(IntakeError::Refused(Refusal::Table { wanted })) => {
                self.fetch_table(wanted).await?;
                Ok(self.take(record).await.map(|_| ())?)
            }
            taken => Ok(taken.map(|_| ())?),
        }
    }

    /// Checking a record is work for a thread of its own: the runtime also carries TCP and HTTP.
    async fn take(&self, record: Vec<u8>) -> Result<(), IntakeError> {
        let intake = Arc::clone(&self.intake);
        let taken = tokio::task::spawn_blocking(move || intake.take(&record).map(|_| ())).await;
        taken.unwrap_or_else(|fault| Err(IntakeError::View(fault.to_string())))
    }

    async fn fetch(&self, after: MapVersion) -> Result<Option<Vec<u8>>, ClientError> {
        let wait_s = WAIT.as_secs();
        let path = format!(
            "/v1/map/record?after={after}&wait={wait_s}s&edge={}",
            self.edge
        );
        self.client
            .get_bytes(&path, WAIT + Duration::from_secs(10))
            .await
    }

    async fn fetch_table(&self, wanted: Digest) -> Result<(), anyhow::Error> {
        let path = format!("/v1/areas/{wanted}");
        let bytes = self
            .client
            .get_bytes(&path, Duration::from_secs(60))
            .await?;
        let bytes =
            bytes.ok_or_else(|| anyhow::anyhow!("the control plane has no area table {wanted}"))?;
        self.intake
            .set_table(keep_table(&self.data_dir, &bytes, wanted)?);
        Ok(())
    }
}
