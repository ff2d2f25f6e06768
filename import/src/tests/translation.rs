//! Tests of what has an equivalent.

use super::{Source, named, text};
use crate::{Import, Overwrite};
use std::fs;
use std::path::Path;
use toml::Table;

/// TOML on one line, for comparisons.
fn inline(value: &toml::Value) -> String {
    value.to_string()
}

fn toml(text: &str) -> Table {
    text.parse().unwrap()
}

/// A map with all that maps have.
const WORLD: &str = r#"plugins => { geoip => {
        maps => { world => {
            geoip2_db => City.mmdb
            datacenters => [ us, eu, ap ]
            auto_dc_coords => { us => [ 38.9, -77 ], eu => [ 50, 8.7 ] }
            auto_dc_limit => 2
            map => {
                default => auto
                EU => {
                    default => [ eu, us ]
                    GB => { ENG => { London => ap } SCT => auto }
                    DE => [ eu ]
                }
                "AS" => [ ap, us ]
            }
            nets => world.nets
        } }
        resources => { www => { map => world dcmap => { us => 192.0.2.1 eu => [ 192.0.2.2, 192.0.2.3 ] ap => www.cdn.example. } } }
    } }"#;

/// Rules.
const RULES: [&str; 9] = [
    r#"{ continent = "EU", country = "GB", within = ["ENG", "London"], prefer = ["ap"] }"#,
    r#"{ continent = "EU", country = "GB", within = ["ENG"], prefer = ["eu", "us"] }"#,
    r#"{ continent = "EU", country = "GB", within = ["SCT"], prefer = "nearest" }"#,
    r#"{ continent = "EU", country = "GB", prefer = ["eu", "us"] }"#,
    r#"{ continent = "EU", country = "DE", prefer = ["eu"] }"#,
    r#"{ continent = "EU", prefer = ["eu", "us"] }"#,
    r#"{ continent = "AS", prefer = ["ap", "us"] }"#,
    r#"{ nets = ["192.0.2.0/24", "2001:db8::/32"], prefer = ["us"] }"#,
    r#"{ nets = ["10.0.0.0/8"], prefer = ["ap", "eu"] }"#,
];

