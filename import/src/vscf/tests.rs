//! The language as a whole: what is written reads back, and nothing at all makes the parser panic.

use super::parse::{Include, parse};
use super::{Entry, Hash, Node, Value, load};
use crate::fault::{ImportError, Place};
use crate::files::Reader;
use proptest::prelude::*;
use std::fs;
use std::sync::Arc;

/// Nothing to include.
struct Nothing;

impl Include for Nothing {
    fn include(&mut self, at: &Place, _: &str) -> Result<Vec<Node>, ImportError> {
        Err(ImportError::invalid(at, "nothing is included here"))
    }
}

fn read(bytes: &[u8]) -> Result<Value, String> {
    let node = parse(&Arc::from("config"), bytes, &mut Nothing);
    node.map(|node| node.value)
        .map_err(|fault| fault.to_string())
}

/// A value without its places, for people.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| plain(&item.value)).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Hash(hash) => {
            let pairs = hash.entries.iter();
            let pairs: Vec<String> = pairs
                .map(|entry| format!("{:?}={}", entry.key, plain(&entry.node.value)))
                .collect();
            format!("{{{}}}", pairs.join(" "))
        }
    }
}

#[test]
fn all_ways_to_write_a_value_mean_the_same() {
    let same = r#"{"options"={"listen"=["1.2.3.4" "::1"]}}"#;
    for text in [
        "options = {\n  listen = [ 1.2.3.4, ::1 ],\n}",
        "\"options\" => {\n  listen => [ 1.2.3.4 ::1 ] # comment\n} ; and another",
        "options={listen=[1.2.3.4,::1,]}",
        "o\\112tions=>{\\l\\isten=>[\"1.2.3.4\"::1]}",
    ] {
        assert_eq!(plain(&read(text.as_bytes()).unwrap()), same, "{text}");
    }
    let escapes =
        "a => \"\\\\===\" b = \\092\\=\\=\\= c = white\\ space d = \"x\ny\" e = \"\" f = a$b";
    assert_eq!(
        plain(&read(escapes.as_bytes()).unwrap()),
        r#"{"a"="\\===" "b"="\\===" "c"="white space" "d"="x\ny" "e"="" "f"="a$b"}"#
    );
    assert_eq!(
        plain(&read(b"[ a { b = [] } ]").unwrap()),
        r#"["a" {"b"=[]}]"#
    );
    assert_eq!(plain(&read(b" # nothing\n").unwrap()), "{}");
}

#[test]
fn faults_have_their_line() {
    for (text, place, why) in [
        ("a =\n\n", "config:3", "file ends where a value"),
        ("a = b\nc d", "config:2", "must follow key \"c\""),
        ("a = { b = c\n", "config:2", "\"}\" is missing"),
        ("a = [ b\n", "config:2", "\"]\" is missing"),
        ("a = b\na = c", "config:2", "given twice"),
        ("a = b,\n, c = d", "config:2", "a key is expected"),
        ("a = \"b\nc", "config:2", "never closed"),
        ("a = b\\2", "config:1", "three digits"),
        ("a = b\\256", "config:1", "three digits"),
        ("a = \"\\255\"", "config:1", "UTF-8"),
        ("\n$inc = b", "config:2", "must not begin with \"$\""),
        ("a = $include{\n}", "config:2", "needs one path"),
        ("a = ]", "config:1", "a value is expected, not \"]\""),
        ("[ a ]\nb", "config:2", "nothing may follow"),
        ("}", "config:1", "a key is expected, not \"}\""),
    ] {
        let fault = read(text.as_bytes()).unwrap_err();
        assert!(
            fault.starts_with(&format!("{place}: ")) && fault.contains(why),
            "{text:?}: {fault}"
        );
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(read(deep.as_bytes()).unwrap_err().contains("nested deeper"));
}

#[test]
fn includes_are_merged_or_stand_for_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("parts/none")).unwrap();
    for (name, text) in [
        (
            "config",
            "a = $include{ \"list\" }\n$include{parts/*.cfg},\nz = $include{parts/deep} $include{parts/none}",
        ),
        ("list", "[ 1 2 ]"),
        ("parts/b.cfg", "b = 1"),
        ("parts/c.cfg", "c = $include{../list}"),
        ("parts/deep", "d = e"),
        ("loop", "$include{loop}"),
        ("twice", "b = 0 $include{parts/b.cfg}"),
        ("merged-list", "$include{list}"),
        ("missing", "\nx = $include{parts/*.none}"),
        ("several", "x = $include{parts/*.cfg}"),
    ] {
        fs::write(path(name), text).unwrap();
    }
    let read = |name: &str| load(&path(name), &mut Reader::default());
    assert_eq!(
        plain(&read("config").unwrap().value),
        r#"{"a"=["1" "2"] "b"="1" "c"=["1" "2"] "z"={"d"="e"}}"#
    );
    for (name, place, why) in [
        ("loop", "loop:1", "go round"),
        ("twice", "parts/b.cfg:1", "given twice"),
        ("merged-list", "list:1", "only hashes"),
        ("missing", "missing:2", "there is no file"),
        ("several", "several:1", "exactly one file"),
    ] {
        let fault = read(name).unwrap_err().to_string();
        assert!(
            fault.contains(place) && fault.contains(why),
            "{name}: {fault}"
        );
    }
    assert!(matches!(
        read("nowhere"),
        Err(ImportError::Unreadable { .. })
    ));
}

