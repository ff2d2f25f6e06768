//! The identity of an instance: what two of them have in common when all their figures are equal.

use super::input::{Instance, Unit};
use sha2::{Digest as _, Sha256};

impl Instance {
    /// SHA-256 over the content as lower-case hex; independent of JSON spelling and key order.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sink = Sink::default();
        sink.count(self.version as usize);
        sink.count(self.slot_seconds as usize);
        sink.number(self.value_cny_per_gbps_ms_slot);
        sink.number(self.move_cost_ms);
        sink.count(self.links.len());
        for link in &self.links {
            sink.text(&link.id);
            sink.text(&link.site);
            sink.number(link.capacity_mbps);
            sink.optional(link.watermark_mbps);
            sink.text(&link.meter);
        }
        sink.count(self.sites.len());
        for site in &self.sites {
            sink.text(&site.id);
            sink.text(&site.region);
            sink.number(site.capacity_mbps);
            sink.optional(site.watermark_mbps);
            sink.optional(site.capacity_rps);
        }
        sink.count(self.regions.len());
        for region in &self.regions {
            sink.text(&region.id);
            sink.number(region.capacity_mbps);
            sink.optional(region.watermark_mbps);
        }
        sink.count(self.meters.len());
        for meter in &self.meters {
            sink.text(&meter.id);
            sink.count(meter.model as usize);
            sink.optional(meter.price_cny_per_mbps);
            sink.optional(meter.price_cny_per_gb);
            sink.number(meter.free_below_mbps);
            sink.count(usize::from(meter.burst));
        }
        sink.bytes(&self.units.digest());
        sink.hex()
    }
}

/// The digest of units, which an instance holds in place of the units themselves.
pub(super) fn of_units(units: &[Unit]) -> [u8; 32] {
    let mut sink = Sink::default();
    sink.count(units.len());
    for unit in units {
        sink.text(&unit.area);
        sink.text(&unit.service);
        sink.number(unit.mbps);
        sink.number(unit.rps);
        sink.optional(unit.floor_ms);
        sink.pairs(&unit.incumbent);
        sink.pairs(&unit.cand);
    }
    sink.finish()
}

/// Feeds the digest in blocks, each value with a fixed width or a length before it.
#[derive(Default)]
struct Sink {
    hash: Sha256,
    buffer: Vec<u8>,
}

impl Sink {
    /// Bytes gathered before the hash is fed.
    const BLOCK_BYTES: usize = 16 * 1024;

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= Self::BLOCK_BYTES {
            self.hash.update(&self.buffer);
            self.buffer.clear();
        }
    }

    fn count(&mut self, count: usize) {
        self.bytes(&(count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: f64) {
        // Adding zero turns -0.0 into 0.0: equal numbers must have equal digests.
        self.bytes(&(number + 0.0).to_bits().to_le_bytes());
    }

    fn optional(&mut self, number: Option<f64>) {
        self.count(usize::from(number.is_some()));
        self.number(number.unwrap_or(0.0));
    }

    fn pairs(&mut self, pairs: &[(u32, f64)]) {
        self.count(pairs.len());
        for &(link, number) in pairs {
            self.bytes(&link.to_le_bytes());
            self.number(number);
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.buffer);
        self.hash.finalize().into()
    }

    fn hex(self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.finish() {
            for nibble in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        hex
    }
}
