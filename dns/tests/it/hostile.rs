//! Any bytes at all: no panic, no reply to what must not be answered, and every reply reads well
//! elsewhere.

use crate::corpus;
use crate::message::reply_to;
use crate::world;
use dns::{CookiePolicy, CookieSecrets, DnsView, ReplyConfig, Transport};
use hickory_proto::op::Message;
use proptest::prelude::*;

/// Every feature on, so that every branch is within reach.
fn config() -> ReplyConfig {
    let secrets = CookieSecrets {
        current: [3; 16],
        also_accepted: None,
        policy: CookiePolicy::Lenient,
    };
    ReplyConfig {
        nsid: Some(b"x".as_slice().into()),
        cookies: Some(secrets),
        ..ReplyConfig::default()
    }
}

/// Asserts what must hold of the reply to any bytes.
pub(crate) fn judge(message: &[u8], view: &DnsView) {
    for (transport, bytes_max) in [
        (Transport::Udp, 1232),
        (Transport::Tcp { idle_100ms: 100 }, 65535),
    ] {
        let reply = reply_to(message, [10, 1, 2, 3].into(), view, &config(), transport);
        let answerable = message.len() >= 12 && message[2] & 0x80 == 0;
        assert_eq!(reply.is_some(), answerable, "{message:x?}");
        let Some(reply) = reply else { continue };
        assert!(reply.len() <= bytes_max);
        assert_eq!((&reply[..2], reply[2] & 0x80), (&message[..2], 0x80));
        let names_no_family = reply
            .windows(8)
            .any(|bytes| bytes == [0, 8, 0, 4, 0, 0, 0, 0]);
        if !names_no_family {
            // The other decoder takes Client Subnet of family 0 for malformed.
            Message::from_vec(&reply)
                .unwrap_or_else(|fault| panic!("{fault}: {message:x?} -> {reply:x?}"));
        }
        let read = domain::base::Message::from_octets(&reply[..]).unwrap();
        assert!(
            read.iter().all(|record| record.is_ok()),
            "{message:x?} -> {reply:x?}"
        );
    }
}

#[test]
fn every_cut_and_every_byte_changed() {
    let view = world::view();
    // Of a long message the beginning is what is read in different ways.
    for message in corpus::kept().iter().filter(|message| message.len() < 120) {
        for end in 0..=message.len() {
            judge(&message[..end], &view);
        }
        let mut bent = message.clone();
        for at in 0..message.len() {
            for byte in [
                0,
                1,
                0x3f,
                0x40,
                0x7f,
                0x80,
                0xc0,
                0xff,
                message[at].wrapping_add(1),
            ] {
                bent[at] = byte;
                judge(&bent, &view);
            }
            bent[at] = message[at];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_bytes_are_survived(message in proptest::collection::vec(any::<u8>(), 0..600)) {
        VIEW.with(|view| judge(&message, view));
    }

    #[test]
    fn any_bytes_behind_a_good_header_are_survived(
        counts in any::<[u8; 3]>(),
        body in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let header = [0, 1, 1, 0, 0, 1, 0, counts[0] & 3, 0, counts[1] & 3, 0, counts[2] & 3];
        VIEW.with(|view| judge(&[&header[..], &body].concat(), view));
    }

    #[test]
    fn bent_questions_are_survived(
        which in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        tail in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let corpus = corpus::kept();
        let mut message = which.get(&corpus).clone();
        message.push(0);
        for (at, byte) in edits {
            let at = at.index(message.len());
            message[at] = byte;
        }
        message.extend(tail);
        VIEW.with(|view| judge(&message, view));
    }
}

thread_local! {
    static VIEW: DnsView = world::view();
}
