//! The zone's static records, and names that do not exist.

use crate::wire::{A, AAAA, CNAME, MX, TXT};

/// The only zone.
pub(crate) const ZONE: &str = "example.com";

/// Static records, of which names below are asked, too.
pub(crate) const STATIC: &str = "\
$TTL 3600
@ SOA ns1 hostmaster 1 7200 1800 259200 900
@ NS ns1
@ NS ns2
@ MX 10 mail
@ TXT \"of the apex\"
ns1 A 192.0.2.53
ns2 AAAA 2001:db8:ffff::53
mail 600 A 192.0.2.25
mail 600 AAAA 2001:db8:ffff::25
alias CNAME www.elsewhere.example.net.
*.wild A 192.0.2.77
deep.empty TXT \"below an empty name\"
";

/// Names of static records and of none at all, with the types that are asked.
const STATIC_NAMES: [(&str, &[u16]); 10] = [
    ("@", &[A, MX, TXT]),
    ("ns1", &[A, AAAA]),
    ("mail", &[A, AAAA, MX]),
    ("alias", &[A, CNAME]),
    ("some.wild", &[A, TXT]),
    ("empty", &[A]),
    ("deep.empty", &[TXT]),
    ("absent", &[A, AAAA]),
    ("below.ns1", &[A]),
    ("www.absent", &[TXT]),
];

/// A name with the types that it is asked for.
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) types: Vec<u16>,
}

/// The static and absent names.
pub(crate) fn static_names() -> Vec<Name> {
    let full = |name: &str| match name {
        "@" => ZONE.to_owned(),
        below => format!("{below}.{ZONE}"),
    };
    let name = |(name, types): &(&str, &[u16])| Name {
        name: full(name),
        types: types.to_vec(),
    };
    STATIC_NAMES.iter().map(name).collect()
}
