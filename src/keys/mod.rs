//! Keys, secrets and digests: the key that signs maps, the keys that are believed, tokens, and the
//! hex in which digests are written.

mod digest;
mod map;
mod secret;
mod token;

pub use digest::{BadDigest, digest_of_hex, sha256};
pub use map::{accepted_keys, known_keys, signing_key};
pub use secret::{SecretError, random_bytes, write_secret};
pub use token::{admin_token, admin_token_file, new_token, read_token};
