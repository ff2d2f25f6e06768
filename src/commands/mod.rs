//! Commands of the command line, one file each, and what they share: their end, and the way to a
//! daemon.

mod bills;
mod check;
mod connect;
pub(crate) mod demo;
mod drain;
mod explain;
mod geo;
mod import;
mod map;
mod outcome;
mod output;
pub(crate) mod run;
pub(crate) mod simulate;
mod solve;
mod status;
mod token;

pub(crate) use outcome::CommandError;

use crate::args::{Command, CommandLine, Global};
use watershed::config::Config;
use watershed::wiring::Duty;

/// Does what the command line says.
///
/// # Errors
/// [`CommandError`], whose exit code scripts rely on.
pub(crate) fn dispatch(line: CommandLine) -> Result<(), CommandError> {
    let CommandLine { global, command } = line;
    match command {
        Command::Run => Ok(run::run(Duty::All, config(&global)?)?),
        Command::Control => Ok(run::run(Duty::Control, config(&global)?)?),
        Command::Edge => Ok(run::run(Duty::Edge, config(&global)?)?),
        Command::Demo(args) => demo::demo(global.json, &args),
        Command::Simulate(simulate::SimulateArgs {
            what: Some(simulate::Other::Month(args)),
            ..
        }) => simulate::run_month(&global, &args),
        Command::Simulate(args) => {
            let config = config(&global)?;
            Ok(simulate::run(&config, global.token_file, &args)?)
        }
        Command::Check => check::check(&global),
        Command::Solve(args) => solve::solve(&global, &args),
        Command::Explain(args) => explain::explain(&global, &args),
        Command::Drain(args) => drain::drain(&global, &args),
        Command::Undrain(args) => drain::undrain(&global, &args),
        Command::Drains => drain::list(&global),
        Command::Status => status::status(&global),
        Command::Bills => bills::bills(&global),
        Command::Map(command) => map::map(&global, command),
        Command::Geo(command) => geo::geo(&global, &command),
        Command::Import(command) => import::import(&global, &command),
        Command::Token(command) => token::token(&global, &command),
    }
}

/// The configuration that `-c` names, with what `--set` puts over it.
fn config(global: &Global) -> Result<Config, CommandError> {
    let path = global.config.as_deref().ok_or_else(|| {
        CommandError::Usage("name the configuration: -c watershed.toml".to_owned())
    })?;
    Config::load(path, &global.set).map_err(|faults| CommandError::Usage(faults.to_string()))
}
