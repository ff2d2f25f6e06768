//! `watershed token new`: a secret, and the lines of configuration that accept it.

use super::{CommandError, output};
use crate::args::{Global, TokenCommand};
use serde_json::json;
use watershed::keys::{new_token, sha256};

/// Makes a token. The secret is printed once and kept nowhere.
pub(super) fn token(global: &Global, command: &TokenCommand) -> Result<(), CommandError> {
    let TokenCommand::New { name, role } = command;
    let secret = new_token()?;
    let sha256 = sha256(&secret).to_string();
    if global.json {
        return Ok(output::json(
            &json!({ "token": secret, "name": name, "role": role, "sha256": sha256 }),
        )?);
    }
    let name = toml::Value::String(name.clone());
    let lines = format!("[[api.tokens]]\nname = {name}\nrole = \"{role}\"\nsha256 = \"{sha256}\"");
    Ok(output::say(&format!(
        "{secret}\n\nKeep it in a file for --token-file. To accept it, add:\n\n{lines}"
    ))?)
}
