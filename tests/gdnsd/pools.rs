//! Random resources of the plugins that hold addresses, and which addresses each may answer.

use crate::text::Conf;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use testkit::Random;

/// An address with what watches over it.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) address: IpAddr,
    pub(crate) services: Vec<&'static str>,
}

/// One family of a weighted resource.
#[derive(Debug)]
pub(crate) struct Weighted {
    pub(crate) members: Vec<(Watched, u32)>,
    pub(crate) up_thresh: f64,
}

/// All that stands below the plugins, as far as it has been drawn.
#[derive(Default)]
pub(crate) struct Pools {
    pub(crate) multifo: Vec<(String, Conf)>,
    pub(crate) weighted: Vec<(String, Conf)>,
    pub(crate) simplefo: Vec<(String, Conf)>,
    pub(crate) fixed: Vec<(String, Conf)>,
    pub(crate) addresses: Vec<Watched>,
    pub(crate) weighted_families: Vec<Weighted>,
    count: u16,
}

/// Service types by how often they are drawn; `dead` is a `static` one that says down.
const SERVICES: [&[&str]; 12] = [
    &["up"],
    &["up"],
    &["up"],
    &["up"],
    &["up"],
    &["up"],
    &["up"],
    &["up"],
    &["down"],
    &["dead"],
    &["up", "down"],
    &["alive", "up"],
];

/// Families that a resource has.
#[derive(Clone, Copy, PartialEq)]
enum Families {
    V4,
    V6,
    Both,
}

