//! Writes databases of the MaxMind DB format 2.0: a search tree of 24-bit records over 128-bit
//! addresses, sixteen zero bytes, the data section, and the metadata behind its marker. Networks
//! may lie within others, and the three ranges that published databases alias to IPv4 are aliased
//! here as well.

use crate::prefix::Prefix;

/// A value of the data section.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// UTF-8 text.
    Text(String),
    /// A 64-bit float.
    Double(f64),
    /// An unsigned number of 16 bits.
    Short(u16),
    /// An unsigned number of 32 bits.
    Number(u32),
    /// An unsigned number of 64 bits.
    Long(u64),
    /// Values in order.
    List(Vec<Self>),
    /// Values by name.
    Map(Vec<(&'static str, Self)>),
}

impl Value {
    /// Text, from what is not owned.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

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
            Self::Number(number) => {
                control(bytes, 6, 4);
                bytes.extend(number.to_be_bytes());
            }
            Self::Map(pairs) => {
                control(bytes, 7, pairs.len());
                for (key, value) in pairs {
                    Self::text(key).encode(bytes);
                    value.encode(bytes);
                }
            }
            Self::Long(number) => {
                control(bytes, 9, 8);
                bytes.extend(number.to_be_bytes());
            }
            Self::List(values) => {
                control(bytes, 11, values.len());
                values.iter().for_each(|value| value.encode(bytes));
            }
        }
    }
}

/// The control byte of a type and of a size below 285; types above 7 follow in a byte of their own.
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

/// End of one branch of the tree; data by its offset in the data section.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// The search tree; node 0 is the root.
struct Tree(Vec<[Branch; 2]>);

impl Tree {
    /// Puts a leaf at a prefix. It divides a wider leaf, and replaces all that lay within the
    /// prefix, so wide prefixes come first.
    fn insert(&mut self, prefix: Prefix, leaf: Branch) {
        let mut at = 0;
        for depth in 0..prefix.len {
            let side = usize::from(prefix.bits >> (127 - u32::from(depth)) & 1 == 1);
            if depth + 1 == prefix.len {
                self.0[at][side] = leaf;
                return;
            }
            at = match self.0[at][side] {
                Branch::Node(node) => node,
                whole => {
                    self.0.push([whole; 2]);
                    self.0[at][side] = Branch::Node(self.0.len() - 1);
                    self.0.len() - 1
                }
            };
        }
    }

    /// Makes the ranges that carry IPv4 addresses lead to the IPv4 part, as in published databases.
    fn alias_ipv4(&mut self) {
        let mut ipv4 = 0;
        for _ in 0..96 {
            let Branch::Node(node) = self.0[ipv4][0] else {
                return;
            };
            ipv4 = node;
        }
        for alias in ["::ffff:0:0/96", "2002::/16", "2001::/32"] {
            self.insert(Prefix::parse(alias), Branch::Node(ipv4));
        }
    }
}

/// A database of networks and their values; a longer prefix beats a shorter one. Networks may be
/// given as text, such as `1.0.0.0/8`.
///
/// # Panics
/// When there is more data than 24-bit records can point at.
pub fn write<P: Copy + Into<Prefix>>(kind: &str, networks: &[(P, Value)]) -> Vec<u8> {
    let prefix = |(prefix, value): &(P, Value)| ((*prefix).into(), value.clone());
    let mut sorted: Vec<(Prefix, Value)> = networks.iter().map(prefix).collect();
    sorted.sort_by_key(|(prefix, _)| (prefix.len, prefix.bits));
    let mut tree = Tree(vec![[Branch::Nothing; 2]]);
    let mut data = Vec::new();
    for (prefix, value) in sorted {
        tree.insert(prefix, Branch::Data(data.len()));
        value.encode(&mut data);
    }
    tree.alias_ipv4();
    let nodes = tree.0.len();
    let mut bytes = Vec::new();
    for branch in tree.0.iter().flatten() {
        let record = match branch {
            Branch::Nothing => nodes,
            Branch::Node(node) => *node,
            Branch::Data(offset) => nodes + 16 + offset,
        };
        let record = u32::try_from(record).unwrap();
        assert!(record < 1 << 24, "too much data for 24-bit records");
        bytes.extend(&record.to_be_bytes()[1..]);
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(kind, nodes).encode(&mut bytes);
    bytes
}

fn metadata(kind: &str, nodes: usize) -> Value {
    Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_700_000_000)),
        ("database_type", Value::text(kind)),
        (
            "description",
            Value::Map(vec![("en", Value::text("random networks"))]),
        ),
        ("ip_version", Value::Short(6)),
        ("languages", Value::List(vec![Value::text("en")])),
        ("node_count", Value::Number(u32::try_from(nodes).unwrap())),
        ("record_size", Value::Short(24)),
    ])
}
