//! The generator: one thread that keeps a window of questions open, checks every answer and counts
//! what is lost.
//!
//! It is closed-loop: a question is sent for every one that was answered or given up, so the server
//! always has work and is never flooded. It asks in trains (one call for many datagrams) and never
//! sleeps, so that it stays much cheaper than a server and waking it costs the server nothing.
//! Latency is therefore that of a server that is always busy: about the window divided by the rate.

use crate::dns::ask::connect;
use crate::dns::prefixes::{Family, Prefix};
use crate::dns::question::{Answer, Question};
use crate::histogram::Histogram;
use crate::mmsg::{Inbox, Wait, send_train};
use anyhow::{Context as _, Result, ensure};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Most questions that may be open: the low octet of an id is the place in the window.
pub const WINDOW_MAX: usize = 256;
/// After this time a question counts as lost.
pub const LOST_AFTER: Duration = Duration::from_millis(500);
/// Number of times that the window is searched for lost questions.
const SEARCH_EVERY: Duration = Duration::from_millis(50);
/// Most datagrams of a train, as the kernel has it (UDP_MAX_SEGMENTS was 64 before Linux 6.9).
const TRAIN_MAX: usize = 64;

/// In the last octet of an address: which of two generations of a map it is from, where maps are
/// swapped.
pub const UPPER_GENERATION: u8 = 0x80;

/// Requirement that an answer must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A correct answer with an address.
    Answer,
    /// The question sent back.
    Echo,
}

/// Scope lengths of one family.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scopes {
    /// Answers with a client subnet.
    pub count: u64,
    /// Their scope lengths, in bits, added up.
    pub bits: u64,
}

/// Fate of the questions.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Correct answers.
    pub answers: u64,
    /// Questions without an answer in time.
    pub lost: u64,
    /// Answers that are not correct.
    pub wrong: u64,
    /// Datagrams that belong to no open question.
    pub stray: u64,
    /// Correct answers with an address of the upper generation (see [`UPPER_GENERATION`]).
    pub upper: u64,
    /// Time from question to answer.
    pub latency: Histogram,
    /// Scopes of answers to IPv4 prefixes.
    pub scopes_v4: Scopes,
    /// Scopes of answers to IPv6 prefixes.
    pub scopes_v6: Scopes,
}

impl Tally {
    /// Counts a correct answer.
    fn count(&mut self, answer: Answer, family: Family) {
        self.answers += 1;
        self.upper += u64::from(last_octet(answer) & UPPER_GENERATION != 0);
        let scopes = match family {
            Family::V4 => &mut self.scopes_v4,
            Family::V6 => &mut self.scopes_v6,
        };
        if let Some(bits) = answer.scope_bits {
            scopes.count += 1;
            scopes.bits += u64::from(bits);
        }
    }
}

/// An open question.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u16,
    sent: Instant,
    /// Index of its prefix.
    prefix: usize,
}

/// One socket and its window.
pub struct Generator<'a> {
    socket: UdpSocket,
    question: &'a Question,
    prefixes: &'a [Prefix],
    expect: Expect,
    /// Last octet of the right address by prefix, of the lower generation; empty where any will do.
    right: &'a [u8],
    inbox: Inbox,
    /// Open questions by the low octet of their id.
    window: Vec<Option<Open>>,
    free: Vec<u8>,
    trains: [Vec<u8>; 2],
    next_prefix: usize,
    next_turn: u8,
    next_search: Instant,
}

impl<'a> Generator<'a> {
    /// A generator that asks `server`, with `window` questions open, going round `prefixes`.
    ///
    /// # Errors
    /// When no socket can be had, or the window is 0 or above [`WINDOW_MAX`], or there are no
    /// prefixes.
    pub fn new(
        server: SocketAddr,
        question: &'a Question,
        prefixes: &'a [Prefix],
        window: usize,
        expect: Expect,
    ) -> Result<Self> {
        ensure!(
            (1..=WINDOW_MAX).contains(&window),
            "the window must be 1 to {WINDOW_MAX}"
        );
        ensure!(!prefixes.is_empty(), "there are no prefixes to ask with");
        Ok(Self {
            socket: connect(server)?,
            question,
            prefixes,
            expect,
            right: &[],
            inbox: Inbox::default(),
            window: vec![None; window],
            free: (0..=u8::MAX).take(window).collect(),
            trains: [Vec::new(), Vec::new()],
            next_prefix: 0,
            next_turn: 0,
            next_search: Instant::now() + SEARCH_EVERY,
        })
    }

    /// Accepts only these last octets of addresses, by prefix, in either generation.
    #[must_use]
    pub fn only(mut self, right: &'a [u8]) -> Self {
        self.right = right;
        self
    }