/// A text with all that needs care written as an escape, quoted or plain.
fn written(text: &str, quoted: bool) -> String {
    if quoted || text.is_empty() {
        return format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'/' | b'%' | b'!' => char::from(byte).to_string(),
        _ => format!("\\{byte:03}"),
    };
    text.bytes().map(byte).collect()
}

/// A value with its text in one of many styles.
fn values() -> impl Strategy<Value = (String, String)> {
    let text = ("(?s).{0,8}", any::<bool>())
        .prop_map(|(text, quoted)| (written(&text, quoted), format!("{text:?}")));
    text.prop_recursive(4, 32, 5, |inner| {
        let comma = prop_oneof![Just(","), Just(" "), Just(" # note\n"), Just(" ; note\n ,")];
        let list =
            proptest::collection::vec((inner.clone(), comma.clone()), 0..5).prop_map(|items| {
                let text: String = items
                    .iter()
                    .map(|((text, _), comma)| format!("{text}{comma}"))
                    .collect();
                let means: Vec<&str> = items.iter().map(|((_, means), _)| means.as_str()).collect();
                (format!("[{text}]"), format!("[{}]", means.join(" ")))
            });
        let arrow = prop_oneof![Just("=>"), Just("="), Just("\n=> ")];
        let pairs = proptest::collection::btree_map(
            "[a-z \"\\\\]{0,5}",
            (inner, comma, arrow, any::<bool>()),
            0..5,
        );
        let hash = pairs.prop_map(|pairs| {
            let (mut text, mut means) = (String::new(), Vec::new());
            for (key, ((value, meant), comma, arrow, quoted)) in &pairs {
                text.push_str(&format!("{}{arrow}{value}{comma}", written(key, *quoted)));
                means.push(format!("{key:?}={meant}"));
            }
            (format!("{{{text}}}"), format!("{{{}}}", means.join(" ")))
        });
        prop_oneof![list, hash]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_syntax_makes_the_parser_panic(text in "[a\\[\\]{}=>,\"\\\\#;$0-9\n ]{0,80}|(\\$include\\{|[a={}\\[\\]\" ]){0,20}") {
        let _ = read(text.as_bytes());
    }

    #[test]
    fn what_is_written_reads_back((text, means) in values()) {
        let file = format!("key = {text}");
        let value = read(file.as_bytes()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(plain(&value), format!("{{\"key\"={means}}}"), "{}", file);
    }

    #[test]
    fn keys_know_their_lines(blank in 0_usize..20) {
        let text = format!("{}key = x", "\n".repeat(blank));
        let Ok(Value::Hash(Hash { entries })) = read(text.as_bytes()) else {
            return Err(TestCaseError::fail("no hash"));
        };
        let Entry { place, .. } = &entries[0];
        prop_assert_eq!(place.line as usize, blank + 1);
    }
}
