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
use watershed::config::Config;

/// The demo's configuration in its folder.
const CONFIG_FILE: &str = "watershed.toml";

/// Options of the demo.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoArgs {
    /// Stay up at the end and print commands to try; ends with Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Folder with the demo's configuration.
    #[arg(long, default_value = "demo", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Folder for its state; emptied at the start.
    #[arg(long, default_value = "var/demo", value_name = "DIR")]
    pub(crate) state: PathBuf,
}

/// Tells the story and fails if any of its checks does.
///
/// # Errors
/// When the configuration is wrong, a process does not start, or a check failed.
pub(crate) fn demo(json: bool, args: &DemoArgs) -> Result<(), CommandError> {
    let config_file = args.dir.join(CONFIG_FILE);
    let config = Config::load(&config_file, &[])
        .map_err(|faults| CommandError::Usage(faults.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let checks: Checks = runtime
        .map_err(anyhow::Error::from)?
        .block_on(story::tell(json, args, config))?;
    if checks.failed() == 0 {
        return Ok(());
    }
    Err(CommandError::Failed(anyhow::anyhow!(
        "{} of the demo's checks failed",
        checks.failed()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_configuration_is_bad_input() {
        let dir = tempfile::tempdir().unwrap();
        let args = DemoArgs {
            keep: false,
            dir: dir.path().join("none"),
            state: dir.path().join("state"),
        };
        let fault = demo(false, &args).unwrap_err();
        assert_eq!(fault.exit_code(), 2, "{fault}");
        assert!(!args.state.exists());
    }
}
