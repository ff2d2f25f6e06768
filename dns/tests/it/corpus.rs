//! The kept corpus: small messages of every kind, in `tests/corpus`, from which hostile ones are
//! bred.
//!
//! Most are made here, so that a reader sees what each is for; whatever once broke something may be
//! put beside them under any other name. `WATERSHED_CORPUS=write cargo test -p watershed-dns
//! corpus` writes what is made here anew.

use crate::message::{A, AAAA, NS, TXT, ask};
use crate::world::name;
use std::path::PathBuf;

fn dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"))
}

/// All messages of the corpus, in the order of their file names.
pub(crate) fn kept() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// A header with these counts, RD set, and what follows it.
fn raw(counts: [u16; 4], body: &[&[u8]]) -> Vec<u8> {
    [
        &b"\xab\xcd\x01\0"[..],
        &counts.map(u16::to_be_bytes).concat(),
        &body.concat(),
    ]
    .concat()
}

/// Good questions of every kind, to be bent.
fn good() -> Vec<(&'static str, Vec<u8>)> {
    let cookie = [7; 24];
    let asks = [
        ("a", ask("live.example.com.", A)),
        (
            "aaaa-edns-do",
            ask("a.b.w.example.com.", AAAA).edns(4096, 0x8000),
        ),
        ("long-answer", ask("big.example.com.", TXT).edns(4096, 0)),
        (
            "subnet-v4",
            ask("live.example.com.", A).subnet("10.1.0.0/16"),
        ),
        (
            "subnet-v6-cookie-nsid",
            ask("split.example.com.", A)
                .subnet("2001:db8:1::/48")
                .option(10, &cookie)
                .option(3, &[]),
        ),
        (
            "keepalive-padding",
            ask("q.alias.example.com.", A)
                .option(11, &[])
                .option(12, &[0; 9]),
        ),
        (
            "referral-cookie",
            ask("x.sub.example.com.", A).option(10, &cookie[..8]),
        ),
        ("any", ask("example.com.", 255)),
        ("ns", ask("example.com.", NS)),
        ("long-chain", ask("hop0.example.com.", A).edns(512, 0)),
        ("circle", ask("loop1.example.com.", A)),
        (
            "badvers",
            ask("nothing.example.com.", A).edns(1232, 1 << 16),
        ),
        (
            "badvers-malformed-option",
            ask("nothing.example.com.", A)
                .edns(1232, 1 << 16)
                .option(8, &[9]),
        ),
        (
            "refused-opt-out",
            ask("www.example.org.", A).subnet("0.0.0.0/0"),
        ),
        ("root", ask(".", NS)),
        ("transfer", ask("example.com.", 252)),
        ("asks-for-opt", ask("example.com.", 41)),
        ("chaos", ask("id.server.", TXT).class(3)),
        (
            "mixed-case",
            ask("LiVe.eXaMpLe.CoM.", A).subnet("127.0.0.1/32"),
        ),
    ];
    asks.map(|(name, ask)| (name, ask.bytes())).into()
}

/// Client Subnet and cookie options that must get FORMERR, or look as if they must.
fn options() -> Vec<(&'static str, Vec<u8>)> {
    let live = || ask("live.example.com.", A);
    let asks = [
        ("subnet-empty", live().option(8, &[])),
        ("subnet-short", live().option(8, &[0, 1, 24, 0, 10, 1])),
        ("subnet-long", live().option(8, &[0, 1, 24, 0, 10, 1, 0, 0])),
        (
            "subnet-spare-bits",
            live().option(8, &[0, 1, 17, 0, 10, 1, 1]),
        ),
        (
            "subnet-33-bits-of-v4",
            live().option(8, &[0, 1, 33, 0, 10, 1, 1, 1, 0]),
        ),
        ("subnet-128-bits", live().subnet("2001:db8:1:2:3:4:5:6/128")),
        ("subnet-scope", live().option(8, &[0, 1, 24, 1, 10, 1, 0])),
        ("subnet-family-0", live().option(8, &[0, 0, 0, 0])),
        ("subnet-family-3", live().option(8, &[0, 3, 0, 0])),
        ("subnet-mapped", live().subnet("::ffff:10.1.7.0/120")),
        (
            "subnet-twice",
            live().subnet("10.1.0.0/16").subnet("10.1.0.0/16"),
        ),
        ("cookie-9", live().option(10, &[1; 9])),
        ("cookie-41", live().option(10, &[1; 41])),
        (
            "cookie-twice",
            live().option(10, &[1; 8]).option(10, &[2; 8]),
        ),
        ("unknown-option", live().option(65001, &[0; 30])),
    ];
    asks.map(|(name, ask)| (name, ask.bytes())).into()
}

