//! The `watershed` binary: reads the command line, does what it says, and ends with the exit code
//! of the outcome.
//!
//! ```text
//!   args -> commands: run | control | edge -> wiring of the library
//!                     demo | simulate      -> the simulator, against processes of this binary
//!                     everything else      -> client of a running daemon, or the engine on files
//! ```

mod args;
mod commands;

use args::CommandLine;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Filter of the log when `WATERSHED_LOG` does not say otherwise.
const LOG: &str = "info";

fn main() -> ExitCode {
    // Faults of usage end here with exit code 2, help and version with 0.
    let line = CommandLine::read(env::args_os()).unwrap_or_else(|fault| fault.exit());
    log_to_stderr();
    match commands::dispatch(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(io::stderr().lock(), "watershed: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Sends the log to standard error, where it does not mix with answers.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("WATERSHED_LOG").unwrap_or_else(|_| EnvFilter::new(LOG));
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    format.with_ansi(io::stderr().is_terminal()).init();
}
