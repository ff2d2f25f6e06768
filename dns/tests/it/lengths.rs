//! Replies on both sides of the length that the other side takes.

use crate::differential::compare;
use crate::message::{TXT, ask};
use crate::reread::Expected;
use crate::world::{catalog, snapshot};
use dns::{Arrival, DnsView, ReplyConfig, Transport};

#[test]
fn replies_of_exactly_the_length_that_is_taken_are_not_cut() {
    // The long answer with some of its records left out, so that one datagram can hold it.
    let views = [3, 4, 5].map(|kept| {
        let mut catalog = catalog();
        let mut seen = 0;
        catalog.zones[0].records.retain(|record| {
            let long = record.owner == "big.example.com.";
            seen += u32::from(long);
            !long || seen <= kept
        });
        DnsView::build(snapshot(catalog, 0)).unwrap()
    });
    let arrival = Arrival {
        peer: ([10, 1, 0, 9], 53).into(),
        transport: Transport::Udp,
        now_s: 0,
    };
    for view in &views {
        for subnet in ["0.0.0.0/0", "10.1.0.0/16", "2001:db8:1::/48"] {
            let big = ask("big.example.com.", TXT).subnet(subnet);
            let taking = |bytes_max: usize| {
                let message = big
                    .clone()
                    .edns(u16::try_from(bytes_max).unwrap(), 0)
                    .bytes();
                match compare(&message, &arrival, view, &ReplyConfig::default()) {
                    Expected::Bytes(reply, _) => (reply.len(), reply[2] & 2 != 0),
                    other => panic!("{other:?}"),
                }
            };
            let (len, cut) = taking(1232);
            assert!(!cut && len > 512, "{len} octets");
            assert_eq!((taking(len), taking(len - 1).1), ((len, false), true));
        }
    }
}
