//! Tests of what has no equivalent.

use super::{Source, text};
use crate::Effect;

/// Faults as (line of `config`, or of the zone where it is above 1000, effect, part of what it is).
fn faults(source: &Source) -> Vec<(u32, Effect, String)> {
    let import = source.import().unwrap();
    let report = text(&import, "IMPORT.md");
    for fault in &import.faults {
        let line = format!("{}:{}", fault.file, fault.line);
        assert!(report.contains(&line), "the report lacks {line}");
    }
    let line = |file: &str, line: u32| {
        if file.contains("zones/") {
            line + 1000
        } else {
            line
        }
    };
    let faults = import.faults.into_iter();
    faults
        .map(|fault| (line(&fault.file, fault.line), fault.effect, fault.what))
        .collect()
}

/// One fault is expected, and nothing else.
fn check(config: &str, records: &str, line: u32, effect: Effect, what: &str) {
    let found = faults(&Source::new(config, records));
    let [(at, kind, text)] = found.as_slice() else {
        panic!("{config}\n{records}: {found:?}");
    };
    assert_eq!((*at, *kind), (line, effect), "{config}: {text}");
    assert!(text.contains(what), "{config}: {text}");
}

#[test]
fn settings_without_an_equivalent_are_listed() {
    for (option, effect) in [
        ("tcp_threads => 4", Effect::Moot),
        ("run_dir => /run/x", Effect::Moot),
        ("chaos_response => x", Effect::Lost),
        ("nsid => ff", Effect::Lost),
        ("max_edns_response => 4096", Effect::Changed),
        ("disable_cookies => true", Effect::Changed),
        (
            "listen => { 127.0.0.1:5300 => { tcp_proxy => true } }",
            Effect::Lost,
        ),
        (
            "listen => { 127.0.0.1 => { udp_threads => 2 } }",
            Effect::Moot,
        ),
    ] {
        let what = option.split(' ').next().unwrap();
        check(&format!("options => {{\n{option} }}"), "", 2, effect, what);
    }
    check(
        "plugins => {\n extmon => { helper_path => x } }",
        "",
        2,
        Effect::Moot,
        "extmon",
    );
}

#[test]
fn checks_without_an_equivalent_are_listed() {
    let config = |service: &str| {
        format!(
            "service_types => {{ s => {{ {service} }} }}\nplugins => {{ multifo => {{ m => {{ service_types => s a => 192.0.2.1 }} }} }}"
        )
    };
    let fast = "ok_thresh => 1 down_thresh => 1";
    check(
        &config("plugin => extmon, cmd => [ /bin/true ]"),
        "x 5/5 DYNA multifo!m",
        1,
        Effect::Lost,
        "service_types => s",
    );
    check(
        &config("plugin => tcp_connect port => 7"),
        "x 5/5 DYNA multifo!m",
        1,
        Effect::Changed,
        "ok_thresh",
    );
    check(
        &config(&format!(
            "plugin => tcp_connect port => 7 {fast} up_thresh => 2000"
        )),
        "x 5/5 DYNA multifo!m",
        1,
        Effect::Changed,
        "s",
    );
    check(
        &config(&format!(
            "plugin => tcp_connect port => 7 {fast} strange => 1"
        )),
        "x 5/5 DYNA multifo!m",
        1,
        Effect::Moot,
        "strange",
    );
    check(
        &config(&format!("plugin => tcp_connect port => 7 {fast}")),
        "x 300 DYNA multifo!m",
        1004,
        Effect::Changed,
        "TTL of x",
    );
    check(
        "plugins => { multifo => { m => 192.0.2.1 } }",
        "x 100000 DYNA multifo!m",
        1004,
        Effect::Changed,
        "TTL of x",
    );
}

#[test]
fn resources_without_an_equivalent_are_listed() {
    let weighted =
        |resource: &str| format!("plugins => {{ weighted => {{\nw => {{ {resource} }} }} }}");
    let one = "a => [ 192.0.2.1, 1 ] b => [ 192.0.2.2, 2 ]";
    let record = "x DYNC weighted!w";
    check(
        &weighted("a => [ a.example., 1 ] b => [ b.example., 2 ]"),
        record,
        1004,
        Effect::Lost,
        "weighted!w",
    );
    check(
        &weighted(&format!("multi => true {one}")),
        record,
        2,
        Effect::Changed,
        "weighted!w",
    );
    check(
        &weighted(&format!("g => {{ {one} }}")),
        record,
        2,
        Effect::Changed,
        "weighted!w",
    );
    let groups =
        "g => { a => [ 192.0.2.1, 1 ] b => [ 192.0.2.2, 1 ] } h => { a => [ 192.0.2.3, 1 ] }";
    check(&weighted(groups), record, 2, Effect::Changed, "weighted!w");
    check(
        &weighted(&format!("multi => true {groups}")),
        record,
        2,
        Effect::Changed,
        "weighted!w",
    );
    check("", "x DYNA reflect", 1004, Effect::Lost, "reflect");
    check(
        "plugins => { static => {\n a => 192.0.2.1\n b => 192.0.2.2 } }",
        "x DYNA static!a",
        3,
        Effect::Moot,
        "static!b",
    );
    let health = "plugins => { multifo => { m => { ignore_health => true service_types => down up_thresh => 0.1\n a => 192.0.2.1 b => 192.0.2.2 } } }";
    check(
        health,
        "x DYNA multifo!m",
        2,
        Effect::Changed,
        "ignore_health",
    );
    let twice = "plugins => { multifo => { m => { a => 192.0.2.1\n b => 192.0.2.1 } } }";
    check(twice, "x DYNA multifo!m", 2, Effect::Changed, "192.0.2.1");
}

