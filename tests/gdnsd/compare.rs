//! Asks both servers for the same random clients and judges what differs.

use crate::ask::ask;
use crate::scenario::Scenario;
use crate::states::Choices;
use crate::wire::{Question, Reply};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use testkit::Prefix;
use testkit::Random;

/// Findings that are kept as text; more are only counted.
const EXAMPLES_MAX: usize = 8;
/// Expected draws of the rarest member from which on its absence is a fault: one in 3 million for
/// each member.
const DRAWS_MIN: usize = 15;

/// Result of one or more configurations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) clients: usize,
    /// Equal code and records.
    pub(crate) equal: usize,
    /// One member each of the same weighted family.
    pub(crate) weighted: usize,
    pub(crate) different: usize,
    pub(crate) scope_equal: usize,
    pub(crate) scope_shorter: usize,
    /// Longer, as a weighted choice by client needs.
    pub(crate) scope_of_choice: usize,
    pub(crate) scope_longer: usize,
    /// Questions for other clients within a scope, and those whose answer was another.
    pub(crate) probes: usize,
    pub(crate) dishonest: usize,
    /// Members of weighted families that had to appear, and those that did not.
    pub(crate) members: usize,
    pub(crate) absent: usize,
    pub(crate) examples: Vec<String>,
}

impl Tally {
    /// True if nothing speaks against equality.
    pub(crate) fn is_clean(&self) -> bool {
        self.different + self.scope_longer + self.dishonest + self.absent == 0
    }

    /// Adds another configuration.
    pub(crate) fn add(&mut self, other: &Self) {
        self.clients += other.clients;
        self.equal += other.equal;
        self.weighted += other.weighted;
        self.different += other.different;
        self.scope_equal += other.scope_equal;
        self.scope_shorter += other.scope_shorter;
        self.scope_of_choice += other.scope_of_choice;
        self.scope_longer += other.scope_longer;
        self.probes += other.probes;
        self.dishonest += other.dishonest;
        self.members += other.members;
        self.absent += other.absent;
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text());
        }
    }
}

/// Questions of random clients: mostly for names of policies.
pub(crate) fn questions(scenario: &Scenario, count: usize, random: &mut Random) -> Vec<Question> {
    let mut questions = Vec::with_capacity(count);
    for _ in 0..count {
        let names = if random.percent(6) {
            &scenario.fixed
        } else {
            &scenario.dynamic
        };
        let name = random.choose(names);
        questions.push(Question {
            name: name.name.clone(),
            kind: random.pick(&name.types),
            client: scenario.client(random),
        });
    }
    questions
}

/// Asks both servers and judges.
///
/// # Errors
/// Text when a question stays without a reply.
pub(crate) fn compare(
    scenario: &Scenario,
    gdnsd: SocketAddr,
    ours: SocketAddr,
    questions: &[Question],
    random: &mut Random,
) -> Result<Tally, String> {
    let (theirs, replies) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| ask(gdnsd, questions));
        let replies = ask(ours, questions);
        (theirs.join().unwrap(), replies)
    });
    let (theirs, replies) = (theirs?, replies?);
    let mut tally = Tally {
        clients: questions.len(),
        ..Tally::default()
    };
    let mut chosen = Chosen::new(&scenario.choices);
    for ((question, theirs), reply) in questions.iter().zip(&theirs).zip(&replies) {
        judge(question, theirs, reply, &mut chosen, &mut tally);
    }
    chosen.judge(&mut tally);
    honesty(ours, questions, &replies, random, &mut tally)?;
    Ok(tally)
}

