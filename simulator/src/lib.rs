//! A population of resolvers and clients that drives a daemon from outside, over the wire, and
//! closes the loop.
//!
//! ```text
//!   area table --> Population --questions--> DNS, 302, HTTPDNS of the daemon
//!                      |                          |
//!                   demand (hour of day)       answers, cached for their TTL and scope
//!                      `------> traffic on links, nodes, groups <----'
//!                                   |
//!                   telemetry --POST /v1/telemetry--> the daemon decides anew
//! ```
//!
//! It knows what the physical world has: places, pipes, machines, addresses, prefixes of real
//! clients. It knows nothing of the map, the optimizer or any state of the daemon, so what it
//! measures is what clients would see.
//!
//! Curves, geography, caches, demand and traffic are pure; time and seeds are arguments. Only
//! [`Simulation`] and what it asks with have sockets and a clock. Equal seeds draw equal
//! populations and noise; answers and their times are real.
//!
//! Apart from all this, [`instances`] makes named optimization problems for measuring; it alone
//! knows the engine.
//!
//! Deliberately absent: packets of content, TCP dynamics, source addresses of resolvers (all
//! questions come from this machine, so a resolver without ECS looks local to the daemon).

mod asking;
mod cache;
mod cells;
mod config;
mod control;
mod curve;
mod demand;
mod dns_client;
mod geography;
mod http_client;
pub mod instances;
pub mod month;
mod paths;
mod population;
mod random;
mod report;
mod run;
mod runner;
mod stats;
mod topology;
mod traffic;
mod weights;
mod world;

pub use config::{Event, RunOptions, Servers, SimulationConfig, hours_per_s};
pub use control::{Ask, Command, ParseError, parse, serve_lines};
pub use curve::Shape;
pub use demand::Filter;
pub use geography::{Path, Place, Reach, distance_km, idle_path, loaded_path};
pub use population::PopulationOptions;
pub use run::{ControlError, Handle, Simulation, StartError};
pub use stats::{LinkStats, Stats, TelemetryStats, WayStats};
pub use topology::WorldError;
pub use world::{Endpoint, Group, Link, Node, NodePort, Service, Site, Way, World};
