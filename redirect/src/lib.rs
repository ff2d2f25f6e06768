//! HTTP 302 and HTTPDNS over one snapshot.
//!
//! ```text
//!   socket --http--> Host ---service's host--> decide(view, request) --> 302, Location of a node
//!                      `-----HTTPDNS host----> httpdns::answer       --> 200, JSON or text
//! ```
//!
//! [`decide()`] and [`httpdns::answer`] are free of clocks, locks and sockets: an [`HttpView`] and
//! a request in, an outcome out. The view is derived from a snapshot before the snapshot is swapped
//! in, and is swapped with it: hosts, names, and for every endpoint a ring of its nodes. Serving
//! loads the pointer once per request.
//!
//! The choice made: an object's node is found on a ring with bounded loads, so that each object
//! lives on one node of a group until that node is busier than its neighbours. Rejected:
//! least-connections inside the group, which spreads every object over every cache; and a plain
//! ring, which leaves the node of a very hot object to melt.
//!
//! Deliberately absent: proxying (no byte of content passes here), TLS (a terminator in front is
//! named as a trusted proxy), HTTP/2 (a redirect is one small exchange), request bodies, cookies,
//! sessions.

mod client;
mod config;
mod counters;
mod decide;
mod host;
mod http;
pub mod httpdns;
mod loads;
mod location;
mod query;
mod ring;
mod slots;
mod view;

pub use client::{ForwardedHeader, client_address};
pub use config::{AnswerConfig, Limits, RedirectConfig, Scheme, Token, TokenTooShort};
pub use counters::{Counters, Event};
pub use decide::{Method, Outcome, Redirect, Request, decide};
pub use host::{BadHost, Host, HostName};
pub use http::{BindError, RedirectServer};
pub use loads::NodeLoads;
pub use location::location;
pub use view::{HttpView, Member, ViewError};