/// A map with what is given, and two datacenters; the resource takes what else is given.
pub(super) fn geo(map: &str, resource: &str) -> String {
    format!(
        "plugins => {{ geoip => {{ undefined_datacenters_ok => true maps => {{ m => {{ datacenters => [ a, b ]\n{map} }} }}\nresources => {{ r => {{ map => m {resource} }} }} }} }}"
    )
}

#[test]
fn maps_without_an_equivalent_are_listed() {
    let both = "dcmap => { a => 192.0.2.1 b => 192.0.2.2 }";
    let record = "x DYNA geoip!r";
    let coords = "auto_dc_coords => { a => [ 1, 2 ] b => [ 3, 4 ] }";
    for (map, resource, line, effect, what) in [
        (
            "nets => { 10.0.0.0/8 => [] }",
            both,
            2,
            Effect::Lost,
            "10.0.0.0/8",
        ),
        (
            "nets => { 2001:db8::/65 => a }",
            both,
            2,
            Effect::Lost,
            "2001:db8::/65",
        ),
        (
            "nets => { 10.0.0.1/8 => a\n10.0.0.2/8 => b }",
            both,
            3,
            Effect::Changed,
            "10.0.0.2/8",
        ),
        ("strange => 1", both, 2, Effect::Moot, "strange"),
        (
            "nets => { 10.0.0.0/8 => a }",
            "dcmap => { b => 192.0.2.2 }",
            1004,
            Effect::Lost,
            "geoip!r",
        ),
        (
            coords,
            "skip_first => true dcmap => { a => 192.0.2.1 b => 192.0.2.2 }",
            1004,
            Effect::Lost,
            "geoip!r",
        ),
        (
            "auto_dc_limit => 1 auto_dc_coords => { a => [ 1, 2 ] b => [ 3, 4 ] }",
            "dcmap => { b => 192.0.2.2 }",
            1004,
            Effect::Lost,
            "geoip!r",
        ),
    ] {
        check(&geo(map, resource), record, line, effect, what);
    }
    // The bound on lists by distance is not reached, so an undefined datacenter changes nothing.
    let found = faults(&Source::new(
        &geo(coords, "dcmap => { b => 192.0.2.2 }"),
        record,
    ));
    assert_eq!(found, []);
    let two = geo("", "dcmap => { a => 192.0.2.1 b => %geoip!s }").replace(
        "resources => {",
        "resources => { s => { map => n dcmap => { c => 192.0.2.3 } }",
    );
    let two = two.replace("maps => {", "maps => { n => { datacenters => [ c ] }");
    check(&two, record, 1004, Effect::Lost, "geoip!r");
    let ignoring = geo("ignore_ecs => true", both)
        .replace("maps => {", "maps => { n => { datacenters => [ c ] }");
    check(&ignoring, record, 1, Effect::Changed, "ignore_ecs");
    let backup = format!(
        "{}\n",
        geo(coords, both).replace("plugins => {", "plugins => { metafo => { resources => { f => { datacenters => [ r, z ] dcmap => { r => %geoip!r z => 192.0.2.9 } } } }")
    );
    check(&backup, "x DYNA metafo!f", 1004, Effect::Lost, "metafo!f");
}

#[test]
fn forced_states_that_do_nothing_or_have_a_ttl_are_listed() {
    let source = Source::new(
        "plugins => { multifo => { m => 192.0.2.1 } }",
        "x DYNA multifo!m",
    );
    source.file("admin_state", "192.0.2.9/up => DOWN\n192.0.2.1/up => UP/30");
    let found = faults(&source);
    assert_eq!(
        found,
        [
            (1, Effect::Moot, "admin_state 192.0.2.9/up".to_owned()),
            (2, Effect::Changed, "admin_state 192.0.2.1/up".to_owned())
        ]
    );
}
