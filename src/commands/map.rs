//! `watershed map`: show, compare, hold, take back.

mod diff;

use super::connect::{connect, converse};
use super::{CommandError, output, status};
use crate::args::{Global, MapCommand};
use coverage::MapVersion;
use serde::Serialize;
use serde_json::json;
use watershed::api::view::Done;
use watershed::api::{Pin, Rollback};

/// Does what is asked for.
pub(super) fn map(global: &Global, command: MapCommand) -> Result<(), CommandError> {
    match command {
        MapCommand::Show => status::show_map(global),
        MapCommand::Diff { old, new } => diff::diff(global, &old, &new),
        MapCommand::Pin { reason } => change(global, "/v1/map/pin", &Pin { reason }),
        MapCommand::Unpin => change(global, "/v1/map/unpin", &json!({})),
        MapCommand::Rollback { to } => {
            if let Some(to) = &to {
                to.parse::<MapVersion>()
                    .map_err(|fault| CommandError::Usage(format!("--to: {fault}")))?;
            }
            change(global, "/v1/map/rollback", &Rollback { to })
        }
    }
}

/// Asks for a change and tells what became of it.
fn change(global: &Global, path: &str, body: &impl Serialize) -> Result<(), CommandError> {
    let client = connect(global)?;
    let done: Done = converse(async { Ok(client.post_json(path, body).await?) })?;
    Ok(if global.json {
        output::json(&done)
    } else {
        output::say(&done.done)
    }?)
}
