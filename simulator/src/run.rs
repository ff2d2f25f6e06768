//! The running simulation: a task that ticks, and a handle to it.
//!
//! ```text
//!   commands --> [ask what ran out]                  DNS, 302, HTTPDNS
//!            --> [send traffic where answers said]   links, nodes, groups
//!            --> [tell telemetry] --> stats          POST /v1/telemetry
//! ```

use crate::config::SimulationConfig;
use crate::control::{Ask, Command, ParseError, parse};
use crate::demand::Filter;
use crate::population::Population;
use crate::runner::Runner;
use crate::stats::Stats;
use crate::topology::{Topology, WorldError};
use coverage::AreaTable;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Commands that may wait for the next tick.
const COMMANDS_MAX: usize = 64;
/// Shortest tick, ms.
const TICK_MS_MIN: u64 = 10;

/// Reason why a simulation does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The world does not hold together.
    #[error("world: {0}")]
    World(#[from] WorldError),
    /// No area of the table has addresses.
    #[error("the area table has no area with addresses: nobody would ask")]
    Nobody,
    /// A service's name is no domain name.
    #[error("service `{service}`: `{domain}` is no domain name")]
    Domain {
        /// The service.
        service: String,
        /// Name it has.
        domain: String,
    },
    /// An event is no command.
    #[error("event `{command}`: {source}")]
    Event {
        /// The event's command.
        command: String,
        /// Reason why it is none.
        source: ParseError,
    },
    /// An event names something that does not exist.
    #[error("event `{command}`: {source}")]
    EventName {
        /// The event's command.
        command: String,
        /// Fault.
        source: ControlError,
    },
    /// Sockets could not be opened.
    #[error("sockets: {0}")]
    Socket(#[from] std::io::Error),
}

/// Reason why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// A name that nothing has.
    #[error("unknown {what} `{name}`")]
    Unknown {
        /// Kind of thing that should have the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Too many commands wait for the end of a tick.
    #[error("busy: send again after the next tick")]
    Busy,
    /// The simulation has ended.
    #[error("the simulation has ended")]
    Stopped,
}

/// Names that commands may use.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) topology: Topology,
    pub(crate) population: Population,
}

impl Facts {
    /// Checks that all that a command names exists.
    pub(crate) fn check(&self, command: &Command) -> Result<(), ControlError> {
        let (what, name, known) = match command {
            Command::Hour(_) | Command::DaySeconds(_) => return Ok(()),
            Command::FailLink(name) | Command::RestoreLink(name) => {
                ("link", name, self.topology.link(name).is_some())
            }
            Command::FailNode(name) | Command::RestoreNode(name) => {
                ("node", name, self.topology.node(name).is_some())
            }
            Command::Scale(filter, _) => return self.check_filter(filter),
        };
        if known {
            Ok(())
        } else {
            Err(ControlError::Unknown {
                what,
                name: name.clone(),
            })
        }
    }

    fn check_filter(&self, filter: &Filter) -> Result<(), ControlError> {
        let unknown = |what, name: &String| ControlError::Unknown {
            what,
            name: name.clone(),
        };
        if let Some(name) = &filter.service
            && !self
                .topology
                .services
                .iter()
                .any(|service| service.name == *name)
        {
            return Err(unknown("service", name));
        }
        let by_area = Filter {
            service: None,
            area: filter.area.clone(),
        };
        match &filter.area {
            Some(name)
                if !self
                    .population
                    .areas
                    .iter()
                    .any(|area| by_area.matches("", &area.name)) =>
            {
                Err(unknown("area", name))
            }
            _ => Ok(()),
        }
    }
}

/// A simulation of resolvers and clients.
#[derive(Debug)]
pub struct Simulation;

impl Simulation {
    /// Draws the population, opens the sockets and starts to tick on the current runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(config: SimulationConfig, table: &AreaTable) -> Result<Handle, StartError> {
        let topology = config.world.topology()?;
        let population = Population::draw(table, &config.population, config.run.seed);
        if population.areas.is_empty() {
            return Err(StartError::Nobody);
        }
        let facts = Arc::new(Facts {
            topology,
            population,
        });
        let events = events(&config, &facts)?;
        let tick = Duration::from_millis(config.run.tick_ms.max(TICK_MS_MIN));
        let runner = Runner::new(Arc::clone(&facts), config, events).await?;
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let (publish, stats) = watch::channel(Arc::new(Stats::default()));
        let task = tokio::spawn(tick_until_stopped(runner, tick, inbox, publish));
        Ok(Handle {
            commands,
            stats,
            facts,
            task,
        })
    }
}

