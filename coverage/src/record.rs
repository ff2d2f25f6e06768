//! The map record: how a snapshot travels and rests on disk, and the order of checks of whoever
//! takes it in.
//!
//! ```text
//! magic "WSMAP\0\0\1" | header length u32 LE | header (postcard)
//! | body (postcard) | Ed25519 signature (64 bytes)
//! ```
//! The digest of a record is SHA-256 over header and body; the signature covers the digest. A
//! record is the full state: it is read whole or refused whole.

use crate::area::AreaTable;
use crate::snapshot::{Body, BodyFault, Digest, MapVersion, Snapshot};
use crate::units::Timestamp;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// First bytes of every record; the last byte is the format version.
const MAGIC: &[u8; 8] = b"WSMAP\0\0\x01";
/// Largest record that is read at all.
pub const RECORD_MAX_BYTES: usize = 256 << 20;
const HEADER_MAX_BYTES: usize = 4096;
const SIGNATURE_BYTES: usize = 64;

/// Facts of a map known before its body is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Order among maps.
    pub version: MapVersion,
    /// Digest of the map that this one replaces; zeros for the first.
    pub parent: Digest,
    /// Time at which it was published.
    pub created_at: Timestamp,
    /// Digest of the area table that its areas index.
    pub table_digest: Digest,
    /// Digest of the inputs of the plan behind it.
    pub input_digest: Digest,
    /// Length of the body in bytes.
    pub body_bytes: u64,
}

/// Reason why a record was refused. Whoever refuses keeps what it has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`RECORD_MAX_BYTES`].
    #[error("oversized: {0} bytes")]
    Oversized(usize),
    /// Not a record, or cut short.
    #[error("truncated or not a map record: {0}")]
    Truncated(&'static str),
    /// No accepted key signed it.
    #[error("signature does not match any accepted key")]
    Signature,
    /// Not newer than what is being served.
    #[error("older or equal: offered {offered}, serving {serving}")]
    Older {
        /// Version of the record.
        offered: MapVersion,
        /// Version in service.
        serving: MapVersion,
    },
    /// Made for another area table.
    #[error("made for area table {wanted}, which is not the one at hand")]
    Table {
        /// Digest of the table it wants.
        wanted: Digest,
    },
    /// Header or body do not decode.
    #[error("does not decode: {0}")]
    Decode(String),
    /// A service that is being served would vanish.
    #[error("service {0} would vanish without being retired")]
    ServiceLost(String),
    /// The body cannot be served.
    #[error(transparent)]
    Body(#[from] BodyFault),
}

impl Refusal {
    /// A short label for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Oversized(_) => "oversized",
            Self::Truncated(_) => "truncated",
            Self::Signature => "signature",
            Self::Older { .. } => "older",
            Self::Table { .. } => "table",
            Self::Decode(_) => "decode",
            Self::ServiceLost(_) => "service-lost",
            Self::Body(_) => "body",
        }
    }
}

/// Reason why a record could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode the map: {0}")]
pub struct SealError(#[from] postcard::Error);

/// A record whose signature holds but whose body is not yet read.
#[derive(Debug)]
pub struct Opened<'a> {
    /// The header.
    pub header: Header,
    /// Digest of header and body.
    pub digest: Digest,
    body: &'a [u8],
}

/// Encodes and signs a map. `header.body_bytes` is filled in.
///
/// ```
/// use coverage::record::{Header, Refusal, open, seal};
/// # use coverage::{Body, catalog::Catalog, map::CoverageMapBuilder};
/// # use ed25519_dalek::SigningKey;
///
/// # let body = Body { catalog: Catalog::default(), map: CoverageMapBuilder::new(0, 1).finish()? };
/// # let header = Header {
/// #     version: "1.1".parse()?, parent: Default::default(), created_at: Default::default(),
/// #     table_digest: Default::default(), input_digest: Default::default(), body_bytes: 0,
/// # };
/// let key = SigningKey::from_bytes(&[7; 32]);
/// let record = seal(header, &body, &key)?;
/// assert_eq!(open(&record, &[key.verifying_key()])?.body()?, body);
///
/// let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key();
/// assert_eq!(open(&record, &[stranger]).unwrap_err(), Refusal::Signature);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SealError`] when the body does not encode.
pub fn seal(mut header: Header, body: &Body, key: &SigningKey) -> Result<Vec<u8>, SealError> {
    let body = postcard::to_stdvec(body)?;
    header.body_bytes = body.len() as u64;
    let header = postcard::to_stdvec(&header)?;
    let signature = key.sign(&digest(&header, &body).0);
    let header_bytes = u32::try_from(header.len()).unwrap_or(u32::MAX);
    let mut record =
        Vec::with_capacity(MAGIC.len() + 4 + header.len() + body.len() + SIGNATURE_BYTES);
    record.extend_from_slice(MAGIC);
    record.extend_from_slice(&header_bytes.to_le_bytes());
    record.extend_from_slice(&header);
    record.extend_from_slice(&body);
    record.extend_from_slice(&signature.to_bytes());
    Ok(record)
}

