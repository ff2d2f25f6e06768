//! Digest of an instance: equal for two of them when all their figures are.

use crate::record::Instance;
use crate::sink::Sink;

impl Instance {
    /// SHA-256 over the content as lower-case hex, whatever the spelling of numbers and the names
    /// and order of keys in a file.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sink = Sink::default();
        sink.whole(u64::from(self.version));
        sink.whole(u64::from(self.slot_seconds));
        sink.number(self.value_cny_per_gbps_ms_slot);
        sink.number(self.move_cost_ms);
        sink.count(self.links.len());
        for link in &self.links {
            sink.text(&link.id);
            sink.text(&link.site);
            sink.number(link.capacity_mbps);
            sink.optional(link.watermark_mbps);
            sink.text(&link.contract);
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
        sink.count(self.contracts.len());
        for contract in &self.contracts {
            sink.text(&contract.id);
            sink.whole(contract.model as u64);
            sink.optional(contract.price_cny_per_mbps);
            sink.optional(contract.price_cny_per_gb);
            sink.number(contract.free_below_mbps);
            sink.count(usize::from(contract.burst));
        }
        sink.bytes(&self.units.digest());
        sink.hex()
    }
}