    /// Asks for `duration`, which is returned as measured; what came of it is added to `tally`.
    ///
    /// # Errors
    /// Those of the socket, such as a server that is gone.
    pub fn drive(&mut self, duration: Duration, tally: &mut Tally) -> Result<Duration> {
        let begun = Instant::now();
        let end = begun + duration;
        // Refilling a part of the window at a time makes trains long without ever leaving the
        // server idle.
        let refill = (self.window.len() / 4).clamp(1, TRAIN_MAX);
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(now - begun);
            }
            if self.free.len() >= refill {
                self.ask(now)?;
            }
            match self.inbox.receive(&self.socket, Wait::No) {
                Ok(received) => self.take(received, tally),
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => self.search(now, tally),
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault).context("the server does not listen any more"),
            }
        }
    }

    /// Sends as many questions as fit into one train per family.
    fn ask(&mut self, now: Instant) -> Result<()> {
        for train in &mut self.trains {
            train.clear();
        }
        self.next_turn = self.next_turn.wrapping_add(1);
        for _ in 0..TRAIN_MAX {
            let Some(place) = self.free.pop() else { break };
            let prefix = self.next_prefix;
            self.next_prefix = (prefix + 1) % self.prefixes.len();
            let id = u16::from_be_bytes([self.next_turn, place]);
            let family = self.prefixes[prefix].family;
            let train = &mut self.trains[usize::from(family == Family::V6)];
            self.question.write(id, &self.prefixes[prefix], train);
            let sent = now;
            self.window[usize::from(place)] = Some(Open { id, sent, prefix });
        }
        for (train, family) in self.trains.iter().zip([Family::V4, Family::V6]) {
            if !train.is_empty() {
                let bytes = u16::try_from(self.question.bytes(family)).unwrap_or(u16::MAX);
                send_train(&self.socket, train, bytes).context("cannot send questions")?;
            }
        }
        Ok(())
    }

    /// Takes answers from the inbox.
    fn take(&mut self, received: usize, tally: &mut Tally) {
        let now = Instant::now();
        for index in 0..received {
            let message = self.inbox.datagram(index);
            let id = match message {
                [high, low, ..] => u16::from_be_bytes([*high, *low]),
                _ => 0,
            };
            let [_, place] = id.to_be_bytes();
            let open = self.window.get_mut(usize::from(place));
            let open = open.and_then(|open| open.take_if(|open| open.id == id));
            let Some(open) = open else {
                tally.stray += 1;
                continue;
            };
            self.free.push(place);
            tally.latency.record(now - open.sent);
            match self.expect {
                Expect::Answer => {
                    let prefix = &self.prefixes[open.prefix];
                    match self.question.read(message, prefix) {
                        Some(answer) if self.is_right(answer, open.prefix) => {
                            tally.count(answer, prefix.family);
                        }
                        _ => tally.wrong += 1,
                    }
                }
                Expect::Echo if self.question.is_answered(message) => tally.answers += 1,
                Expect::Echo => tally.wrong += 1,
            }
        }
    }

    /// Tells whether an answer to a prefix has the address that it must have.
    fn is_right(&self, answer: Answer, prefix: usize) -> bool {
        let right = self.right.get(prefix);
        right.is_none_or(|right| *right == last_octet(answer) & !UPPER_GENERATION)
    }

    /// Gives up questions that are open for too long.
    fn search(&mut self, now: Instant, tally: &mut Tally) {
        if now < self.next_search {
            return;
        }
        self.next_search = now + SEARCH_EVERY;
        for (place, open) in (0..=u8::MAX).zip(&mut self.window) {
            if open
                .take_if(|open| now.saturating_duration_since(open.sent) >= LOST_AFTER)
                .is_some()
            {
                tally.lost += 1;
                self.free.push(place);
            }
        }
    }
}

/// The last octet of the address of an answer.
#[must_use]
pub fn last_octet(answer: Answer) -> u8 {
    answer.address.octets()[3]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::ask::ask_one;
    use crate::dns::echo;

    const V4: Prefix = Prefix {
        family: Family::V4,
        octets: [192, 0, 2, 0, 0, 0, 0],
    };
    const V6: Prefix = Prefix {
        family: Family::V6,
        octets: [0x20, 1, 0xd, 0xb8, 1, 2, 3],
    };

    /// A port that nobody uses at the moment.
    fn free_addr() -> SocketAddr {
        UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    }

    #[test]
    fn an_echo_answers_everything() {
        let server = free_addr();
        // The thread ends with the process.
        std::thread::spawn(move || echo::serve(server, 16));
        let question = Question::new("www.example.com");
        while ask_one(server, &question, &V4, Expect::Echo)
            .unwrap()
            .is_none()
        {}
        let prefixes = [V4, V6, V4];
        let mut generator = Generator::new(server, &question, &prefixes, 8, Expect::Echo).unwrap();
        let mut tally = Tally::default();
        let run = Duration::from_millis(100);
        let elapsed = generator.drive(run, &mut tally).unwrap();
        assert!(elapsed >= run && tally.answers > 100, "{tally:?}");
        assert_eq!((tally.wrong, tally.lost, tally.stray), (0, 0, 0));
        assert!(tally.latency.quantile(0.5) > Duration::ZERO);
        // An echo is no answer.
        let answer = ask_one(server, &question, &V4, Expect::Answer).unwrap();
        assert_eq!(answer, None);
    }

    #[test]
    fn silence_is_counted_and_the_window_filled_again() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = silent.local_addr().unwrap();
        let question = Question::new("www.example.com");
        let prefixes = [V4];
        let mut generator =
            Generator::new(server, &question, &prefixes, 4, Expect::Answer).unwrap();
        let mut tally = Tally::default();
        generator
            .drive(LOST_AFTER * 2 + SEARCH_EVERY * 3, &mut tally)
            .unwrap();
        assert_eq!((tally.answers, tally.lost), (0, 8));
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        let question = Question::new("www.example.com");
        for window in [0, WINDOW_MAX + 1] {
            let made = Generator::new(free_addr(), &question, &[V4], window, Expect::Echo);
            assert!(made.is_err());
        }
    }
}