/// The events of a configuration by time, ms.
fn events(config: &SimulationConfig, facts: &Facts) -> Result<Vec<(u64, Command)>, StartError> {
    let mut events = Vec::new();
    for event in &config.events {
        let command = event.command.clone();
        let parsed = match parse(&event.command) {
            Ok(Ask::Change(change)) => change,
            Ok(Ask::Stats | Ask::Stop) => {
                let source = ParseError::Unknown(command.clone());
                return Err(StartError::Event { command, source });
            }
            Err(source) => return Err(StartError::Event { command, source }),
        };
        facts
            .check(&parsed)
            .map_err(|source| StartError::EventName { command, source })?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        events.push(((event.at_s.max(0.0) * 1000.0) as u64, parsed));
    }
    events.sort_by_key(|(at_ms, _)| *at_ms);
    Ok(events)
}

/// Ticks until the handle is gone. A late tick does not make the next ones hurry.
async fn tick_until_stopped(
    mut runner: Runner,
    tick: Duration,
    mut inbox: mpsc::Receiver<Command>,
    publish: watch::Sender<Arc<Stats>>,
) {
    let started_at = Instant::now();
    loop {
        let begun_at = Instant::now();
        let now_ms = ms(begun_at - started_at);
        let stats = runner.tick(now_ms, begun_at + tick).await;
        publish.send_replace(Arc::new(Stats {
            tick_ms: ms(begun_at.elapsed()),
            ..stats
        }));
        let next_at = (begun_at + tick).max(Instant::now());
        loop {
            match timeout_at(next_at, inbox.recv()).await {
                Ok(Some(command)) => runner.apply(&command, ms(started_at.elapsed())),
                Ok(None) => return,
                Err(_) => break,
            }
        }
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A running simulation. It ends when the handle is stopped or dropped.
#[derive(Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    stats: watch::Receiver<Arc<Stats>>,
    facts: Arc<Facts>,
    task: JoinHandle<()>,
}

impl Handle {
    /// Counters and traffic as of the last tick.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats.borrow())
    }

    /// Waits for the end of the next tick.
    ///
    /// # Errors
    /// [`ControlError::Stopped`] when there will be none.
    pub async fn next_tick(&mut self) -> Result<Arc<Stats>, ControlError> {
        self.stats
            .changed()
            .await
            .map_err(|_| ControlError::Stopped)?;
        Ok(Arc::clone(&self.stats.borrow_and_update()))
    }

    /// Sends a command; it takes effect before the next tick.
    ///
    /// # Errors
    /// [`ControlError`] when it names something unknown, or cannot be taken now.
    pub fn command(&self, command: Command) -> Result<(), ControlError> {
        self.facts.check(&command)?;
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => ControlError::Busy,
                mpsc::error::TrySendError::Closed(_) => ControlError::Stopped,
            })
    }

    /// Jumps to an hour of day, at Greenwich.
    ///
    /// # Errors
    /// See [`Handle::command`].
    pub fn set_hour(&self, utc_hour: f64) -> Result<(), ControlError> {
        self.command(Command::Hour(utc_hour))
    }

    /// Changes the pace: a simulated day takes so many seconds from now on; 0 stops the sun.
    ///
    /// # Errors
    /// See [`Handle::command`].
    pub fn set_speed(&self, day_s: f64) -> Result<(), ControlError> {
        self.command(Command::DaySeconds(day_s))
    }

    /// Multiplies the demand that a filter matches; 1 takes it back.
    ///
    /// # Errors
    /// See [`Handle::command`].
    pub fn scale(&self, filter: Filter, factor: f64) -> Result<(), ControlError> {
        self.command(Command::Scale(filter, factor))
    }

    /// Kills a link.
    ///
    /// # Errors
    /// See [`Handle::command`].
    pub fn fail_link(&self, name: &str) -> Result<(), ControlError> {
        self.command(Command::FailLink(name.to_owned()))
    }

    /// Ends the simulation after the current tick; returns what it counted.
    pub async fn stop(self) -> Arc<Stats> {
        drop(self.commands);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the simulation ended in a fault of its own");
        }
        Arc::clone(&self.stats.borrow())
    }
}

#[cfg(test)]
mod cpu;
#[cfg(test)]
mod tests;