impl Pools {
    /// A fresh address of a family: no two resources share one, so that an answer shows its
    /// resource.
    fn address(&mut self, is_v4: bool, services: &[&'static str]) -> IpAddr {
        self.count += 1;
        let address = if is_v4 {
            let [high, low] = self.count.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(198, 18, high, low))
        } else {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, self.count))
        };
        self.addresses.push(Watched {
            address,
            services: services.to_vec(),
        });
        address
    }

    /// An entry of a `dcmap`: a definition of its own, a reference to one elsewhere, or a mere
    /// address.
    pub(crate) fn datacenter(&mut self, random: &mut Random) -> Conf {
        match random.below(12) {
            0 => Conf::text(self.address(true, &["up"])),
            1 => {
                let addresses: Vec<_> = (0..random.between(1, 4))
                    .map(|_| self.address(true, &["up"]))
                    .collect();
                Conf::list(&addresses)
            }
            2..=3 => self.multifo(random),
            4..=5 => with_plugin("weighted", self.weighted(random)),
            6 => with_plugin("simplefo", self.simplefo(random)),
            7..=8 => Conf::text(format!("%multifo!{}", self.named("multifo", random))),
            9 => Conf::text(format!("%weighted!{}", self.named("weighted", random))),
            10 => Conf::text(format!("%simplefo!{}", self.named("simplefo", random))),
            _ => Conf::text(format!("%static!{}", self.named("static", random))),
        }
    }

    /// A resource of a plugin under a name of its own.
    pub(crate) fn named(&mut self, plugin: &str, random: &mut Random) -> String {
        let conf = match plugin {
            "multifo" => self.multifo(random),
            "weighted" => self.weighted(random),
            "simplefo" => self.simplefo(random),
            _ => Conf::text(self.address(random.percent(70), &["up"])),
        };
        let list = match plugin {
            "multifo" => &mut self.multifo,
            "weighted" => &mut self.weighted,
            "simplefo" => &mut self.simplefo,
            _ => &mut self.fixed,
        };
        let name = format!("{plugin}{}", list.len());
        list.push((name.clone(), conf));
        name
    }

    fn multifo(&mut self, random: &mut Random) -> Conf {
        self.families(random, |pools, is_v4, random| {
            let services = random.pick(&SERVICES);
            let count = random.between(1, 6);
            if services == ["up"] && random.percent(30) {
                let addresses: Vec<_> =
                    (0..count).map(|_| pools.address(is_v4, services)).collect();
                return Conf::Hash(numbered(&addresses));
            }
            let mut pairs = Vec::new();
            threshold(&mut pairs, random);
            service_types(&mut pairs, services);
            for label in 0..count {
                let address = pools.address(is_v4, services);
                pairs.push((format!("lb{label}"), Conf::text(address)));
            }
            Conf::Hash(pairs)
        })
    }

    fn weighted(&mut self, random: &mut Random) -> Conf {
        self.families(random, |pools, is_v4, random| {
            let services = random.pick(&SERVICES);
            let mut pairs = Vec::new();
            let up_thresh = threshold(&mut pairs, random);
            service_types(&mut pairs, services);
            let mut members = Vec::new();
            for label in 0..random.between(1, 4) {
                let address = pools.address(is_v4, services);
                let weight = u32::from(random.between(2, 20));
                pairs.push((
                    format!("w{label}"),
                    Conf::list(&[address.to_string(), weight.to_string()]),
                ));
                let services = services.to_vec();
                members.push((Watched { address, services }, weight));
            }
            pools
                .weighted_families
                .push(Weighted { members, up_thresh });
            Conf::Hash(pairs)
        })
    }

    fn simplefo(&mut self, random: &mut Random) -> Conf {
        self.families(random, |pools, is_v4, random| {
            let services = random.pick(&SERVICES);
            let mut pairs = Vec::new();
            service_types(&mut pairs, services);
            for label in ["primary", "secondary"] {
                let address = pools.address(is_v4, services);
                pairs.push((label.to_owned(), Conf::text(address)));
            }
            Conf::Hash(pairs)
        })
    }

    /// One family directly, or one or both under `addrs_v4` and `addrs_v6`.
    fn families(
        &mut self,
        random: &mut Random,
        mut family: impl FnMut(&mut Self, bool, &mut Random) -> Conf,
    ) -> Conf {
        let families = random.pick(&[
            Families::V4,
            Families::V4,
            Families::V6,
            Families::Both,
            Families::Both,
            Families::Both,
        ]);
        if families != Families::Both && random.percent(60) {
            return family(self, families == Families::V4, random);
        }
        let mut pairs = Vec::new();
        if families != Families::V6 {
            pairs.push(("addrs_v4".to_owned(), family(self, true, random)));
        }
        if families != Families::V4 {
            pairs.push(("addrs_v6".to_owned(), family(self, false, random)));
        }
        Conf::Hash(pairs)
    }
}

fn with_plugin(plugin: &str, conf: Conf) -> Conf {
    let Conf::Hash(mut pairs) = conf else {
        return conf;
    };
    pairs.insert(0, ("plugin".to_owned(), Conf::text(plugin)));
    Conf::Hash(pairs)
}

fn numbered(addresses: &[IpAddr]) -> Vec<(String, Conf)> {
    let labels = 1..=addresses.len();
    labels
        .zip(addresses)
        .map(|(label, address)| (label.to_string(), Conf::text(address)))
        .collect()
}

/// Writes `up_thresh` in most cases; gives what holds.
fn threshold(pairs: &mut Vec<(String, Conf)>, random: &mut Random) -> f64 {
    if random.percent(40) {
        return 0.5;
    }
    let text = random.pick(&[
        "0.01", "0.1", "0.2", "0.3", "0.34", "0.5", "0.6", "0.7", "0.75", "0.9", "1.0",
    ]);
    pairs.push(("up_thresh".to_owned(), Conf::text(text)));
    text.parse().unwrap()
}

fn service_types(pairs: &mut Vec<(String, Conf)>, services: &[&str]) {
    match services {
        ["up"] => {}
        [one] => pairs.push(("service_types".to_owned(), Conf::text(one))),
        several => pairs.push(("service_types".to_owned(), Conf::list(several))),
    }
}