/// Messages cut short, longer than they say, or of a kind that a server must not answer.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let whole = ask("ns1.example.com.", A).edns(1232, 0).bytes();
    let with = |at: usize, byte: u8| [&whole[..at], &[byte], &whole[at + 1..]].concat();
    vec![
        ("empty", vec![]),
        ("cut-in-header", whole[..11].into()),
        ("header-alone", whole[..12].into()),
        ("cut-in-name", whole[..20].into()),
        ("cut-before-class", whole[..31].into()),
        ("cut-in-opt", whole[..whole.len() - 3].into()),
        ("bytes-behind", [&whole[..], b"xyz"].concat()),
        ("response", with(2, 0x81)),
        ("opcode-update", with(2, 0x28)),
        ("opcode-15", with(2, 0x7f)),
        ("no-question", with(5, 0)),
        ("two-questions", with(5, 2)),
        ("opt-of-version-255", with(whole.len() - 5, 255)),
        ("opt-length-beyond", with(whole.len() - 1, 200)),
        (
            "counts-65535",
            [&whole[..6], &[255; 6], &whole[12..]].concat(),
        ),
    ]
}

/// Names that loop, are too long, or have labels of kinds that do not exist; too much of
/// everything.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    const QUESTION: &[u8] = b"\0\x01\0\x01";
    const OPT: &[u8] = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    let ns1 = [name("ns1.example.com."), QUESTION.to_vec()].concat();
    let one = |qname: &[u8]| raw([1, 0, 0, 0], &[qname, QUESTION]);
    let behind = |count: u16, records: &[&[u8]]| raw([1, 0, 0, count], &[&ns1, &records.concat()]);
    let record = |owner: &[u8]| [owner, b"\0\x10\0\x01\0\0\0\0\0\x01\0"].concat();
    let label_63 = [&[63_u8][..], &[b'x'; 63]].concat();
    let apex = name("example.com.");
    vec![
        ("pointer-to-itself", one(b"\xc0\x0c")),
        ("pointer-into-header", one(b"\x03www\xc0\x00")),
        ("pointer-onwards", one(b"\x03www\xc0\x20")),
        (
            "pointers-in-a-circle",
            behind(3, &[&record(b"\xc0\x2e"), &record(b"\xc0\x21"), OPT]),
        ),
        (
            "owner-points-to-itself",
            behind(2, &[&record(b"\xc0\x21"), OPT]),
        ),
        (
            "opt-owner-is-a-pointer",
            behind(1, &[b"\xc0\x1c", &OPT[1..]]),
        ),
        ("opt-owner-is-a-name", behind(1, &[b"\x01x", OPT])),
        ("two-opts", behind(2, &[OPT, OPT])),
        ("opt-among-answers", raw([1, 1, 0, 0], &[&ns1, OPT])),
        ("label-type-01", one(b"\x41x\0")),
        ("label-type-10", one(b"\x81x\0")),
        (
            "zeros-in-labels",
            one(&[b"\x04\0.\\\xff", &apex[..]].concat()),
        ),
        (
            "longest-name",
            one(&[&label_63.repeat(3)[..], &[49], &[b'y'; 49], &apex].concat()),
        ),
        (
            "name-of-256-octets",
            one(&[&label_63.repeat(3)[..], &[50], &[b'y'; 50], &apex].concat()),
        ),
        (
            "most-labels",
            one(&[&b"\x01a".repeat(120)[..], &apex].concat()),
        ),
        (
            "stars",
            one(&[&b"\x01*".repeat(9)[..], &name("wild.example.com.")].concat()),
        ),
        (
            "many-records",
            behind(150, &[&record(b"\0").repeat(149), OPT]),
        ),
        (
            "large-opt",
            behind(
                1,
                &[
                    &OPT[..9],
                    b"\x04\xb4",
                    &[&b"\0\x0c\x04\xb0"[..], &[0; 1200]].concat(),
                ],
            ),
        ),
        (
            "many-options",
            behind(1, &[&OPT[..9], b"\x03\x20", &b"\xfd\xe9\0\0".repeat(200)]),
        ),
    ]
}

/// All that is made here.
fn made() -> Vec<(&'static str, Vec<u8>)> {
    [good(), options(), broken(), hostile()].concat()
}

#[test]
fn the_corpus_is_kept_as_it_is_made() {
    let write = std::env::var_os("WATERSHED_CORPUS").is_some_and(|what| what == "write");
    for (name, message) in made() {
        let path = dir().join(name).with_extension("bin");
        if write {
            std::fs::write(&path, &message).unwrap();
        }
        let kept = std::fs::read(&path).unwrap_or_default();
        assert_eq!(
            kept,
            message,
            "{}: make it with WATERSHED_CORPUS=write",
            path.display()
        );
        assert!(message.len() <= 2048, "{name} is large");
    }
}
