use super::*;
use proptest::prelude::*;

/// A small configuration that loads; tests change one line of it.
const MAIN: &str = r#"version = 1
data-dir = "data"
inventory = "inventory.toml"

[areas]
table = "areas.wsa"

[dns]
listen = ["127.0.0.1:0"]
ecs = "all"

[redirect]
listen = ["127.0.0.1:0"]

[api]
listen = "127.0.0.1:0"

[engine]
cycle = "1s"

[[zones]]
name = "cdn.example"
file = "cdn.zone"
"#;

const INVENTORY: &str = r#"nodes-domain = "node.cdn.example"

[[contracts]]
name = "m1"
model = "month-95"
price-cny-per-mbps-month = 12.0

[[services]]
name = "live"
domains = ["live.cdn.example"]
ttl = "4s"
latency-limit-ms = 80

[[sites]]
name = "gz1"
country = "cn"
region = "south"
latitude = 23.1
longitude = 113.3
links = [
  { isp = "ct", capacity-mbps = 1000, contract = "m1" },
]
groups = [
  { name = "gz1-a", services = ["live"], nodes = 2, node-capacity-mbps = 500 },
]
endpoints = [
  { group = "gz1-a", isp = "ct", vips = ["198.18.0.1"], first-node = ["198.18.0.2"] },
]
"#;

const ZONE: &str =
    "@ 3600 SOA ns1 hostmaster 1 7200 900 1209600 60\n@ 3600 NS ns1\nns1 3600 A 192.0.2.1\n";

/// Loads the small configuration after a change to each of its files.
fn load(change: impl Fn(&str) -> String, set: &[&str]) -> Result<Config, Faults> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("watershed.toml", MAIN),
        ("inventory.toml", INVENTORY),
        ("cdn.zone", ZONE),
    ] {
        fs::write(dir.path().join(name), change(text)).unwrap();
    }
    let set: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
    Config::load(&dir.path().join("watershed.toml"), &set)
}