/// Splits a record and checks length, magic, digest and signature, in this order, before anything
/// of the body is read.
///
/// # Errors
/// [`Refusal`]; nothing was changed.
pub fn open<'a>(record: &'a [u8], keys: &[VerifyingKey]) -> Result<Opened<'a>, Refusal> {
    if record.len() > RECORD_MAX_BYTES {
        return Err(Refusal::Oversized(record.len()));
    }
    let rest = record
        .strip_prefix(MAGIC)
        .ok_or(Refusal::Truncated("no magic"))?;
    let (header_bytes, rest) = rest
        .split_first_chunk::<4>()
        .ok_or(Refusal::Truncated("no header length"))?;
    let header_bytes = u32::from_le_bytes(*header_bytes) as usize;
    if header_bytes > HEADER_MAX_BYTES {
        return Err(Refusal::Truncated("header length out of bounds"));
    }
    let (header, rest) = rest
        .split_at_checked(header_bytes)
        .ok_or(Refusal::Truncated("header"))?;
    let (body, signature) = rest
        .split_last_chunk::<SIGNATURE_BYTES>()
        .ok_or(Refusal::Truncated("signature"))?;
    let digest = digest(header, body);
    let signature = Signature::from_bytes(signature);
    if !keys
        .iter()
        .any(|key| key.verify_strict(&digest.0, &signature).is_ok())
    {
        return Err(Refusal::Signature);
    }
    let header: Header =
        postcard::from_bytes(header).map_err(|fault| Refusal::Decode(fault.to_string()))?;
    if header.body_bytes != body.len() as u64 {
        return Err(Refusal::Truncated("body"));
    }
    Ok(Opened {
        header,
        digest,
        body,
    })
}

impl Opened<'_> {
    /// Decodes the body, without asking whether it could be served.
    ///
    /// # Errors
    /// [`Refusal::Decode`].
    pub fn body(&self) -> Result<Body, Refusal> {
        postcard::from_bytes(self.body).map_err(|fault| Refusal::Decode(fault.to_string()))
    }

    /// Takes the record in after a snapshot that is being served (`None` at start): refuses what is
    /// older, made for another table, loses a service, or would leave a name without an answer.
    ///
    /// # Errors
    /// [`Refusal`]; whoever called keeps what it has.
    pub fn accept(
        self,
        serving: Option<&Snapshot>,
        table: &Arc<AreaTable>,
    ) -> Result<Snapshot, Refusal> {
        let Header {
            version,
            created_at,
            table_digest,
            ..
        } = self.header;
        if let Some(serving) = serving
            && version <= serving.version
        {
            return Err(Refusal::Older {
                offered: version,
                serving: serving.version,
            });
        }
        if table_digest.0 != table.digest() {
            return Err(Refusal::Table {
                wanted: table_digest,
            });
        }
        let body: Body =
            postcard::from_bytes(self.body).map_err(|fault| Refusal::Decode(fault.to_string()))?;
        if let Some(lost) = serving.and_then(|serving| lost_service(serving, &body)) {
            return Err(Refusal::ServiceLost(lost));
        }
        Ok(Snapshot::new(
            version,
            self.digest,
            created_at,
            Arc::clone(table),
            body,
        )?)
    }
}

/// A service of `serving` that `body` neither carries nor retires.
fn lost_service(serving: &Snapshot, body: &Body) -> Option<String> {
    let kept = |name: &String| {
        body.catalog.service(name).is_some() || body.catalog.retired_services.contains(name)
    };
    let mut names = serving.catalog.services.iter().map(|service| &service.name);
    names.find(|name| !kept(name)).cloned()
}

/// SHA-256 over header and body.
fn digest(header: &[u8], body: &[u8]) -> Digest {
    Digest(
        Sha256::new()
            .chain_update(header)
            .chain_update(body)
            .finalize()
            .into(),
    )
}
