//! The name index against a reader of RFC 1034 section 4.3.2 and RFC 4592 that scans the whole zone
//! for every question.

use crate::message::{NS, TXT, ask};
use crate::world::{catalog, name, record, snapshot, soa};
use coverage::catalog::Zone;
use dns::DnsView;
use proptest::prelude::*;
use std::collections::BTreeMap;

const APEX: &str = "z.";

/// Owner and type of each record beside the apex's own: TXT, or NS for a cut.
type Records = BTreeMap<String, u16>;

/// A name of up to four labels below the apex, from an alphabet small enough to collide.
fn owner() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![3 => Just("a"), 3 => Just("b"), 1 => Just("*")],
        1..5,
    )
    .prop_map(|labels| format!("{}.{APEX}", labels.join(".")))
}

/// A zone with a few records, one in five of them a cut.
fn records() -> impl Strategy<Value = Records> {
    let rtype = prop_oneof![4 => Just(TXT), 1 => Just(NS)];
    proptest::collection::btree_map(owner(), rtype, 0..10)
}

fn view(records: &Records) -> DnsView {
    let mut all = vec![
        record(APEX, 6, 60, soa()),
        record(APEX, NS, 60, name("ns.elsewhere.")),
    ];
    for (owner, &rtype) in records {
        let rdata = if rtype == NS {
            name("ns.elsewhere.")
        } else {
            vec![1, b'x']
        };
        all.push(record(owner, rtype, 60, rdata));
    }
    let mut catalog = catalog();
    catalog.services.clear();
    catalog.zones = vec![Zone {
        apex: APEX.into(),
        records: all,
    }];
    // A map needs a service; this one has no name in DNS.
    catalog.services.push(coverage::catalog::Service {
        redirect_hosts: vec!["h".into()],
        ..crate::world::service("web", &[], 1)
    });
    DnsView::build(snapshot(catalog, 0)).unwrap()
}

/// `asked` and everything above it down to the apex.
fn above(asked: &str) -> Vec<String> {
    let starts = asked.match_indices('.').map(|(dot, _)| &asked[dot + 1..]);
    std::iter::once(asked)
        .chain(starts)
        .take_while(|name| name.ends_with(APEX))
        .map(str::to_owned)
        .collect()
}

/// Tells how a question for TXT has to begin.
fn expected(records: &Records, asked: &str) -> String {
    let chain = above(asked);
    let cut = chain
        .iter()
        .rev()
        .find(|name| records.get(*name) == Some(&NS));
    if let Some(cut) = cut {
        return format!("noerror rd | auth {cut}");
    }
    let exists = |name: &str| {
        name == APEX
            || records
                .keys()
                .any(|owner| owner == name || owner.ends_with(&format!(".{name}")))
    };
    let source = if exists(asked) {
        asked.to_owned()
    } else {
        let encloser = chain.iter().find(|name| exists(name)).unwrap();
        let wildcard = format!("*.{encloser}");
        if !exists(&wildcard) {
            return "nxdomain aa rd".to_owned();
        }
        wildcard
    };
    match records.get(&source) {
        Some(&TXT) => format!("noerror aa rd | {asked} 60 TXT x"),
        // An NS record at a wildcard is no cut for the names that it would be synthesized for.
        _ => "noerror aa rd | auth z. 60 SOA".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_agrees_with_a_scan(records in records(), asked in proptest::collection::vec(owner(), 20)) {
        let view = view(&records);
        for asked in asked.iter().chain(records.keys()) {
            let reply = ask(asked, TXT).of(&view);
            let expected = expected(&records, asked);
            prop_assert!(reply.starts_with(&expected), "{} in {:?}: {} not {}", asked, records, reply, expected);
        }
    }
}