/// The faults after replacing one piece of text by another, as `file:line: path: message`.
fn faults(old: &str, new: &str) -> Vec<String> {
    assert!(
        MAIN.contains(old) || INVENTORY.contains(old) || ZONE.contains(old),
        "{old} is not there"
    );
    let found = load(|text| text.replace(old, new), &[]).unwrap_err();
    let name = |fault: &Fault| {
        Path::new(&fault.file)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    found
        .faults
        .iter()
        .map(|fault| {
            format!(
                "{}:{}: {}: {}",
                name(fault).unwrap(),
                fault.line,
                fault.path,
                fault.message
            )
        })
        .collect()
}

#[track_caller]
fn check(old: &str, new: &str, expected: &str) {
    let found = faults(old, new);
    assert!(
        found.iter().any(|fault| fault.contains(expected)),
        "expected {expected:?} in {found:#?}"
    );
}

#[test]
fn the_small_configuration_loads() {
    let config = load(str::to_owned, &[]).unwrap();
    assert_eq!(config.inventory.links[0].name, "gz1/ct");
    assert!((config.inventory.links[0].watermark_mbps - 900.0).abs() < 1e-9);
    let port = &config.inventory.endpoints[0].nodes[1];
    assert_eq!(
        (port.ipv4.to_string().as_str(), port.authority.as_str()),
        ("198.18.0.3", "gz1-a-2.ct.node.cdn.example")
    );
    let nodes = config.inventory.zones[0]
        .records
        .iter()
        .filter(|record| record.owner.contains(".node."));
    assert_eq!(nodes.count(), 2, "redirects lead to names that resolve");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_kind_of_fault_names_file_line_and_key() {
    check(
        "ecs = \"all\"",
        "esc = \"all\"",
        "watershed.toml:10: dns.esc: is no key that is known here; is `ecs` meant?",
    );
    check(
        "version = 1",
        "version = 2",
        "watershed.toml:1: version: must be 1",
    );
    check(
        "cycle = \"1s\"",
        "cycle = \"1\"",
        "watershed.toml:19: engine.cycle",
    );
    check(
        "cycle = \"1s\"",
        "cycle = 1",
        "must be a duration with its unit",
    );
    check(
        "model = \"month-95\"",
        "model = \"monthly\"",
        "inventory.toml:5: contracts[0].model: \"monthly\" is not one of",
    );
    check(
        "price-cny-per-mbps-month = 12.0",
        "",
        "contracts[0].price-cny-per-mbps-month: is missing",
    );
    check(
        "capacity-mbps = 1000",
        "capacity-gbps = 1",
        "sites[0].links[0].capacity-gbps: is no key that is known here; is `capacity-mbps` meant?",
    );
    check(
        "capacity-mbps = 1000",
        "capacity-mbps = -1",
        "inventory.toml:21: sites[0].links[0].capacity-mbps: -1 is not within",
    );
    check(
        "capacity-mbps = 1000",
        "capacity-mbps = nan",
        "is not within",
    );
    check(
        "capacity-mbps = 1000",
        "capacity-mbps = 1000, watermark-mbps = 1001",
        "is above capacity-mbps",
    );
    check(
        "contract = \"m1\"",
        "contract = \"m2\"",
        "there is no contract \"m2\"",
    );
    check(
        "services = [\"live\"]",
        "services = [\"dead\"]",
        "there is no service \"dead\"",
    );
    check("latitude = 23.1", "latitude = 123.1", "sites[0].latitude");
    check(
        "live.cdn.example",
        "live.other.example",
        "lies in none of the zones",
    );
    check(
        "vips = [\"198.18.0.1\"]",
        "vips = [\"198.18.0.2\"]",
        "198.18.0.2 is given to two endpoints or nodes",
    );
    check("vips = [\"198.18.0.1\"], ", "", "needs an IPv4 VIP");
    check(
        "isp = \"ct\", vips",
        "isp = \"cu\", vips",
        "this site has no link to \"cu\"",
    );
    check(
        "isp = \"ct\", vips",
        "isp = \"cu\", vips",
        "group gz1-a has no endpoint on link gz1/ct",
    );
    check("SOA", "TXT", "exactly one SOA");
    check("data-dir = \"data\"", "data-dir = [", "watershed.toml:");
    check("file = \"cdn.zone\"", "file = \"none.zone\"", "cannot read");
    check(
        "inventory = \"inventory.toml\"",
        "inventory = \"none.toml\"",
        "watershed.toml:3: inventory: cannot read ",
    );
}

#[test]
fn groups_of_one_site_serve_alike_and_names_are_given_once() {
    let second =
        "{ name = \"gz1-a\", services = [], nodes = 1, node-capacity-mbps = 5 },\n]\nendpoints";
    let found = faults("]\nendpoints", second).join("\n");
    for expected in [
        "is given to two groups",
        "the group serves nothing",
        "must serve the same services",
    ] {
        assert!(found.contains(expected), "expected {expected:?} in {found}");
    }
}

#[test]
fn values_with_which_no_map_could_ever_change_are_refused() {
    let cycle = "cycle = \"1s\"";
    for (line, told) in [
        ("gap-max = 0", "engine.gap-max: 0 is not within"),
        ("slot = \"1500ms\"", "engine.slot: must be whole seconds"),
        ("slot = \"7m\"", "engine.slot: must be whole seconds"),
        (
            "slot = \"1h\"",
            "engine.slot: \"1h\" is not within 1s to 30m",
        ),
        (
            "stale-after = \"5m\"\n[gates]\nfrozen-after = \"4m\"",
            "gates.frozen-after: must not be less than",
        ),
        (
            "[gates]\nstep-share-max = 0",
            "gates.step-share-max: 0 is not within",
        ),
    ] {
        check(cycle, &format!("{cycle}\n{line}"), told);
    }
}

#[test]
fn all_faults_are_reported_together() {
    let broken = |text: &str| {
        text.replace("ecs = \"all\"", "ecs = \"some\"\nfoo = 1")
            .replace("latency-limit-ms = 80", "latency-limit-ms = \"80\"")
            .replace("ttl", "tll")
    };
    let found = load(broken, &[]).unwrap_err();
    assert_eq!(found.faults.len(), 4, "{found}");
    assert!(found.to_string().ends_with("4 faults; nothing was loaded"));
}

#[test]
fn keys_can_be_set_from_the_command_line() {
    let config = load(
        str::to_owned,
        &[
            "dns.udp-workers=3",
            "data-dir=\"/tmp/elsewhere\"",
            "audit-kept=\"30d\"",
        ],
    )
    .unwrap();
    assert_eq!(config.audit_kept, Duration::from_hours(30 * 24));
    assert_eq!(
        (config.dns.udp_workers, config.data_dir.to_str()),
        (3, Some("/tmp/elsewhere"))
    );
    let found = load(str::to_owned, &["dns.udp-wrokers=3", "nonsense"]).unwrap_err();
    let shown = found.to_string();
    assert!(
        shown.contains("--set:1: dns.udp-wrokers: is no key"),
        "{shown}"
    );
    assert!(shown.contains("must be path.key=VALUE"), "{shown}");
}

#[test]
fn the_demo_is_what_it_promises() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/watershed.toml");
    let config = Config::load(&path, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    let inventory = &config.inventory;
    assert!(inventory.sites.len() >= 55, "{}", inventory.sites.len());
    let models: std::collections::BTreeSet<_> = inventory
        .contracts
        .iter()
        .map(|meter| meter.model)
        .collect();
    assert_eq!(models.len(), 5, "all five billing models");
    let both = |endpoint: &engine::inventory::Endpoint| {
        let by_vip = !endpoint.ipv4.is_empty() && !endpoint.ipv6.is_empty();
        by_vip || endpoint.nodes.iter().all(|port| port.ipv6.is_some())
    };
    assert!(
        inventory.endpoints.iter().all(both),
        "IPv4 and IPv6 everywhere"
    );
    let eligible = |service| {
        inventory
            .groups
            .iter()
            .filter(|group| group.services.contains(&service))
            .count()
    };
    let counts: std::collections::BTreeSet<_> = (0..3)
        .map(|service| eligible(coverage::ServiceId(service)))
        .collect();
    assert_eq!(counts.len(), 3, "each service has its own eligible groups");
}

#[test]
fn every_key_is_documented() {
    let documented = include_str!("../../docs/configuration.md");
    for (name, source) in [
        ("daemon", include_str!("daemon.rs")),
        ("inventory", include_str!("inventory.rs")),
        ("zones", include_str!("zones.rs")),
        ("mod", include_str!("mod.rs")),
    ] {
        // Keys are the quoted kebab-case words that follow a reading call; tests beside the code
        // have none.
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        for key in code
            .split("(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            let is_key = !key.is_empty()
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit());
            let word_of_choice = source.contains(&format!("(\"{key}\", "))
                && [
                    "all",
                    "peers",
                    "nobody",
                    "http",
                    "https",
                    "viewer",
                    "rollout",
                    "operator",
                    "admin",
                    "vip",
                    "nodes",
                    "flat",
                    "per-gb",
                    "month-95",
                    "daily-peak-mean",
                    "daily-95-mean",
                ]
                .contains(&key);
            if is_key && !word_of_choice {
                assert!(
                    documented.contains(&format!("`{key}`")),
                    "{name}: `{key}` is not in docs/configuration.md"
                );
            }
        }
    }
}

#[test]
fn a_file_that_is_missing_is_told_without_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.toml");
    let told = Config::load(&path, &[]).unwrap_err().to_string();
    let start = format!("{}: cannot be read: ", path.display());
    assert!(told.starts_with(&start), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_configuration_loads_or_is_refused_with_lines(at in any::<prop::sample::Index>(), with in "[ -~\n]{0,3}", cut in 0..3_usize) {
        let damage = |text: &str| {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            format!("{}{with}{}", &text[..at], &text[end..])
        };
        if let Err(faults) = load(damage, &[]) {
            prop_assert!(!faults.faults.is_empty() && faults.faults.iter().all(|fault| fault.line >= 1));
        }
    }
}

#[test]
fn older_names_of_keys_are_read_and_mentioned() {
    let older = |text: &str| {
        text.replace("[[contracts]]", "[[meters]]")
            .replace("contract = ", "meter = ")
            .replace("latency-limit-ms", "floor-ms")
    };
    let (config, new) = (load(older, &[]).unwrap(), load(str::to_owned, &[]).unwrap());
    assert_eq!(config.inventory.services, new.inventory.services);
    assert_eq!(config.inventory.contracts[0].name, "m1");
    assert!(new.notices.is_empty());
    let told: Vec<_> = config.notices.iter().map(|n| n.to_string()).collect();
    let expected = [
        ":3: meters: is called contracts now; this older name is still read",
        ":12: services[0].floor-ms: is called latency-limit-ms now; this older name is still read",
        ":21: sites[0].links[0].meter: is called contract now; this older name is still read",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.ends_with(expected), "{told} is not {expected}");
    }
}

#[test]
fn faults_name_keys_as_the_file_writes_them() {
    let older = |text: &str| {
        text.replace("[[contracts]]", "[[meters]]")
            .replace("latency-limit-ms = 80", "floor-ms = 0")
            .replace("model = \"month-95\"", "model = \"monthly\"")
    };
    let shown = load(older, &[]).unwrap_err().to_string();
    for path in ["services[0].floor-ms: 0 is not within", "meters[0].model:"] {
        assert!(shown.contains(path), "{path} is not in {shown}");
    }
}

#[test]
fn a_key_under_both_names_is_refused() {
    check(
        "latency-limit-ms = 80",
        "latency-limit-ms = 80\nfloor-ms = 90",
        "services[0].floor-ms: is an older name of latency-limit-ms, which is given, too",
    );
}
