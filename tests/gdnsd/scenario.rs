//! One random gdnsd installation: its files, the names that may be asked, and where clients are
//! worth asking from.

use crate::maps::{self, Ground, Map};
use crate::places;
use crate::pools::{Pools, Watched};
use crate::states::{Choices, States};
use crate::text::Conf;
use crate::wire::{A, AAAA, MX};
use crate::zone::{self, Name, ZONE};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use testkit::Prefix;
use testkit::Random;
use testkit::mmdb;

/// One random installation.
pub(crate) struct Scenario {
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
    /// Names of policies, asked often.
    pub(crate) dynamic: Vec<Name>,
    /// Other names, asked now and then.
    pub(crate) fixed: Vec<Name>,
    /// For each weighted family the addresses of which any is right.
    pub(crate) choices: Vec<Choices>,
    prefixes: Vec<Prefix>,
}

/// Parts that grow while a scenario is drawn.
struct Draft<'a> {
    pools: Pools,
    metafo: Vec<(String, Conf)>,
    geoip: Vec<(String, Conf)>,
    /// Keys of `admin_state` for datacenters.
    datacenters: Vec<String>,
    zone: String,
    dynamic: Vec<Name>,
    random: &'a mut Random,
}

impl Scenario {
    /// The installation of a seed; `mmdb` replaces the random database.
    pub(crate) fn new(seed: u64, mmdb: Option<&Path>) -> Self {
        let random = &mut Random::new(seed);
        let is_city = mmdb.is_some() || random.percent(80);
        let networks = places::networks(is_city, random);
        let kind = if is_city {
            "GeoLite2-City"
        } else {
            "GeoLite2-Country"
        };
        let bytes = mmdb.map_or_else(
            || mmdb::write(kind, &networks),
            |path| std::fs::read(path).expect("WATERSHED_TEST_MMDB names a readable file"),
        );
        let database = format!("{kind}.mmdb");
        let mut prefixes: Vec<Prefix> = networks.iter().map(|(prefix, _)| *prefix).collect();
        let ground = Ground {
            database: &database,
            is_city,
            networks: &prefixes,
        };
        let maps: Vec<Map> = (0..usize::from(random.between(1, 3)))
            .map(|index| maps::map(index, &ground, random))
            .collect();
        let mut draft = Draft {
            pools: Pools::default(),
            metafo: Vec::new(),
            geoip: Vec::new(),
            datacenters: Vec::new(),
            zone: zone::STATIC.to_owned(),
            dynamic: Vec::new(),
            random,
        };
        draft.resources(&maps);
        let mut files = vec![(Path::new("geoip").join(&database), bytes)];
        for map in &maps {
            // A border matters as much as a network, so map networks count several times.
            for net in &map.nets {
                prefixes.extend([*net, *net, *net, net.sibling()]);
            }
            if let Some((name, nets)) = &map.nets_file {
                let text = Conf::file(nets, draft.random);
                files.push((Path::new("geoip").join(name), text.into_bytes()));
            }
        }
        draft.finish(&maps, files, prefixes)
    }

