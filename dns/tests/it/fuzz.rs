//! Messages bred from the kept corpus by random changes, many more than a property test tries: no
//! panic, no reply to what must not be answered, and the reply that a second reader of the RFCs
//! expects, byte for byte.
//!
//! Three hundred thousand by default. `FUZZ_ROUNDS=100000000 FUZZ_SEED=7 cargo test --release -p
//! watershed-dns fuzz` goes on for longer and elsewhere.

use crate::corpus;
use crate::differential::{arrival, compare, configs, views};
use crate::hostile::judge;
use crate::random::mutate;
use crate::reread::Expected;
use dns::{Arrival, CookiePolicy, CookieSecrets, DnsView, ReplyConfig, Tally, Transport, respond};
use testkit::Random;

/// Threads that share the rounds; each has a sequence of its own.
const SHARDS: u64 = 2;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Says which message it was when something panics on it.
struct Witness<'m>(&'m [u8], u64);

impl Drop for Witness<'_> {
    #[expect(
        clippy::print_stdout,
        reason = "the message is what a failure is found again by"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}: {:x?}", self.1, self.0);
        }
    }
}

/// The response code of a reply, all twelve bits of it; the question must have been echoed.
fn code(reply: &[u8]) -> u16 {
    let read = domain::base::Message::from_octets(reply).unwrap();
    read.opt_rcode().to_int()
}

/// Asserts what must hold of any reply: who it is for, how long it may be, and the question as it
/// came.
fn well_formed(message: &[u8], reply: &[u8], transport: Transport) {
    assert_eq!((&reply[..2], reply[2] & 0x80), (&message[..2], 0x80));
    assert!(
        reply.len()
            <= if transport == Transport::Udp {
                1232
            } else {
                65535
            }
    );
    if reply[4..6] == [0, 0] {
        assert_eq!(
            reply.len(),
            12,
            "without a question there is a header alone"
        );
        return;
    }
    let read = domain::base::Message::from_octets(reply).unwrap();
    let mut questions = read.question();
    questions.next().unwrap().unwrap();
    let question = 12..questions.pos();
    assert_eq!(reply[question.clone()], message[question]);
}

/// A message to a server that gives out cookies: only a cookie can make another code of it, and
/// only these two.
fn with_cookies(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    expected: &Expected,
    policy: CookiePolicy,
) {
    let secrets = CookieSecrets {
        current: [3; 16],
        also_accepted: None,
        policy,
    };
    let config = ReplyConfig {
        cookies: Some(secrets),
        ..ReplyConfig::default()
    };
    let mut out = [0xee; 65535];
    let len = respond(
        message,
        arrival,
        view,
        &config,
        &mut out,
        &mut Tally::default(),
    );
    assert_eq!(len.is_none(), *expected == Expected::Silence);
    let Some(reply) = len.map(|len| &out[..len]) else {
        return;
    };
    well_formed(message, reply, arrival.transport);
    let expected = match expected {
        Expected::Bytes(bytes, _) => code(bytes),
        Expected::Bare(rcode) => rcode.to_int(),
        Expected::Silence | Expected::Unsure => return,
    };
    let has_cookie = message.windows(2).any(|octets| octets == [0, 10]);
    let got = code(reply);
    assert!(
        got == expected || has_cookie && matches!(got, 1 | 23),
        "{got} for {expected}"
    );
}

/// One thread's rounds; how many messages were answered with more than an error, and how many could
/// not be judged.
fn breed(seed: u64, rounds: u64) -> (u64, u64) {
    let (corpus, views, configs) = (corpus::kept(), views(), configs());
    let mut random = Random::new(seed);
    let (mut answered, mut unsure) = (0, 0);
    for round in 0..rounds {
        let mut message = corpus[random.below(corpus.len())].clone();
        mutate(&mut random, &mut message, &corpus);
        let witness = Witness(&message, seed);
        let (view, config) = (
            &views[random.below(views.len())],
            &configs[random.below(configs.len())],
        );
        let arrival = arrival(&mut random);
        let expected = compare(&message, &arrival, view, config);
        match &expected {
            Expected::Bytes(reply, why) => {
                well_formed(&message, reply, arrival.transport);
                answered += u64::from(why.is_ok());
            }
            Expected::Unsure => unsure += 1,
            Expected::Silence | Expected::Bare(_) => {}
        }
        if round % 4 == 0 {
            let policy = random.pick(&[CookiePolicy::Lenient, CookiePolicy::Enforce]);
            // Without an identifier and with every subnet believed, as the configuration of the
            // cookies is.
            let plain = compare(&message, &arrival, view, &configs[0]);
            with_cookies(&message, &arrival, view, &plain, policy);
        }
        if round % 16 == 0 {
            judge(&message, view);
        }
        drop(witness);
    }
    (answered, unsure)
}

#[test]
fn bred_messages_get_the_reply_that_the_rfcs_ask_for() {
    let rounds = from_environment("FUZZ_ROUNDS", 300_000) / SHARDS;
    let seed = from_environment("FUZZ_SEED", 1);
    let (answered, unsure) = std::thread::scope(|scope| {
        let shards: Vec<_> = (0..SHARDS)
            .map(|shard| scope.spawn(move || breed(seed * SHARDS + shard, rounds)))
            .collect();
        let sums = shards
            .into_iter()
            .map(|shard| shard.join().expect("the message is printed above"));
        sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    let all = rounds * SHARDS;
    assert!(
        answered > all / 10,
        "only {answered} of {all} were understood: the changes are too wild"
    );
    assert!(unsure < all / 25, "{unsure} of {all} could not be judged");
}
