//! Digest of values as they are given.

use coverage::LinkId;
use sha2::{Digest as _, Sha256};

/// Hash that is fed in blocks, each value with a fixed width or a length before it.
#[derive(Default)]
pub(crate) struct Sink {
    hash: Sha256,
    buffer: Vec<u8>,
}

impl Sink {
    /// Bytes gathered before the hash is fed.
    const BLOCK_BYTES: usize = 16 * 1024;

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= Self::BLOCK_BYTES {
            self.hash.update(&self.buffer);
            self.buffer.clear();
        }
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.whole(count as u64);
    }

    pub(crate) fn whole(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: f64) {
        // Adding zero turns -0.0 into 0.0: equal numbers must have equal digests.
        self.bytes(&(number + 0.0).to_bits().to_le_bytes());
    }

    pub(crate) fn optional(&mut self, number: Option<f64>) {
        self.count(usize::from(number.is_some()));
        self.number(number.unwrap_or(0.0));
    }

    pub(crate) fn pairs(&mut self, pairs: &[(LinkId, f64)]) {
        self.count(pairs.len());
        for &(link, number) in pairs {
            self.bytes(&link.0.to_le_bytes());
            self.number(number);
        }
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.buffer);
        self.hash.finalize().into()
    }

    pub(crate) fn hex(self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.finish() {
            for nibble in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        hex
    }
}