    /// Writes all files below a directory.
    pub(crate) fn write(&self, dir: &Path) {
        for (path, bytes) in &self.files {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// A random client that is asked for.
    pub(crate) fn client(&self, random: &mut Random) -> Prefix {
        loop {
            let client = self.any_client(random);
            if !client.carries_ipv4() {
                return client;
            }
        }
    }

    /// A random client: within the networks of database and maps, at their edges, beside them, or
    /// anywhere.
    fn any_client(&self, random: &mut Random) -> Prefix {
        let (low, high) = (8, 32);
        let anywhere = random.percent(10);
        let near = random.choose(&self.prefixes);
        let prefix = if anywhere && random.percent(70) {
            Prefix::parse("0.0.0.0/0")
        } else if anywhere {
            Prefix::parse("2000::/3")
        } else if random.percent(10) {
            near.sibling()
        } else {
            *near
        };
        let len = match (prefix.is_v4, random.below(10)) {
            (true, 0..7) => 24,
            (true, _) => random.between(low, high),
            (false, 0..4) => 48,
            (false, 4..7) => 56,
            (false, _) => random.between(32, 64),
        };
        let width = if prefix.is_v4 { 32 } else { 128 };
        let address = match random.below(10) {
            0 => prefix.address(),
            _ => prefix.inner(width, random).address(),
        };
        Prefix::new(address, len)
    }
}

impl Draft<'_> {
    /// Draws resources of all plugins and gives each a name in the zone.
    fn resources(&mut self, maps: &[Map]) {
        for index in 0..self.random.between(1, 3) {
            self.failover(&format!("m{index}"), true);
        }
        self.failover("mc0", false);
        for index in 0..usize::from(self.random.between(3, 6)) {
            let map = &maps[index % maps.len()];
            self.geo(&format!("g{index}"), map, index % 4 != 3);
        }
        for plugin in ["multifo", "weighted", "simplefo", "static"] {
            let resource = self.pools.named(plugin, self.random);
            self.name(
                &format!("d-{plugin}"),
                true,
                &format!("{plugin}!{resource}"),
            );
        }
        for map in maps {
            for datacenter in &map.datacenters {
                self.datacenters
                    .push(format!("geoip/{}/{datacenter}", map.name));
            }
        }
    }

    /// A metafo resource; of addresses alone, or with a CNAME at the end.
    fn failover(&mut self, name: &str, has_addresses_only: bool) {
        let count = self.random.between(2, 4);
        let datacenters: Vec<_> = (1..=count).map(|dc| format!("{name}-{dc}")).collect();
        let mut dcmap: Vec<_> = datacenters
            .iter()
            .map(|dc| (dc.clone(), self.pools.datacenter(self.random)))
            .collect();
        if !has_addresses_only {
            dcmap.last_mut().unwrap().1 = Conf::text(format!("last.{name}.example.net."));
        }
        let conf = Conf::hash([
            ("datacenters", Conf::list(&datacenters)),
            ("dcmap", Conf::Hash(dcmap)),
        ]);
        self.metafo.push((name.to_owned(), conf));
        for datacenter in &datacenters {
            self.datacenters.push(format!("metafo/{name}/{datacenter}"));
        }
        self.name(name, has_addresses_only, &format!("metafo!{name}"));
        let one = self.random.choose(&datacenters).clone();
        let target = format!("metafo!{name}/{one}");
        self.name(&format!("{name}-one"), has_addresses_only, &target);
    }

    /// A geoip resource over everything else, metafo included.
    fn geo(&mut self, name: &str, map: &Map, has_addresses_only: bool) {
        let mut pairs = vec![("map".to_owned(), Conf::text(&map.name))];
        let is_inherited = has_addresses_only && self.random.percent(25);
        let services: &[&str] = if self.random.percent(20) {
            &["alive", "up"]
        } else {
            &["alive"]
        };
        if is_inherited {
            pairs.push(("service_types".to_owned(), Conf::list(services)));
            let thresh = self.random.pick(&["0.1", "0.4", "0.67"]);
            pairs.push(("up_thresh".to_owned(), Conf::text(thresh)));
        }
        let mut dcmap = Vec::new();
        for (index, datacenter) in map.datacenters.iter().enumerate() {
            let conf = if is_inherited {
                self.inherited(index, services)
            } else if !has_addresses_only && self.random.percent(60) {
                Conf::text(format!("www.{name}-{index}.example.net."))
            } else if self.random.percent(15) {
                let (metafo, _) = self.random.choose(&self.metafo[..self.metafo.len() - 1]);
                Conf::text(format!("%metafo!{metafo}"))
            } else {
                self.pools.datacenter(self.random)
            };
            dcmap.push((datacenter.clone(), conf));
            self.datacenters.push(format!("geoip/{name}/{datacenter}"));
        }
        pairs.push(("dcmap".to_owned(), Conf::Hash(dcmap)));
        self.geoip.push((name.to_owned(), Conf::Hash(pairs)));
        self.name(name, has_addresses_only, &format!("geoip!{name}"));
        if self.random.percent(40) {
            let one = self.random.choose(&map.datacenters).clone();
            let target = format!("geoip!{name}/{one}");
            self.name(&format!("{name}-one"), has_addresses_only, &target);
        }
    }

    /// Addresses whose threshold and service types stand at the resource.
    fn inherited(&mut self, index: usize, services: &[&'static str]) -> Conf {
        let count = self.random.between(1, 5);
        let low = 10 * u8::try_from(self.geoip.len()).unwrap();
        let addresses: Vec<IpAddr> = (0..count)
            .map(|host| IpAddr::from([203, 0, low + u8::try_from(index).unwrap(), host]))
            .collect();
        self.pools
            .addresses
            .extend(addresses.iter().map(|address| Watched {
                address: *address,
                services: services.to_vec(),
            }));
        Conf::list(&addresses)
    }

    /// A record of the zone, with one of the ways to write its time to live.
    fn name(&mut self, name: &str, has_addresses_only: bool, target: &str) {
        let ttl = self.random.pick(&["300", "600/30", "60/60", ""]);
        let kind = if has_addresses_only { "DYNA" } else { "DYNC" };
        let _ = writeln!(self.zone, "{name} {ttl} {kind} {target}");
        let mut types = vec![A, A, A, A, A, AAAA, AAAA, AAAA];
        if has_addresses_only {
            types.push(MX);
        }
        self.dynamic.push(Name {
            name: format!("{name}.{ZONE}"),
            types,
        });
        if has_addresses_only && self.random.percent(20) {
            let _ = writeln!(self.zone, "{name} MX 10 mail");
        }
    }

    fn finish(
        self,
        maps: &[Map],
        mut files: Vec<(PathBuf, Vec<u8>)>,
        prefixes: Vec<Prefix>,
    ) -> Scenario {
        let random = self.random;
        let states = States::new(&self.pools, &self.datacenters, random);
        let mut multifo = self.pools.multifo;
        if random.percent(30) {
            multifo.insert(0, ("up_thresh".to_owned(), Conf::text("0.25")));
        }
        let maps = maps.iter().map(|map| (map.name.clone(), map.conf.clone()));
        let plugins = Conf::hash([
            ("multifo", Conf::Hash(multifo)),
            ("weighted", Conf::Hash(self.pools.weighted)),
            ("simplefo", Conf::Hash(self.pools.simplefo)),
            ("static", Conf::Hash(self.pools.fixed)),
            (
                "metafo",
                Conf::hash([("resources", Conf::Hash(self.metafo))]),
            ),
            (
                "geoip",
                Conf::hash([
                    ("maps", Conf::Hash(maps.collect())),
                    ("resources", Conf::Hash(self.geoip)),
                ]),
            ),
        ]);
        let fixed = |state: &str| {
            Conf::hash([
                ("plugin", Conf::text("static")),
                ("state", Conf::text(state)),
            ])
        };
        let services = Conf::hash([("dead", fixed("DOWN")), ("alive", fixed("UP"))]);
        let config = [
            ("service_types".to_owned(), services),
            ("plugins".to_owned(), plugins),
        ];
        files.push(("config".into(), Conf::file(&config, random).into_bytes()));
        files.push((Path::new("zones").join(ZONE), self.zone.into_bytes()));
        files.push(("state/admin_state".into(), states.text(random).into_bytes()));
        let families = self.pools.weighted_families.iter();
        Scenario {
            files,
            dynamic: self.dynamic,
            fixed: zone::static_names(),
            choices: families.map(|family| states.choices(family)).collect(),
            prefixes,
        }
    }
}
