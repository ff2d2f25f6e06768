//! Writes small MaxMind databases for tests, after the MaxMind DB format 2.0: a search tree of
//! 24-bit records over 128-bit addresses, sixteen zero bytes, the data section, and the metadata
//! behind its marker.

use std::net::IpAddr;

/// A value of the data section.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(&'static str),
    Double(f64),
    Short(u16),
    Number(u32),
    Long(u64),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
}

impl Value {
    fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(bytes, 2, text.len());
                bytes.extend(text.as_bytes());
            }
            Self::Double(number) => {
                control(bytes, 3, 8);
                bytes.extend(number.to_be_bytes());
            }
            Self::Short(number) => {
                control(bytes, 5, 2);
                bytes.extend(number.to_be_bytes());
            }
            Self::Long(number) => {
                control(bytes, 9, 8);
                bytes.extend(number.to_be_bytes());
            }
            Self::Number(number) => {
                control(bytes, 6, 4);
                bytes.extend(number.to_be_bytes());
            }
            Self::Map(pairs) => {
                control(bytes, 7, pairs.len());
                for (key, value) in pairs {
                    Self::Text(key).encode(bytes);
                    value.encode(bytes);
                }
            }
            Self::List(values) => {
                control(bytes, 11, values.len());
                values.iter().for_each(|value| value.encode(bytes));
            }
        }
    }
}

/// The control byte of a type and size below 285; types above 7 follow in a byte of their own.
fn control(bytes: &mut Vec<u8>, kind: u8, size: usize) {
    let short = u8::try_from(size.min(29)).unwrap();
    if kind <= 7 {
        bytes.push(kind << 5 | short);
    } else {
        bytes.extend([short, kind - 7]);
    }
    if size >= 29 {
        bytes.push(u8::try_from(size - 29).unwrap());
    }
}

/// Where one branch of the tree leads.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database with these networks, none within another.
pub(crate) fn write(networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let (bits, len) = prefix(network);
        let leaf = Branch::Data(data.len());
        value.encode(&mut data);
        let mut at = 0;
        for depth in 0..len {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            at = match nodes[at][side] {
                _ if depth == len - 1 => {
                    nodes[at][side] = leaf;
                    break;
                }
                Branch::Node(node) => node,
                _ => {
                    nodes.push([Branch::Nothing; 2]);
                    nodes[at][side] = Branch::Node(nodes.len() - 1);
                    nodes.len() - 1
                }
            };
        }
    }
    let mut bytes = Vec::new();
    for branch in nodes.iter().flatten() {
        let record = match branch {
            Branch::Nothing => nodes.len(),
            Branch::Node(node) => *node,
            Branch::Data(offset) => nodes.len() + 16 + offset,
        };
        bytes.extend(&u32::try_from(record).unwrap().to_be_bytes()[1..]);
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1)),
        ("database_type", Value::Text("Test-City")),
        ("description", Value::Map(vec![("en", Value::Text("test"))])),
        ("ip_version", Value::Short(6)),
        ("languages", Value::List(vec![Value::Text("en")])),
        (
            "node_count",
            Value::Number(u32::try_from(nodes.len()).unwrap()),
        ),
        ("record_size", Value::Short(24)),
    ]);
    metadata.encode(&mut bytes);
    bytes
}

/// The 128 bits and the length of a prefix; IPv4 lies at ::/96.
fn prefix(network: &str) -> (u128, u32) {
    let (addr, len) = network.split_once('/').unwrap();
    let len: u32 = len.parse().unwrap();
    match addr.parse().unwrap() {
        IpAddr::V4(addr) => (u128::from(u32::from(addr)), len + 96),
        IpAddr::V6(addr) => (u128::from(addr), len),
    }
}
