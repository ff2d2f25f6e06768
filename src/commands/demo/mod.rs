//! `watershed demo`: the main job on real geography, embedded, with checks that can fail.
//!
//! ```text
//!   this process: the story and its checks
//!     |-- watershed control    engine and API          killed and started again on the way
//!     |-- watershed edge       DNS, 302, HTTPDNS
//!     `-- watershed simulate   resolvers and clients of about 460 areas, over the wire
//! ```
//! Nothing here decides anything: every figure is read back over the same sockets that a user has.

mod ask;
mod cast;
mod checks;
mod costs;
mod places;
mod story;

use super::CommandError;
use checks::Checks;
use std::path::PathBuf;

/// How the demo runs.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Stay up at the end and print commands to try; ends with Ctrl-C.
    #[arg(long)]
    pub keep: bool,
    /// Folder with the demo's configuration.
    #[arg(long, default_value = "demo", value_name = "DIR")]
    pub dir: PathBuf,
    /// Folder for its state; emptied at the start.
    #[arg(long, default_value = "var/demo", value_name = "DIR")]
    pub state: PathBuf,
}

/// Tells the story and fails if any of its checks does.
///
/// # Errors
/// When a process does not start, or a check failed.
pub fn demo(json: bool, args: &DemoArgs) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let checks: Checks = runtime
        .map_err(anyhow::Error::from)?
        .block_on(story::tell(json, args))?;
    if checks.failed() == 0 {
        return Ok(());
    }
    Err(CommandError::Failed(anyhow::anyhow!(
        "{} of the demo's checks failed",
        checks.failed()
    )))
}
