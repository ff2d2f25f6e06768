//! Faults of an instance, each with the record that it is in.
//!
//! A fault names keys as they are written in files: `meters` for contracts, `floor_ms` for the
//! latency limit.

use coverage::LinkId;
use std::fmt;

use crate::record::{
    CANDIDATE_PAIRS_MAX, CANDIDATES_MAX, CONTRACTS_MAX, Contract, ContractModel, INCUMBENTS_MAX,
    INSTANCE_VERSION, Instance, LINKS_MAX, REGIONS_MAX, SITES_MAX, UNITS_MAX,
};
use crate::unit::Unit;

/// Most faults kept for the report; the rest are counted.
pub const FAULTS_KEPT_MAX: usize = 1_000;

/// Largest believable traffic or capacity: 1 Pbps.
const MBPS_MAX: f64 = 1e9;

/// Largest believable rate of requests, per second.
const RPS_MAX: f64 = 1e12;

/// Fewest requests per second that are not none: one in thirty years.
pub const RPS_MIN: f64 = 1e-9;

/// Most believable requests per second of one Mbps: a bit each.
pub const RPS_PER_MBPS_MAX: f64 = 1e6;

/// Largest believable quality: more than a quarter of an hour.
const QUALITY_MS_MAX: f64 = 1e6;

/// Largest believable price in CNY per Mbps or GB.
const PRICE_CNY_MAX: f64 = 1e9;

/// Longest slot: one day.
const SLOT_SECONDS_MAX: u32 = 86_400;

/// Longest id in bytes.
const ID_BYTES_MAX: usize = 256;

/// Rule for ids and names; they are shown on terminals.
const NAME_RULE: &str = "must have 1 to 256 bytes and no control characters";

/// Part by which rounding may bring the incumbent shares of a unit above 1.
const SHARE_SUM_TOLERANCE: f64 = 1e-6;

/// A fault: the record and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The record, as `links[3] "gz1/ct"`.
    pub record: String,
    /// Description of the fault and of what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.record, self.problem)
    }
}

/// Returns a line per fault, and how many were left out.
pub(crate) fn summary(faults: &[Fault], total: usize) -> String {
    let mut text = format!("instance has {total} fault(s)");
    for fault in faults {
        text.push_str("\n  ");
        text.push_str(&fault.to_string());
    }
    if total > faults.len() {
        text.push_str(&format!("\n  and {} more", total - faults.len()));
    }
    text
}

/// Finds all faults of `instance`, in file order: returns those kept, and how many there are.
pub(crate) fn find(instance: &Instance) -> (Vec<Fault>, usize) {
    let mut finder = Finder {
        faults: Vec::new(),
        total: 0,
    };
    finder.header(instance);
    let sites = finder.ids("sites", instance.sites.iter().map(|s| s.id.as_str()));
    let contracts = finder.ids("meters", instance.contracts.iter().map(|c| c.id.as_str()));
    finder.ids("links", instance.links.iter().map(|l| l.id.as_str()));
    finder.links(instance, &sites, &contracts);
    finder.sites(instance);
    finder.regions(instance);
    finder.contracts(instance);
    finder.units(instance);
    (finder.faults, finder.total)
}

/// Ids of the rows of one kind.
struct Ids<'a> {
    /// Ids in their order, each with the index of its row.
    sorted: Vec<(&'a str, usize)>,
}

impl Ids<'_> {
    /// Index of the row with this id; one of them where several have it.
    fn find(&self, id: &str) -> Option<usize> {
        let found = self.sorted.binary_search_by_key(&id, |row| row.0);
        found.ok().map(|at| self.sorted[at].1)
    }
}

/// Collector of faults.
struct Finder {
    faults: Vec<Fault>,
    total: usize,
}

impl Finder {
    fn fault(&mut self, record: impl FnOnce() -> String, problem: impl Into<String>) {
        self.total += 1;
        if self.faults.len() < FAULTS_KEPT_MAX {
            self.faults.push(Fault {
                record: record(),
                problem: problem.into(),
            });
        }
    }

    fn header(&mut self, instance: &Instance) {
        let record = || "instance".to_owned();
        if instance.version != INSTANCE_VERSION {
            let problem = format!(
                "version is {}, expected {INSTANCE_VERSION}",
                instance.version
            );
            self.fault(record, problem);
        }
        if !(1..=SLOT_SECONDS_MAX).contains(&instance.slot_seconds) {
            self.fault(
                record,
                format!("slot_seconds must be 1 to {SLOT_SECONDS_MAX}"),
            );
        }
        let value = instance.value_cny_per_gbps_ms_slot;
        self.number(record, "value_cny_per_gbps_ms_slot", value, PRICE_CNY_MAX);
        self.number(
            record,
            "move_cost_ms",
            instance.move_cost_ms,
            QUALITY_MS_MAX,
        );
        let sizes = [
            ("links", instance.links.len(), LINKS_MAX),
            ("sites", instance.sites.len(), SITES_MAX),
            ("regions", instance.regions.len(), REGIONS_MAX),
            ("meters", instance.contracts.len(), CONTRACTS_MAX),
            ("units", instance.units.len(), UNITS_MAX),
            (
                "candidates",
                instance.units.iter().map(|u| u.cand.len()).sum(),
                CANDIDATE_PAIRS_MAX,
            ),
        ];
        for (name, count, max) in sizes {
            if count > max {
                self.fault(record, format!("{count} {name}, at most {max} are allowed"));
            }
        }
    }

