//! Tests of the decoder: each reason once, and properties over any bytes.

use super::*;
use crate::line::encode_line;
use coverage::area::{AreaAttrs, AreaTableBuilder};
use coverage::observation::Sample;
use coverage::{AreaId, GroupId, LinkId, NodeId, ServiceId, SiteId};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_732_323_232_000);

fn table() -> AreaTable {
    let attrs = |province: &str| AreaAttrs {
        country: "cn".into(),
        province: province.into(),
        isp: "ct".into(),
        ..AreaAttrs::default()
    };
    let mut builder = AreaTableBuilder::new();
    builder.add_v4(0x0102_0300, 0x0102_03ff, &attrs("44"));
    builder.add_v4(0x0102_0400, 0x0102_07ff, &attrs("31"));
    builder.add_v6(0x2001_0db8_0000_0000, 0x2001_0db8_ffff_ffff, &attrs("44"));
    builder.finish().unwrap()
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    directory.sites.insert("gz1".into(), SiteId(0));
    directory.sites.insert("sh1".into(), SiteId(1));
    directory
        .links
        .insert("gz1/ct".into(), (LinkId(0), SiteId(0)));
    directory
        .links
        .insert("sh1/ct".into(), (LinkId(1), SiteId(1)));
    directory.groups.insert("gz1-a".into(), GroupId(0));
    directory.nodes.insert("gz1-a-1".into(), NodeId(0));
    directory.services.insert("live".into(), ServiceId(0));
    directory
}

fn decode(text: impl AsRef<[u8]>) -> Batch {
    decode_batch(
        text.as_ref(),
        &directory(),
        &table(),
        NOW,
        &Limits::default(),
    )
}

fn one(line: &str) -> Result<Sample, Reason> {
    let mut batch = decode(line);
    assert_eq!(batch.accepted.len() + batch.refused.len(), 1, "{line}");
    batch
        .accepted
        .pop()
        .map(|seen| seen.sample)
        .ok_or_else(|| batch.refused.remove(0).reason)
}

