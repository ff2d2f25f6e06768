//! Rounds: every server in turn, again and again, all of them up all the time.

use crate::accounting::{CpuTime, Memory, count};
use crate::dns::ask::ask_each;
use crate::dns::load::{Expect, Generator, Tally};
use crate::dns::prefixes::Prefix;
use crate::dns::question::{Answer, Question};
use crate::dns::servers::{Kind, Running, Setup, name};
use anyhow::Result;
use serde::Serialize;
use std::time::Duration;

/// Prefixes for which the answers of two servers are compared.
const AGREEMENT_PREFIXES: usize = 4096;

/// Course of a comparison.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Plan {
    /// Questions that are open at a time.
    pub window: usize,
    /// Rounds.
    pub rounds: usize,
    /// Load before each measurement.
    pub warm_up: Duration,
    /// Length of each measurement.
    pub run: Duration,
}

/// One measurement of one server.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Outcome of the questions.
    pub tally: Tally,
    /// Time that it took.
    pub elapsed: Duration,
    /// Processor time of the server meanwhile, all its threads.
    pub cpu: CpuTime,
}

/// All measurements of one server.
#[derive(Debug)]
pub struct Series {
    /// Server.
    pub kind: Kind,
    /// Time from its start to its first answer.
    pub ready_after: Duration,
    /// Memory after the last round.
    pub memory: Memory,
    /// One measurement per round.
    pub rounds: Vec<Measured>,
}

/// Agreement of another server with the first: how often both give the same address.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// The other server.
    pub with: Kind,
    /// Share of the prefixes for which both answered, 0 to 1.
    pub share: f64,
    /// Prefixes for which both answered.
    pub prefixes: usize,
    /// The first prefix with different addresses, with the first server's and the other's.
    pub example: Option<(Prefix, Answer, Answer)>,
}

/// Outcome of a comparison.
#[derive(Debug)]
pub struct Comparison {
    /// One series per server, in the order asked for.
    pub series: Vec<Series>,
    /// Agreement of the other servers' answers with those of the first.
    pub agreements: Vec<Agreement>,
}

/// Starts `kinds`, measures them in turn for all rounds, and ends them. `say` is told what is going
/// on.
///
/// # Errors
/// When a server cannot be started or ends during its run.
pub fn compare(
    setup: &Setup,
    kinds: &[Kind],
    plan: &Plan,
    prefixes: &[Prefix],
    say: &mut dyn FnMut(&str),
) -> Result<Comparison> {
    let question = Question::new(&name());
    let mut servers = Vec::with_capacity(kinds.len());
    for &kind in kinds.iter().filter(|kind| kind.can(setup.policy)) {
        say(&format!("{}: starting {kind}", setup.policy));
        servers.push(Running::start(kind, setup, &question, &prefixes[0])?);
    }
    let agreements = agreements(&servers, &question, prefixes)?;
    let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); servers.len()];
    for round in 1..=plan.rounds {
        for (server, rounds) in servers.iter_mut().zip(&mut rounds) {
            let measured = measure(server, plan, &question, prefixes)?;
            say(&format!(
                "{}: round {round} of {}: {:9} {:6.0} thousand answers a second",
                setup.policy,
                plan.rounds,
                server.kind.to_string(),
                count(measured.tally.answers) / measured.elapsed.as_secs_f64() / 1e3,
            ));
            rounds.push(measured);
        }
    }
    let series = servers.iter().zip(rounds).map(|(server, rounds)| {
        Ok(Series {
            kind: server.kind,
            ready_after: server.ready_after,
            memory: server.memory()?,
            rounds,
        })
    });
    Ok(Comparison {
        series: series.collect::<Result<_>>()?,
        agreements,
    })
}

/// One measurement of a server, with any correct answers.
fn measure(
    server: &mut Running,
    plan: &Plan,
    question: &Question,
    prefixes: &[Prefix],
) -> Result<Measured> {
    let expect = server.kind.expect();
    let generator = Generator::new(server.addr, question, prefixes, plan.window, expect)?;
    measure_with(server, plan, generator)
}

/// One measurement: load until warm, then between two looks at the accounts. What is open at either
/// look belongs to the other side, at most a window of questions each time.
///
/// # Errors
/// When the server has ended.
pub fn measure_with(
    server: &mut Running,
    plan: &Plan,
    mut generator: Generator<'_>,
) -> Result<Measured> {
    server.check()?;
    generator.drive(plan.warm_up, &mut Tally::default())?;
    let mut tally = Tally::default();
    let before = CpuTime::of(server.pid())?;
    let elapsed = generator.drive(plan.run, &mut tally)?;
    let cpu = CpuTime::of(server.pid())?.since(before);
    server.check()?;
    Ok(Measured {
        tally,
        elapsed,
        cpu,
    })
}

/// Compares the answers of the first server with those of the others that answer.
fn agreements(
    servers: &[Running],
    question: &Question,
    prefixes: &[Prefix],
) -> Result<Vec<Agreement>> {
    let sample = &prefixes[..prefixes.len().min(AGREEMENT_PREFIXES)];
    let mut rows = Vec::new();
    for server in servers {
        if server.kind.expect() == Expect::Answer {
            let answers = ask_each(server.addr, question, sample, Expect::Answer)?;
            rows.push((server.kind, answers));
        }
    }
    let Some(((_, ours), others)) = rows.split_first() else {
        return Ok(Vec::new());
    };
    let agreement = |(with, theirs): &(Kind, Vec<Option<Answer>>)| {
        let rows = sample.iter().zip(ours).zip(theirs);
        let both = rows.filter_map(|((prefix, a), b)| Some((*prefix, (*a)?, (*b)?)));
        let both: Vec<_> = both.collect();
        let differs = |(_, a, b): &&(Prefix, Answer, Answer)| a.address != b.address;
        let same = both.len() - both.iter().filter(differs).count();
        Agreement {
            with: *with,
            share: count(same as u64) / count(both.len().max(1) as u64),
            prefixes: both.len(),
            example: both.iter().find(differs).copied(),
        }
    };
    Ok(others.iter().map(agreement).collect())
}
