//! `watershed token new`: a secret, and the lines of configuration that accept it.

use super::{CommandError, output};
use crate::args::{Global, TokenCommand};
use crate::control::random_bytes;
use coverage::Digest;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Makes a token. The secret is printed once and kept nowhere.
pub(super) fn token(global: &Global, command: &TokenCommand) -> Result<(), CommandError> {
    let TokenCommand::New { name, role } = command;
    let secret = Digest(random_bytes::<32>()?).to_string();
    let sha256 = digest(&secret);
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

/// What the configuration keeps of a token: SHA-256 of its text, hex.
fn digest(secret: &str) -> String {
    Digest(Sha256::digest(secret.as_bytes()).into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_text() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            digest("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
