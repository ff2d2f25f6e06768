//! Counts what one question costs in instructions, parse to bytes, and holds it against the figures
//! that are kept.
//!
//! Times differ from run to run and from machine to machine; instructions do not. Each kind of
//! question is answered `ROUNDS` times and twice as often under callgrind, and half of the
//! difference is what start and set-up did not cause.
//!
//! ```text
//! instructions check FILE     fails where a kind costs more than the file allows
//! instructions update FILE    writes what is counted now
//! instructions count KIND N   what callgrind watches
//! ```

mod questions;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

/// Questions in the shorter of two runs; a multiple of [`questions::VARIANTS`], so that both runs
/// ask the same ones.
const ROUNDS: usize = 16 * questions::VARIANTS;
/// Excess over the kept figure that is let pass, in percent: where the compiler is the one that
/// the figures were made with, and where it is another.
const TOLERANCE_PERCENT: [f64; 2] = [2.0, 10.0];
/// Keeps the C library to code that runs on any processor of the architecture, so that copying
/// costs the same everywhere.
const ANY_PROCESSOR: &str =
    "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-FMA,-FMA4,-EVEX,-AVX512VL";

/// Kept figures: the compiler they were made with, and instructions per question by kind.
#[derive(Default)]
struct Figures {
    compiler: String,
    instructions: BTreeMap<String, f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["count", kind, rounds] => {
            let bytes = questions::answer(kind, rounds.parse()?).ok_or("no such kind")?;
            // Written out, so that nothing of it can be left undone.
            writeln!(std::io::stdout(), "{bytes} bytes")?;
            Ok(())
        }
        ["check", file] => check(
            &Figures::parse(&std::fs::read_to_string(file)?)?,
            &count_all()?,
            file,
        ),
        ["update", file] => Ok(std::fs::write(file, count_all()?.to_text())?),
        _ => Err("usage: instructions check FILE | update FILE | count KIND N".into()),
    }
}

impl Figures {
    /// Reads lines of a kind and a number; `#` begins a comment.
    fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let mut figures = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(' ') {
                Some(("compiler", version)) => version.trim().clone_into(&mut figures.compiler),
                Some((kind, number)) => {
                    figures
                        .instructions
                        .insert(kind.to_owned(), number.trim().parse()?);
                }
                None => return Err(format!("{line:?} is not a kind and a number").into()),
            }
        }
        Ok(figures)
    }

    fn to_text(&self) -> String {
        let mut text = "# Instructions per DNS question, parse to bytes; kept by `make instructions UPDATE=1`.\n".to_owned();
        text += &format!("compiler {}\n", self.compiler);
        for (kind, instructions) in &self.instructions {
            text += &format!("{kind} {instructions:.1}\n");
        }
        text
    }
}

/// Counts every kind.
fn count_all() -> Result<Figures, Box<dyn Error>> {
    let mut instructions = BTreeMap::new();
    for kind in questions::KINDS {
        // Both at once: they do not disturb each other's counts.
        let (short, long) = (watch(kind, ROUNDS)?, watch(kind, 2 * ROUNDS)?);
        let (short, long) = (collected(short)?, collected(long)?);
        let difference = u32::try_from(
            long.checked_sub(short)
                .ok_or("the longer run was shorter")?,
        )?;
        instructions.insert(
            kind.to_owned(),
            f64::from(difference) / f64::from(u32::try_from(ROUNDS)?),
        );
    }
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(compiler).arg("-V").output()?.stdout;
    let version = String::from_utf8(version)?;
    let compiler = format!("{} for {}", version.trim(), std::env::consts::ARCH);
    Ok(Figures {
        compiler,
        instructions,
    })
}

/// Starts a run under callgrind.
fn watch(kind: &str, rounds: usize) -> Result<Child, Box<dyn Error>> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command
        .arg(std::env::current_exe()?)
        .args(["count", kind, &rounds.to_string()]);
    command
        .env("GLIBC_TUNABLES", ANY_PROCESSOR)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = command.spawn();
    Ok(started.map_err(|fault| {
        format!("valgrind did not start ({fault}): install it, on Debian with apt-get")
    })?)
}

/// Number of instructions a run took.
fn collected(run: Child) -> Result<u64, Box<dyn Error>> {
    let output = run.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    count
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("callgrind counted nothing: {said}").into())
}

/// Compares, says so, and fails when a kind has become too expensive.
fn check(kept: &Figures, now: &Figures, file: &str) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    if !kept.compiler.ends_with(std::env::consts::ARCH) {
        writeln!(
            out,
            "nothing to compare with: the figures are of {}",
            kept.compiler
        )?;
        return Ok(());
    }
    let same_compiler = kept.compiler == now.compiler;
    let tolerance = TOLERANCE_PERCENT[usize::from(!same_compiler)];
    if !same_compiler {
        writeln!(
            out,
            "the figures are of {}; with {} they may be {tolerance} % apart",
            kept.compiler, now.compiler
        )?;
    }
    let (mut dearer, mut cheaper) = (Vec::new(), false);
    for (kind, &count) in &now.instructions {
        let before = *kept
            .instructions
            .get(kind)
            .ok_or_else(|| format!("{file} has no figure for {kind}"))?;
        let percent = (count / before - 1.0) * 100.0;
        writeln!(
            out,
            "{kind:<12} {count:>8.1} instructions per question, {before:>8.1} kept, {percent:+.2} %"
        )?;
        cheaper |= percent < -tolerance;
        if percent > tolerance {
            dearer.push(kind.as_str());
        }
    }
    if cheaper {
        writeln!(
            out,
            "cheaper than what is kept: hold on to it with `make instructions UPDATE=1`"
        )?;
    }
    if dearer.is_empty() {
        return Ok(());
    }
    let dearer = dearer.join(", ");
    Err(format!("dearer by more than {tolerance} %: {dearer}; if that is worth it, `make instructions UPDATE=1`").into())
}