    /// Reports numbers that are NaN, infinite, negative or above `max`.
    fn number(&mut self, record: impl FnOnce() -> String, name: &str, value: f64, max: f64) {
        if !value.is_finite() {
            self.fault(
                record,
                format!("{name} is {value}, expected a finite number"),
            );
        } else if value < 0.0 {
            self.fault(record, format!("{name} is negative ({value})"));
        } else if value > max {
            self.fault(
                record,
                format!("{name} is {value}, more than the believable {max}"),
            );
        }
    }

    /// Reports empty, overlong and repeated ids; returns all ids.
    fn ids<'a>(&mut self, kind: &str, ids: impl Iterator<Item = &'a str>) -> Ids<'a> {
        let mut sorted: Vec<(&str, usize)> = ids.enumerate().map(|(i, id)| (id, i)).collect();
        for &(id, index) in &sorted {
            if !is_name(id) {
                self.fault(|| format!("{kind}[{index}]"), format!("id {NAME_RULE}"));
            }
        }
        sorted.sort_unstable();
        for pair in sorted.windows(2) {
            if pair[0].0 == pair[1].0 {
                let problem = format!("same id as {kind}[{}]", pair[0].1);
                self.fault(|| format!("{kind}[{}] {:?}", pair[1].1, pair[1].0), problem);
            }
        }
        Ids { sorted }
    }

    fn links(&mut self, instance: &Instance, sites: &Ids<'_>, contracts: &Ids<'_>) {
        let mut used = vec![false; instance.contracts.len()];
        for (index, link) in instance.links.iter().enumerate() {
            let record = || format!("links[{index}] {:?}", link.id);
            self.capacity(record, link.capacity_mbps, link.watermark_mbps);
            if sites.find(&link.site).is_none() {
                self.fault(record, format!("site {:?} is not in sites", link.site));
            }
            match contracts.find(&link.contract) {
                Some(contract) => used[contract] = true,
                None => self.fault(
                    record,
                    format!("meter: contract {:?} is not in meters", link.contract),
                ),
            }
        }
        for (index, contract) in instance.contracts.iter().enumerate() {
            if !used[index] {
                self.fault(
                    || format!("meters[{index}] {:?}", contract.id),
                    "no link uses this contract",
                );
            }
        }
    }

    fn capacity(&mut self, record: impl Fn() -> String, capacity: f64, watermark: Option<f64>) {
        self.number(&record, "capacity_mbps", capacity, MBPS_MAX);
        let Some(watermark) = watermark else { return };
        self.number(&record, "watermark_mbps", watermark, MBPS_MAX);
        if watermark > capacity {
            let problem = format!("watermark_mbps {watermark} is above capacity_mbps {capacity}");
            self.fault(record, problem);
        }
    }

    fn sites(&mut self, instance: &Instance) {
        for (index, site) in instance.sites.iter().enumerate() {
            let record = || format!("sites[{index}] {:?}", site.id);
            self.capacity(record, site.capacity_mbps, site.watermark_mbps);
            let capacity_rps = site.capacity_rps.unwrap_or(0.0);
            self.number(record, "capacity_rps", capacity_rps, RPS_MAX);
        }
    }

    fn regions(&mut self, instance: &Instance) {
        self.ids("regions", instance.regions.iter().map(|r| r.id.as_str()));
        for (index, region) in instance.regions.iter().enumerate() {
            let record = || format!("regions[{index}] {:?}", region.id);
            self.capacity(record, region.capacity_mbps, region.watermark_mbps);
            if instance.sites.iter().all(|site| site.region != region.id) {
                self.fault(record, "no site is in it");
            }
        }
    }

    fn contracts(&mut self, instance: &Instance) {
        for (index, contract) in instance.contracts.iter().enumerate() {
            self.contract(index, contract);
        }
    }

    fn contract(&mut self, index: usize, contract: &Contract) {
        let record = || format!("meters[{index}] {:?}", contract.id);
        self.number(
            record,
            "free_below_mbps",
            contract.free_below_mbps,
            MBPS_MAX,
        );
        if let Some(price) = contract.price_cny_per_mbps {
            self.number(record, "price_cny_per_mbps", price, PRICE_CNY_MAX);
        }
        if let Some(price) = contract.price_cny_per_gb {
            self.number(record, "price_cny_per_gb", price, PRICE_CNY_MAX);
        }
        match contract.model {
            ContractModel::PerGb if contract.price_cny_per_gb.is_none() => {
                self.fault(
                    record,
                    "a contract with model per-gb needs price_cny_per_gb",
                );
            }
            ContractModel::Month95 | ContractModel::DailyPeakMean | ContractModel::Daily95Mean
                if contract.price_cny_per_mbps.is_none() =>
            {
                self.fault(
                    record,
                    "a contract with this model needs price_cny_per_mbps",
                );
            }
            _ => {}
        }
    }

    fn units(&mut self, instance: &Instance) {
        let mut names: Vec<(&str, &str, usize)> = Vec::with_capacity(instance.units.len());
        let mut seen = Vec::new();
        for (index, unit) in instance.units.iter().enumerate() {
            names.push((&unit.area, &unit.service, index));
            self.unit(index, unit, instance.links.len(), &mut seen);
        }
        names.sort_unstable();
        for pair in names.windows(2) {
            if (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) {
                let problem = format!("same area and service as units[{}]", pair[0].2);
                let record = || format!("units[{}] {:?}", pair[1].2, (pair[1].0, pair[1].1));
                self.fault(record, problem);
            }
        }
    }

    fn unit(&mut self, index: usize, unit: &Unit, links: usize, seen: &mut Vec<LinkId>) {
        let record = || format!("units[{index}] {:?}", (&unit.area, &unit.service));
        for (what, name) in [("area", &unit.area), ("service", &unit.service)] {
            if !is_name(name) {
                self.fault(record, format!("{what} {NAME_RULE}"));
            }
        }
        self.number(record, "mbps", unit.mbps, MBPS_MAX);
        self.number(record, "rps", unit.rps, RPS_MAX);
        if unit.rps > 0.0 && unit.rps < RPS_MIN {
            let problem = format!("rps: {} is neither 0 nor at least {RPS_MIN}", unit.rps);
            self.fault(record, problem);
        }
        if unit.rps > 0.0 && unit.rps > RPS_PER_MBPS_MAX * unit.mbps {
            let problem = format!(
                "{} requests per second with {} mbps: \
                 at most {RPS_PER_MBPS_MAX} per mbps are believable",
                unit.rps, unit.mbps
            );
            self.fault(record, problem);
        }
        if let Some(limit_ms) = unit.latency_limit_ms {
            self.number(record, "latency limit floor_ms", limit_ms, QUALITY_MS_MAX);
        }
        if unit.cand.is_empty() {
            self.fault(record, "no candidates");
        } else if unit.cand.len() > CANDIDATES_MAX {
            let count = unit.cand.len();
            self.fault(
                record,
                format!("{count} candidates, at most {CANDIDATES_MAX} are allowed"),
            );
        }
        for &(link, quality) in &unit.cand {
            if !(0.0..=QUALITY_MS_MAX).contains(&quality) {
                let name = format!("quality of candidate {}", link.0);
                self.number(record, &name, quality, QUALITY_MS_MAX);
            }
        }
        self.pairs(record, "candidate", &unit.cand, links, seen);
        if unit.incumbent.len() > INCUMBENTS_MAX {
            self.fault(
                record,
                format!("more than {INCUMBENTS_MAX} incumbent links"),
            );
        }
        for &(link, share) in &unit.incumbent {
            if !(0.0..=1.0 + SHARE_SUM_TOLERANCE).contains(&share) {
                let name = format!("share of incumbent {}", link.0);
                self.number(record, &name, share, 1.0 + SHARE_SUM_TOLERANCE);
            }
        }
        self.pairs(record, "incumbent", &unit.incumbent, links, seen);
        let sum: f64 = unit.incumbent.iter().map(|i| i.1).sum();
        if sum > 1.0 + SHARE_SUM_TOLERANCE {
            self.fault(
                record,
                format!("incumbent shares sum to {sum}, more than 1"),
            );
        }
    }

    /// Reports link indices that are out of range or repeated. `seen` is scratch space.
    fn pairs(
        &mut self,
        record: impl Fn() -> String,
        kind: &str,
        pairs: &[(LinkId, f64)],
        links: usize,
        seen: &mut Vec<LinkId>,
    ) {
        seen.clear();
        seen.extend(pairs.iter().map(|pair| pair.0));
        seen.sort_unstable();
        for pair in seen.windows(2) {
            if pair[0] == pair[1] {
                self.fault(
                    &record,
                    format!("{kind} link {} is listed twice", pair[0].0),
                );
            }
        }
        for &(link, _) in pairs {
            if link.index() >= links {
                let problem = format!("{kind} link {} is not an index into {links} links", link.0);
                self.fault(&record, problem);
            }
        }
    }
}

/// Tells whether a text may be an id or a name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES_MAX && !text.contains(char::is_control)
}