#[test]
fn maps_become_policies_with_a_rule_for_each_inner_node() {
    let source = Source::new(
        WORLD,
        "www 600 DYNC geoip!www\nw2 600 DYNC geoip!www\nw3 60 DYNC geoip!www\n",
    );
    source.file(
        "geoip/world.nets",
        "10.1.2.3/8 => [ ap, eu ]\n2001:DB8::/32 => us,\n192.0.2.0/24 = us",
    );
    source.file("geoip/City.mmdb", "not read");
    let (import, table) = source.policies();
    let policy = named(&table, "policies", "world");
    assert_eq!(inline(&policy["labels"]), r#"["us", "eu", "ap"]"#);
    assert_eq!(inline(&policy["default"]), r#""nearest""#);
    assert_eq!(inline(&policy["nearest-max"]), "2");
    assert_eq!(
        policy["coordinates"].as_table().unwrap(),
        &toml("us = [38.9, -77.0]\neu = [50.0, 8.7]")
    );
    let rules: Vec<String> = policy["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(inline)
        .collect();
    let sorted = |rule: &str| toml(&format!("rule = {rule}"));
    assert_eq!(
        rules.iter().map(|rule| sorted(rule)).collect::<Vec<_>>(),
        RULES.map(sorted).to_vec()
    );
    let service = named(&table, "services", "geoip-www");
    assert_eq!(
        inline(&service["domains"]),
        r#"["www.example.com.", "w2.example.com."]"#
    );
    assert_eq!(
        inline(&named(&table, "services", "geoip-www-2")["ttl"]),
        r#""60s""#
    );
    assert_eq!(
        service["pools"].as_table().unwrap(),
        &toml(
            "us = [\"multifo-geoip_www_us\"]\neu = [\"multifo-geoip_www_eu\"]\nap = [\"geoip_www_ap\"]"
        )
    );
    assert_eq!(
        inline(&named(&table, "pools", "geoip_www_ap")["cname"]),
        r#""www.cdn.example.""#
    );
    assert_eq!(
        import.copies,
        [(source.path().join("geoip/City.mmdb"), "City.mmdb".into())]
    );
    assert!(import.faults.is_empty(), "{:?}", import.faults);
}

#[test]
fn pools_have_thresholds_weights_checks_and_forced_states() {
    let config = r#"
    service_types => {
        web => { plugin => http_status, port => 8080, url_path => /ok, vhost => www.example.com, ok_codes => [ 200, 301 ]
                 interval => 8, timeout => 3, up_thresh => 4, down_thresh => 1, ok_thresh => 1 }
        dead => { plugin => static, state => DOWN }
    }
    plugins => {
        multifo => { up_thresh => 0.3
            m => { service_types => web a => 192.0.2.1 b => 192.0.2.2 c => 192.0.2.3 }
            d => { addrs_v4 => { service_types => web, a => 192.0.2.4 } addrs_v6 => [ 2001:DB8::1, 2001:db8::2 ] } }
        weighted => { w => { a => [ 192.0.2.5, 10 ] b => [ 192.0.2.6, 20 ] }
            same => { multi => true a => [ 192.0.2.7, 5 ] b => [ 192.0.2.8, 5 ] }
            cname => { x => [ www.cdn.example., 7 ] } }
        simplefo => { s => { service_types => dead primary => 192.0.2.9 secondary => 192.0.2.10 } }
    }"#;
    let records = "m DYNA multifo!m\nd DYNA multifo!d\nw DYNA weighted!w\nsame DYNA weighted!same\n\
                   cname DYNC weighted!cname\ns DYNA simplefo!s\nnull DYNA null\n";
    let source = Source::new(config, records);
    source.file(
        "state/admin_state",
        "\"2001:db8::[12]/up\" => DOWN\n2001:db8::2/* => UP\n192.0.2.1/web => DOWN 192.0.2.2/web => up",
    );
    let (_, table) = source.policies();
    let pool = |name: &str| inline(&toml::Value::Table(named(&table, "pools", name).clone()));
    for (name, expected) in [
        (
            "multifo-m",
            r#"checks = ["web"]
            ipv4 = { serve = "all", up-share-min = 0.3, addresses = [
            { address = "192.0.2.1", state = "down" }, { address = "192.0.2.2", state = "up" }, { address = "192.0.2.3" }] }"#,
        ),
        (
            "multifo-d",
            r#"checks = ["web"]
            ipv4 = { serve = "all", up-share-min = 0.3, addresses = [{ address = "192.0.2.4" }] }
            ipv6 = { serve = "all", up-share-min = 0.3, addresses = [
            { address = "2001:db8::1", state = "down" }, { address = "2001:db8::2", state = "up" }] }"#,
        ),
        (
            "weighted-w",
            r#"ipv4 = { serve = "one", up-share-min = 0.5, addresses = [
            { address = "192.0.2.5", weight = 10 }, { address = "192.0.2.6", weight = 20 }] }"#,
        ),
        (
            "weighted-same",
            r#"ipv4 = { serve = "all", up-share-min = 0.5, addresses = [
            { address = "192.0.2.7" }, { address = "192.0.2.8" }] }"#,
        ),
        ("weighted-cname", r#"cname = "www.cdn.example.""#),
        (
            "simplefo-s",
            r#"ipv4 = { serve = "first", addresses = [
            { address = "192.0.2.9", state = "down" }, { address = "192.0.2.10", state = "down" }] }"#,
        ),
        (
            "null",
            r#"ipv4 = { serve = "all", addresses = [{ address = "0.0.0.0" }] }
            ipv6 = { serve = "all", addresses = [{ address = "::" }] }"#,
        ),
    ] {
        let expected = toml(&format!("name = \"{name}\"\n{expected}"));
        assert_eq!(named(&table, "pools", name), &expected, "{}", pool(name));
    }
    let check = named(&table, "checks", "web");
    let expected = toml(
        "name = \"web\"\nkind = \"http\"\nport = 8080\npath = \"/ok\"\nhost = \"www.example.com\"\nok-codes = [200, 301]\n\
         interval = \"8s\"\ntimeout = \"3000ms\"\nup-after = 4\ndown-after = 1",
    );
    assert_eq!(check, &expected);
}