/// One question: equal or not, and whose scope is longer.
fn judge(
    question: &Question,
    theirs: &Reply,
    ours: &Reply,
    chosen: &mut Chosen<'_>,
    tally: &mut Tally,
) {
    let family = chosen.family(theirs);
    if family.is_some_and(|family| chosen.is_choice(family, theirs, ours)) {
        tally.weighted += 1;
        let subnet = Prefix::new(
            question.client.address(),
            if question.client.is_v4 { 24 } else { 48 },
        );
        chosen.note(family.unwrap(), ours, subnet);
    } else if family.is_none() && ours.says_the_same(theirs) {
        tally.equal += 1;
    } else {
        tally.different += 1;
        tally.example(|| {
            format!("differs: {question:?}\n  gdnsd     {theirs:?}\n  watershed {ours:?}")
        });
        return;
    }
    let is_choice = family.is_some_and(|family| chosen.choices[family].len() > 1);
    match (theirs.scope, ours.scope) {
        (theirs, ours) if theirs == ours => tally.scope_equal += 1,
        (Some(theirs), Some(ours)) if ours < theirs => tally.scope_shorter += 1,
        (Some(_), Some(_)) if is_choice => tally.scope_of_choice += 1,
        _ => {
            tally.scope_longer += 1;
            tally.example(|| {
                format!("scope: {question:?}\n  gdnsd     {theirs:?}\n  watershed {ours:?}")
            });
        }
    }
}

/// Asks our server for other clients within the scopes that it gave: each must get the same.
fn honesty(
    server: SocketAddr,
    questions: &[Question],
    replies: &[Reply],
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut probes = Vec::with_capacity(questions.len());
    let mut expected = Vec::with_capacity(questions.len());
    for (question, reply) in questions.iter().zip(replies) {
        let Some(scope) = reply.scope else { continue };
        let longest = if question.client.is_v4 { 32 } else { 64 };
        let within = Prefix::new(question.client.address(), scope.min(longest));
        let client = within.inner(longest, random);
        probes.push(Question {
            client,
            ..question.clone()
        });
        expected.push((question, reply));
    }
    let others = ask(server, &probes)?;
    tally.probes += probes.len();
    for ((probe, other), (question, reply)) in probes.iter().zip(&others).zip(expected) {
        if !other.says_the_same(reply) {
            tally.dishonest += 1;
            let client = probe.client;
            tally.example(|| {
                format!("dishonest: {question:?}\n  got       {reply:?}\n  {client} got {other:?}")
            });
        }
    }
    Ok(())
}

/// Members chosen of each weighted family, and the number of client subnets that got them.
struct Chosen<'a> {
    choices: &'a [Choices],
    family_of: BTreeMap<IpAddr, usize>,
    seen: Vec<BTreeSet<IpAddr>>,
    subnets: Vec<BTreeSet<Prefix>>,
}

impl<'a> Chosen<'a> {
    fn new(choices: &'a [Choices]) -> Self {
        let families = choices.iter().enumerate();
        Self {
            choices,
            family_of: families
                .flat_map(|(family, members)| members.keys().map(move |address| (*address, family)))
                .collect(),
            seen: vec![BTreeSet::new(); choices.len()],
            subnets: vec![BTreeSet::new(); choices.len()],
        }
    }

    /// The weighted family that gdnsd answered from.
    fn family(&self, theirs: &Reply) -> Option<usize> {
        self.family_of.get(&theirs.only_address()?).copied()
    }

    /// True if our answer might as well have been gdnsd's.
    fn is_choice(&self, family: usize, theirs: &Reply, ours: &Reply) -> bool {
        let is_member = ours
            .only_address()
            .is_some_and(|address| self.choices[family].contains_key(&address));
        let answers = theirs.answers.clone();
        is_member
            && Reply {
                answers,
                ..ours.clone()
            }
            .says_the_same(theirs)
    }

    fn note(&mut self, family: usize, ours: &Reply, subnet: Prefix) {
        self.seen[family].extend(ours.only_address());
        self.subnets[family].insert(subnet);
    }

    /// Every member must have appeared, where there were clients enough.
    fn judge(&self, tally: &mut Tally) {
        for (family, members) in self.choices.iter().enumerate() {
            let total: u32 = members.values().sum();
            for (address, weight) in members {
                let draws = self.subnets[family].len() * usize::try_from(*weight).unwrap()
                    / usize::try_from(total).unwrap();
                if members.len() < 2 || draws < DRAWS_MIN {
                    continue;
                }
                tally.members += 1;
                if !self.seen[family].contains(address) {
                    tally.absent += 1;
                    tally.example(|| {
                        format!("never chosen: {address} of {members:?} in {draws} expected")
                    });
                }
            }
        }
    }
}
