//! Random questions from a seed: names that exist and names that nearly do, every type, every
//! option, every length of Client Subnet. The same seed gives the same bytes, so that a failure is
//! found again by its number.

use crate::world;
use testkit::Random;

/// Types that are asked for, the usual ones more often.
const TYPES: [u16; 24] = [
    1, 1, 1, 1, 28, 28, 28, 16, 16, 6, 2, 2, 255, 255, 5, 5, 43, 15, 13, 41, 252, 251, 0, 65280,
];
/// Payload sizes on both sides of every bound.
const PAYLOADS: [u16; 9] = [0, 511, 512, 513, 600, 1231, 1232, 1233, 65535];

/// The names that questions are made from: all owners, all domains of services, and some of
/// nobody's.
pub(crate) fn names() -> Vec<Vec<u8>> {
    let catalog = world::catalog();
    let owners = catalog
        .zones
        .iter()
        .flat_map(|zone| zone.records.iter().map(|record| record.owner.as_str()));
    let domains = catalog
        .services
        .iter()
        .flat_map(|service| service.domains.iter().map(String::as_str));
    let foreign = [
        ".",
        "com.",
        "example.org.",
        "www.example.org.",
        "id.server.",
    ];
    let mut names: Vec<_> = owners.chain(domains).chain(foreign).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(world::name).collect()
}

/// A name of the list, or one near it: below it, above it, beside it, or in other letters.
fn name(random: &mut Random, names: &[Vec<u8>]) -> Vec<u8> {
    let mut name = names[random.below(names.len())].clone();
    if name.starts_with(b"\x01*") && !random.one_in(4) {
        name.splice(..2, label(random));
    }
    for _ in 0..random.pick(&[0, 0, 0, 0, 0, 1, 1, 2, 4]) {
        match random.below(4) {
            0 => drop(name.splice(..0, label(random))),
            1 if name.len() > 1 => drop(name.drain(..=usize::from(name[0]))),
            2 if name.len() > 1 => {
                let first = usize::from(name[0]);
                name.splice(..=first, label(random));
            }
            _ => {}
        }
    }
    if random.one_in(60) {
        // As deep as a name can be.
        let room = (255 - name.len()) / 2;
        name.splice(..0, b"\x01d".repeat(room));
    }
    if random.one_in(2) {
        // A length octet is below every letter, so that only letters change.
        for octet in &mut name {
            *octet = if random.one_in(2) {
                octet.to_ascii_uppercase()
            } else {
                *octet
            };
        }
    }
    if name.len() > 255 { vec![0] } else { name }
}

/// A label on the wire, mostly short.
fn label(random: &mut Random) -> Vec<u8> {
    if random.one_in(3) {
        return random
            .pick(&[&b"\x01*"[..], b"\x01w", b"\x02ns", b"\x03www", b"\x04live"])
            .to_vec();
    }
    let len = random.pick(&[1_u8, 2, 5, 20]);
    let mut label = vec![len];
    label.extend((0..len).map(|_| random.pick(b"abxyz019-_")));
    label
}

/// A Client Subnet option as RFC 7871 asks for it, of any family and length; sometimes not quite.
fn subnet(random: &mut Random) -> Vec<u8> {
    let (family, mut addr) = if random.one_in(2) {
        let near: [[u8; 2]; 5] = [[10, 1], [10, 2], [127, 0], [192, 0], [10, 3]];
        (
            1,
            [
                &random.pick(&near)[..],
                &random.pick(&[[7, 1], [9, 77], [8, 0], [200, 9]]),
            ]
            .concat(),
        )
    } else {
        let near: [[u8; 6]; 4] = [
            [0x20, 1, 0xd, 0xb8, 0, 1],
            [0x20, 1, 0xd, 0xb8, 0, 2],
            [0, 0, 0, 0, 0, 0],
            [0x2a, 0, 0x14, 0x50, 0x40, 0],
        ];
        (2, [&random.pick(&near)[..], &random.bytes(10)].concat())
    };
    if random.one_in(3) {
        addr = random.bytes(addr.len());
    }
    let source = random.below(addr.len() * 8 + 1);
    addr.truncate(source.div_ceil(8));
    if let Some(last) = addr.last_mut() {
        *last &= 0xff_u8 << ((8 - source % 8) % 8);
    }
    let mut option = vec![0, family, u8::try_from(source).unwrap(), 0];
    option.extend(addr);
    match random.below(40) {
        0 => option[random.below(4)] ^= random.pick(&[1, 2, 0x80]),
        1 => option.push(0),
        2 => drop(option.pop()),
        3 => option = vec![0; 4],
        _ => {}
    }
    option
}