/// Datacenters within datacenters, all of them named.
const NESTED: &str = r#"plugins => {
    metafo => { resources => {
        in => { datacenters => [ a, b ] dcmap => { a => 192.0.2.1 b => 192.0.2.2 } }
        out => { datacenters => [ x, y ] dcmap => { x => %metafo!in y => 192.0.2.3 } }
        plain => { datacenters => [ x, y ] skip_first => true dcmap => { x => 192.0.2.4 y => 192.0.2.5 } }
        last => { datacenters => [ real, backup ] dcmap => { real => %geoip!www backup => www.cdn.example. } }
    } }
    geoip => {
        maps => { m => { datacenters => [ p, q ] nets => { 10.0.0.0/8 => [ q, p ] } } }
        resources => { www => { map => m dcmap => {
            p => { plugin => metafo datacenters => [ c, d ] dcmap => { c => 192.0.2.6 d => 192.0.2.7 } }
            q => !r } plugin => simplefo } }
    }
    simplefo => { r => { primary => 192.0.2.8 secondary => 192.0.2.9 } }
}"#;

#[test]
fn nested_resources_are_spliced_into_labels_and_pools() {
    let records = "out DYNA metafo!out\nplain DYNA metafo!plain\nwww DYNA geoip!www\nlast DYNC metafo!last\n\
                   one DYNA metafo!out/x\np DYNA geoip!www/p\n";
    let source = Source::new(NESTED, records);
    source.file("admin_state", "metafo/in/b => DOWN\n*/x => UP geoip/m/* => DOWN geoip/www/q => UP metafo/geoip_www_p/d => DOWN");
    let (import, table) = source.policies();
    let service = |name: &str| {
        let mut service = named(&table, "services", name).clone();
        for key in ["name", "domains", "ttl", "addresses-max"] {
            service.remove(key).unwrap();
        }
        service
    };
    let ins = r#""multifo-metafo_in_a", "multifo-metafo_in_b-forced-down""#;
    let p = r#""multifo-metafo_geoip_www_p_c", "multifo-metafo_geoip_www_p_d-forced-down""#;
    for (name, expected) in [
        (
            "metafo-out",
            format!(
                "policy = \"metafo-out\"\npools = {{ x = [{ins}], y = [\"multifo-metafo_out_y\"] }}\nstates = {{ x = \"up\" }}"
            ),
        ),
        ("metafo-out-x", format!("prefer = [{ins}]")),
        (
            "metafo-plain",
            "prefer = [\"multifo-metafo_plain_y\"]".to_owned(),
        ),
        (
            "geoip-www",
            format!(
                "policy = \"m\"\npools = {{ p = [{p}], q = [\"simplefo-r\"] }}\nstates = {{ p = \"down\", q = \"up\" }}"
            ),
        ),
        ("geoip-www-p", format!("prefer = [{p}]")),
        (
            "metafo-last",
            format!(
                "policy = \"m-metafo-last\"\npools = {{ \"real/p\" = [{p}], \"real/q\" = [\"simplefo-r\"], backup = [\"metafo_last_backup\"] }}\n\
             states = {{ \"real/p\" = \"down\", \"real/q\" = \"up\" }}"
            ),
        ),
    ] {
        assert_eq!(service(name), toml(&expected), "{name}");
    }
    let policy = named(&table, "policies", "m-metafo-last");
    assert_eq!(
        inline(&policy["default"]),
        r#"["real/p", "real/q", "backup"]"#
    );
    assert_eq!(
        inline(&policy["rules"]),
        inline(
            &toml(
                r#"rules = [{ nets = ["10.0.0.0/8"], prefer = ["real/q", "real/p", "backup"] }]"#
            )["rules"]
        )
    );
    assert!(
        import
            .faults
            .iter()
            .all(|fault| fault.what == "admin_state */x" || fault.effect.word() == "moot"),
        "{:?}",
        import.faults
    );
}

