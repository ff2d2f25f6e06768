//! Keys, secrets and digests: the key that signs maps, the keys that are believed, tokens, and the
//! hex in which digests are written.

mod digest;
mod map;
mod secret;
mod token;

pub(crate) use digest::digest_of_hex;
pub use digest::sha256;
pub use map::known_keys;
pub(crate) use map::{accepted_keys, signing_key};
use secret::{random_bytes, write_secret};
pub(crate) use token::admin_token;
pub use token::{admin_token_file, new_token, read_token};