#[test]
fn every_kind_decodes() {
    let area = |name: &str| table().by_name(name).unwrap();
    assert_eq!(
        one(
            r#"{"kind":"quality","area":"cn/44/ct","site":"gz1","link":"gz1/ct","rtt_ms":8.1,"loss":0.001}"#
        ),
        Ok(Sample::Quality {
            area: area("cn/44/ct"),
            site: SiteId(0),
            link: Some(LinkId(0)),
            rtt_ms: 8.1,
            loss: 0.001
        })
    );
    assert_eq!(
        one(r#"{"kind":"node","node":"gz1-a-1","healthy":true,"load":0.63,"mbps":812.5}"#),
        Ok(Sample::Node {
            node: NodeId(0),
            healthy: true,
            load: 0.63,
            mbps: 812.5
        })
    );
    assert_eq!(
        one(r#"{"kind":"group","group":"gz1-a","service":"live","mbps":3100.0}"#),
        Ok(Sample::Group {
            group: GroupId(0),
            service: ServiceId(0),
            mbps: 3100.0
        })
    );
    assert_eq!(
        one(r#"{"mbps":31200,"kind":"link","link":"gz1/ct"}"#),
        Ok(Sample::Link {
            link: LinkId(0),
            mbps: 31200.0
        })
    );
    let demand = |area| {
        Ok(Sample::Demand {
            area,
            service: ServiceId(0),
            mbps: 812.5,
            rps: None,
        })
    };
    let by_area = r#"{"kind":"demand","area":"cn/31/ct","service":"live","mbps":812.5}"#;
    assert_eq!(one(by_area), demand(area("cn/31/ct")));
    let counted = by_area.replace("812.5", r#"812.5,"rps":1e4"#);
    assert_eq!(
        one(&counted),
        Ok(Sample::Demand {
            area: area("cn/31/ct"),
            service: ServiceId(0),
            mbps: 812.5,
            rps: Some(1e4),
        })
    );
    let places = [
        ("1.2.3.0/24", "cn/44/ct"),
        ("1.2.4.0/22", "cn/31/ct"),
        ("2001:db8::7", "cn/44/ct"),
        ("9.9.9.9", "zz"),
    ];
    for (client, name) in places {
        let line =
            format!(r#"{{"kind":"demand","client":"{client}","service":"live","mbps":812.5}}"#);
        assert_eq!(one(&line), demand(area(name)), "{client}");
    }
}

#[test]
fn what_is_refused_says_why() {
    let cases = [
        ("{", "not-json"),
        ("\u{feff}{}", "not-json"),
        ("[]", "keys"),
        ("7", "keys"),
        ("{}", "keys"),
        (r#"{"kind":"weather","link":"gz1/ct"}"#, "kind"),
        (r#"{"kind":"link","link":"gz1/ct"}"#, "keys"),
        (
            r#"{"kind":"link","link":"gz1/ct","mbps":1,"unit":"M"}"#,
            "keys",
        ),
        (r#"{"kind":"link","link":"gz1/ct","mbps":"1"}"#, "keys"),
        (r#"{"kind":"link","link":"gz9/ct","mbps":1}"#, "name"),
        (r#"{"kind":"link","link":"gz1/ct","mbps":NaN}"#, "not-json"),
        (
            r#"{"kind":"link","link":"gz1/ct","mbps":1e999}"#,
            "not-json",
        ),
        (r#"{"kind":"link","link":"gz1/ct","mbps":-1}"#, "number"),
        (r#"{"kind":"link","link":"gz1/ct","mbps":1e300}"#, "number"),
        (
            r#"{"kind":"node","node":"gz1-a-1","healthy":true,"load":101,"mbps":1}"#,
            "number",
        ),
        (
            r#"{"kind":"quality","area":"cn/44/ct","site":"gz1","rtt_ms":1,"loss":1.01}"#,
            "number",
        ),
        (
            r#"{"kind":"quality","area":"cn/44/cm","site":"gz1","rtt_ms":1,"loss":0}"#,
            "name",
        ),
        (
            r#"{"kind":"quality","area":"cn/44/ct","site":"gz1","link":"sh1/ct","rtt_ms":1,"loss":0}"#,
            "foreign-link",
        ),
        (r#"{"kind":"demand","service":"live","mbps":1}"#, "keys"),
        (
            r#"{"kind":"demand","area":"zz","client":"1.2.3.4","service":"live","mbps":1}"#,
            "keys",
        ),
        (
            r#"{"kind":"demand","client":"1.2.3.0/33","service":"live","mbps":1}"#,
            "client",
        ),
        (
            r#"{"kind":"demand","client":"1.2.0.0/16","service":"live","mbps":1}"#,
            "client",
        ),
        (
            r#"{"kind":"link","link":"gz1/ct","mbps":1,"at":1732322631999}"#,
            "skew",
        ),
        (
            r#"{"kind":"link","link":"gz1/ct","mbps":1,"at":1732323292001}"#,
            "skew",
        ),
    ];
    for (line, label) in cases {
        let reason = one(line).expect_err(line);
        assert_eq!(reason.label(), label, "{line}: {reason}");
    }
    let named = one(r#"{"kind":"link","link":"gz9/ct","mbps":1}"#).unwrap_err();
    assert_eq!(
        named.to_string(),
        "unknown link `gz9/ct`: use a name of the inventory"
    );
}

#[test]
fn skew_within_the_bounds_is_kept() {
    for at in [NOW.0 - 600_000, NOW.0, NOW.0 + 60_000] {
        let batch = decode(format!(
            r#"{{"kind":"link","link":"gz1/ct","mbps":1,"at":{at}}}"#
        ));
        assert_eq!(batch.accepted[0].at, Timestamp(at));
    }
}

#[test]
fn samples_of_links_may_be_allowed_to_come_later_than_others() {
    let limits = Limits {
        link_behind_max: Duration::from_hours(1),
        ..Limits::default()
    };
    let decode = |line: String| {
        let batch = decode_batch(line.as_bytes(), &directory(), &table(), NOW, &limits);
        batch.accepted.first().map(|seen| seen.at)
    };
    let link = |at: u64| {
        decode(format!(
            r#"{{"kind":"link","link":"gz1/ct","mbps":1,"at":{at}}}"#
        ))
    };
    let demand = |at: u64| {
        decode(format!(
            r#"{{"kind":"demand","area":"zz","service":"live","mbps":1,"at":{at}}}"#
        ))
    };
    assert_eq!(link(NOW.0 - 3_600_000), Some(Timestamp(NOW.0 - 3_600_000)));
    assert_eq!(link(NOW.0 - 3_600_001), None);
    assert_eq!(demand(NOW.0 - 600_000), Some(Timestamp(NOW.0 - 600_000)));
    assert_eq!(demand(NOW.0 - 600_001), None);
}

#[test]
fn batches_are_bounded_but_everything_is_counted() {
    let limits = Limits {
        line_bytes_max: 60,
        lines_max: 4,
        listed_max: 2,
        ..Limits::default()
    };
    let good = r#"{"kind":"link","link":"gz1/ct","mbps":1}"#;
    let long = format!("{{\"kind\":\"link\",{}}}", " ".repeat(60));
    let text = format!("{good}\nx\n{long}\n{good}\r\n{good}\n{good}\n");
    let batch = decode_batch(text.as_bytes(), &directory(), &table(), NOW, &limits);
    assert_eq!(batch.accepted.len(), 2);
    assert_eq!(
        batch.refused.iter().map(|r| r.line).collect::<Vec<_>>(),
        [2, 3]
    );
    let labels: Vec<_> = batch.refused_by_label.into_iter().collect();
    assert_eq!(
        labels,
        [("line-too-long", 1), ("not-json", 1), ("too-many-lines", 2)]
    );
}

/// A good line with a number of its own, to tell it from others.
fn good_line(mbps: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let line = TelemetryLine::Link {
        link: "gz1/ct".into(),
        mbps: f64::from(mbps),
        at: None,
    };
    encode_line(&line, &mut out).unwrap();
    out
}

proptest! {
    #[test]
    fn any_bytes_are_refused_not_fatal(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let batch = decode(&bytes);
        prop_assert!(batch.accepted.is_empty());
        prop_assert_eq!(batch.refused.len() as u64, batch.refused_total());
    }

    #[test]
    fn mutated_lines_never_panic(at in 0_usize..90, byte in any::<u8>()) {
        let mut line = br#"{"kind":"quality","area":"cn/44/ct","site":"gz1","link":"gz1/ct","rtt_ms":8.1,"loss":0.01}"#.to_vec();
        line[at] = byte;
        let batch = decode(&line);
        prop_assert!(batch.accepted.len() as u64 + batch.refused_total() <= 2);
    }

    #[test]
    fn a_bad_line_never_costs_a_good_one(
        bad in proptest::collection::vec(("[^\n]{0,40}", any::<bool>()), 0..12),
    ) {
        let mut text = Vec::new();
        let mut sent = Vec::new();
        for (number, (line, keep)) in (0_u32..).zip(&bad) {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
            if *keep {
                sent.push(f64::from(number));
                text.extend(good_line(number));
            }
        }
        let batch = decode(&text);
        let seen: Vec<f64> = batch.accepted.iter().map(|seen| match seen.sample {
            Sample::Link { mbps, .. } => mbps,
            _ => -1.0,
        }).collect();
        prop_assert_eq!(seen, sent);
    }

    #[test]
    fn what_is_encoded_decodes(rtt_ms in 0.0..10_000.0_f64, loss in 0.0..=1.0_f64, at in 0_u64..600_000) {
        let mut out = Vec::new();
        let line = TelemetryLine::Quality {
            area: "zz".into(), site: "gz1".into(), link: None, rtt_ms, loss, at: Some(NOW.0 - at),
        };
        encode_line(&line, &mut out).unwrap();
        let batch = decode(&out);
        prop_assert_eq!(batch.accepted.len(), 1);
        prop_assert_eq!(batch.accepted[0].at, Timestamp(NOW.0 - at));
        // The reader of numbers is exact to the last place but one.
        let close = matches!(&batch.accepted[0].sample, Sample::Quality {
            area: AreaId(0), site: SiteId(0), link: None, rtt_ms: r, loss: l,
        } if (r - rtt_ms).abs() <= 1e-9 && (l - loss).abs() <= 1e-12);
        prop_assert!(close, "{:?}", batch.accepted);
    }
}