#[test]
fn static_records_are_absolute_and_times_are_seconds() {
    let config = "options => { zones_default_ttl => 7200 min_ttl => 60 max_ncache_ttl => 600 listen => [ 127.0.0.1, \"[::1]:5300\" ] \
                  dns_port => 5301 nsid => 6e7331 edns_client_subnet => false udp_threads => 3 }";
    let records = "$TTL 1H\n$ORIGIN sub\nwww 30 A 192.0.2.1\n\tTXT \"a;b\" plain\nmx MX 10 mail.@Z\n$INCLUDE more inner\nlast A 192.0.2.3\n\
                   _acme-challenge TXT x\n";
    let source = Source::new(config, records);
    source.file("zones/.hidden", "nonsense");
    source.file("zones/inc/unused", "nonsense");
    source.file(
        "zones/0@25.2.0.192.in-addr.arpa",
        "@ SOA a. b. 1 1 1 1 1\n@ NS a.\n1 PTR x.example.com.\n",
    );
    // A file beside the others would be a zone, so what is included lies deeper.
    source.file(
        "zones/example.com",
        &format!("{}{}", super::ZONE, records.replace("more", "inc/more")),
    );
    source.file(
        "zones/inc/more",
        "$TTL 5\n@ A 192.0.2.2\n$ORIGIN deep.@F\nx CNAME @\ny.@F 2D IN SRV 1 2 3 @Z\n",
    );
    let (import, _) = source.policies();
    assert_eq!(
        text(&import, "zones/example.com.zone"),
        "example.com. 600 IN SOA ns1.example.com. admin.example.com. 1 7200 1800 259200 600\n\
         example.com. 7200 IN NS ns1.example.com.\n\
         ns1.example.com. 7200 IN A 192.0.2.53\n\
         www.sub.example.com. 60 IN A 192.0.2.1\n\
         www.sub.example.com. 3600 IN TXT \"a;b\" \"plain\"\n\
         mx.sub.example.com. 3600 IN MX 10 mail.example.com.\n\
         inner.sub.example.com. 60 IN A 192.0.2.2\n\
         x.deep.inner.sub.example.com. 60 IN CNAME deep.inner.sub.example.com.\n\
         y.inner.sub.example.com. 172800 IN SRV 1 2 3 example.com.\n\
         last.sub.example.com. 3600 IN A 192.0.2.3\n\
         _acme-challenge.sub.example.com. 0 IN TXT \"x\"\n"
    );
    assert!(
        text(&import, "zones/0-25.2.0.192.in-addr.arpa.zone")
            .contains("1.0/25.2.0.192.in-addr.arpa. 7200 IN PTR")
    );
    let config = toml(text(&import, "watershed.toml"));
    assert_eq!(
        config["dns"].as_table().unwrap(),
        &toml(
            "listen = [\"127.0.0.1:5301\", \"[::1]:5300\"]\nudp-workers = 3\necs = \"nobody\"\necs-v4-bits-max = 32\necs-v6-bits-max = 64\nnsid = \"ns1\""
        )
    );
    assert_eq!(
        inline(&config["zones"][0]["name"]),
        r#""0/25.2.0.192.in-addr.arpa""#
    );
    assert!(import.faults.is_empty(), "{:?}", import.faults);
    assert_eq!((import.summary.zones, import.summary.records), (2, 14));
}

#[test]
fn the_report_says_what_differs_in_kind() {
    for (option, adds) in [
        ("", true),
        ("options => { experimental_no_chain => FALSE }", false),
    ] {
        let import = Source::new(option, "").import().unwrap();
        let report = text(&import, "IMPORT.md");
        assert_eq!(report.contains("Behind a CNAME"), adds, "{report}");
        assert!(report.contains("Everything was carried over."));
    }
}

#[test]
fn the_same_files_give_the_same_bytes_and_files_are_not_overwritten_unasked() {
    let source = Source::new(NESTED, "out DYNA metafo!out\nlast DYNC metafo!last\n");
    let files = |import: &Import| import.files.clone();
    let import = source.import().unwrap();
    assert_eq!(files(&import), files(&source.import().unwrap()));
    let to = source.path().join("to/deep");
    import.write(&to, Overwrite::Never).unwrap();
    let policies = to.join("policies.toml");
    fs::write(&policies, "precious").unwrap();
    let refused = import.write(&to, Overwrite::Never).unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(fs::read_to_string(&policies).unwrap(), "precious");
    import.write(&to, Overwrite::Always).unwrap();
    assert_eq!(
        fs::read_to_string(policies).unwrap(),
        text(&import, "policies.toml")
    );
    assert!(
        to.join("zones/example.com.zone").is_file() && Path::new(&to.join("IMPORT.md")).is_file()
    );
}
