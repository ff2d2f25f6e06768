//! `watershed run | control | edge`: the daemon.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use watershed::config::Config;
use watershed::wiring::{self, Duty};

/// Runs a daemon until it is told to end by SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start.
pub(crate) fn run(duty: Duty, config: Config) -> anyhow::Result<()> {
    for notice in &config.notices {
        tracing::warn!("{notice}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("ending");
            stop.send_replace(true);
        });
        wiring::run(duty, config, stopped).await
    })
}