/// The options of a question, one behind the other.
fn options(random: &mut Random) -> Vec<u8> {
    let mut options = Vec::new();
    for _ in 0..random.pick(&[0, 1, 1, 1, 1, 2, 2, 3]) {
        let (code, data) = match random.below(10) {
            0 => (3_u16, vec![]),
            1 => {
                let len = random.pick(&[8, 8, 24, 24, 16, 40, 7, 9, 41]);
                (10, random.bytes(len))
            }
            2 => (11, vec![0; random.pick(&[0, 0, 2])]),
            3 => (12, vec![0; random.below(40)]),
            4 => (random.pick(&[0, 5, 9, 15, 65001]), random.bytes(3)),
            _ => (8, subnet(random)),
        };
        options.extend(code.to_be_bytes());
        options.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        options.extend(data);
    }
    options
}

/// A random question: nearly always well-formed, with options that now and then are not.
pub(crate) fn question(random: &mut Random, names: &[Vec<u8>]) -> Vec<u8> {
    let flags = if random.one_in(4) {
        // Any flags but QR and the opcode.
        random.bits().to_be_bytes()[..2]
            .iter()
            .zip([7, 0xff])
            .map(|(bits, kept)| bits & kept)
            .collect()
    } else {
        vec![1, 0]
    };
    let with_opt = !random.one_in(4);
    let before = usize::from(with_opt && random.one_in(20));
    let mut message = random.bytes(2);
    message.extend(flags);
    message.extend([
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        u8::from(with_opt) + u8::try_from(before).unwrap(),
    ]);
    let long_answer = random.one_in(50);
    if long_answer {
        message.extend(world::name("biG.example.com."));
    } else {
        message.extend(name(random, names));
    }
    let class: u16 = if random.one_in(40) {
        random.pick(&[3, 255, 0])
    } else {
        1
    };
    let rtype = if long_answer { 16 } else { random.pick(&TYPES) };
    message.extend([rtype.to_be_bytes(), class.to_be_bytes()].concat());
    message.extend(b"\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x01\0".repeat(before));
    if with_opt {
        message.extend(b"\0\0\x29");
        message.extend(random.pick(&PAYLOADS).to_be_bytes());
        let version = u32::from(random.one_in(50));
        message.extend((version << 16 | random.pick(&[0, 0x8000, 0xffff])).to_be_bytes());
        let options = options(random);
        message.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
        message.extend(options);
    }
    message
}

/// Bends a message in one to four places: bytes, bits, numbers, cuts, insertions, repetitions,
/// compression pointers.
pub(crate) fn mutate(random: &mut Random, message: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..random.pick(&[1, 1, 1, 2, 2, 3, 4]) {
        let len = message.len();
        let header = if random.one_in(4) { 0 } else { 12.min(len) };
        let at = (header + random.below(len + 1 - header)).min(len.saturating_sub(1));
        match random.below(10) {
            0 if len > 0 => message[at] = random.byte(),
            1 if len > 0 => message[at] ^= 1 << random.below(8),
            2 if len > 0 => message[at] = message[at].wrapping_add(random.pick(&[1, 255])),
            3 if len > 0 => {
                message[at] = random.pick(&[0, 1, 0x29, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff])
            }
            4 if len > at + 1 => {
                let back = u16::try_from(random.below(len)).unwrap();
                message[at..at + 2].copy_from_slice(&(0xc000 | back).to_be_bytes());
            }
            5 => message.truncate(at),
            6 => {
                let len = random.below(6);
                let inserted = random.bytes(len);
                message.splice(at..at, inserted);
            }
            7 => drop(message.drain(at..(at + random.below(6)).min(len))),
            8 if len < 4096 => {
                let other = &others[random.below(others.len())];
                let from = random.below(other.len() + 1);
                message.truncate(at);
                message.extend(&other[from..]);
            }
            // The counts of the header, small ones above all.
            9 if len >= 12 => {
                message[4 + random.below(4) * 2 + 1] = random.pick(&[0, 1, 1, 2, 3, 255])
            }
            _ => {}
        }
    }
}
