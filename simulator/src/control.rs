//! Control while it runs: commands as lines of text, one line of JSON in return.
//!
//! ```text
//! hour 20               hour of day at Greenwich
//! day 60s               length of a simulated day
//! scale live 1.4        also live@cn/44, *@cn/44, *
//! fail-link gz1/ct      restore-link gz1/ct
//! fail-node gz1-a-1     restore-node gz1-a-1
//! stats                 stop
//! ```

use crate::demand::Filter;
use crate::run::{ControlError, Handle};
use serde_json::json;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Longest command line, bytes.
const LINE_MAX: u64 = 1024;
/// Greatest factor of a scale.
const FACTOR_MAX: f64 = 1e6;

/// A change of the running simulation.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Jump to an hour of day, at Greenwich.
    Hour(f64),
    /// A simulated day takes so many seconds from now on; 0 stops the sun.
    DaySeconds(f64),
    /// Multiply demand.
    Scale(Filter, f64),
    /// A link dies.
    FailLink(String),
    /// A link comes back.
    RestoreLink(String),
    /// A node dies.
    FailNode(String),
    /// A node comes back.
    RestoreNode(String),
}

/// Request of a control line.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// A change.
    Change(Command),
    /// Show the counters.
    Stats,
    /// End the simulation.
    Stop,
}

/// Reason why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No such command.
    #[error(
        "unknown command `{0}`: hour, day, scale, fail-link, restore-link, fail-node, restore-node, stats or stop"
    )]
    Unknown(String),
    /// Too few or too many words.
    #[error("write `{0}`")]
    Usage(&'static str),
    /// A number that is none, or out of bounds.
    #[error("`{0}` is no number in bounds")]
    Number(String),
}

/// Reads a line of the control protocol.
///
/// # Errors
/// [`ParseError`] says what to write instead.
pub fn parse(line: &str) -> Result<Ask, ParseError> {
    let words: Vec<&str> = line.split_whitespace().take(4).collect();
    let (verb, rest) = words
        .split_first()
        .map_or(("", [].as_slice()), |(verb, rest)| (*verb, rest));
    let one = |usage| match rest {
        [only] => Ok((*only).to_owned()),
        _ => Err(ParseError::Usage(usage)),
    };
    let command = match verb {
        "hour" => Command::Hour(number(&one("hour HOUR")?, 24.0)?),
        "day" => {
            let text = one("day SECONDS")?;
            Command::DaySeconds(number(text.strip_suffix('s').unwrap_or(&text), 1e9)?)
        }
        "scale" => match rest {
            [filter, factor] => Command::Scale(parse_filter(filter), number(factor, FACTOR_MAX)?),
            _ => return Err(ParseError::Usage("scale SERVICE[@AREA] FACTOR")),
        },
        "fail-link" => Command::FailLink(one("fail-link LINK")?),
        "restore-link" => Command::RestoreLink(one("restore-link LINK")?),
        "fail-node" => Command::FailNode(one("fail-node NODE")?),
        "restore-node" => Command::RestoreNode(one("restore-node NODE")?),
        "stats" if rest.is_empty() => return Ok(Ask::Stats),
        "stop" if rest.is_empty() => return Ok(Ask::Stop),
        other => return Err(ParseError::Unknown(other.chars().take(32).collect())),
    };
    Ok(Ask::Change(command))
}

/// `SERVICE`, `SERVICE@AREA`, `*@AREA` or `*`.
fn parse_filter(text: &str) -> Filter {
    let (service, area) = text
        .split_once('@')
        .map_or((text, None), |(s, a)| (s, Some(a)));
    Filter {
        service: (service != "*").then(|| service.to_owned()),
        area: area.map(ToOwned::to_owned),
    }
}

fn number(text: &str, max: f64) -> Result<f64, ParseError> {
    let bad = || ParseError::Number(text.chars().take(32).collect());
    let value: f64 = text.parse().map_err(|_| bad())?;
    if (0.0..=max).contains(&value) {
        Ok(value)
    } else {
        Err(bad())
    }
}

/// Serves the control protocol until `stop`, the end of input, or the end of the simulation. Each
/// line is answered by one line of JSON: `{"ok":true}`, `{"error":"..."}`, or the counters. Long
/// lines are refused and end the service, because the rest of them would read as commands.
///
/// # Errors
/// When reading or writing fails.
pub async fn serve_lines(
    handle: &Handle,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input)
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)
            .await?
            == 0
        {
            return Ok(());
        }
        let cut = line.len() as u64 == LINE_MAX && line.last() != Some(&b'\n');
        let text = String::from_utf8_lossy(&line);
        let (answer, goes_on) = if cut {
            (json!({ "error": "line is too long" }), false)
        } else {
            answer(handle, text.trim())
        };
        output.write_all(format!("{answer}\n").as_bytes()).await?;
        output.flush().await?;
        if !goes_on {
            return Ok(());
        }
    }
}

/// Returns what one line is answered with, and whether to go on.
fn answer(handle: &Handle, line: &str) -> (serde_json::Value, bool) {
    let ask = match parse(line) {
        Ok(ask) => ask,
        Err(error) => return (json!({ "error": error.to_string() }), true),
    };
    match ask {
        Ask::Stop => (json!({ "ok": true }), false),
        Ask::Stats => match serde_json::to_value(&*handle.stats()) {
            Ok(stats) => (stats, true),
            Err(error) => (json!({ "error": error.to_string() }), true),
        },
        Ask::Change(command) => match handle.command(command) {
            Ok(()) => (json!({ "ok": true }), true),
            Err(error) => (
                json!({ "error": error.to_string() }),
                error != ControlError::Stopped,
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_command_parses() {
        let filter = |service: Option<&str>, area: Option<&str>| Filter {
            service: service.map(Into::into),
            area: area.map(Into::into),
        };
        let cases = [
            ("hour 20.5", Command::Hour(20.5)),
            (" day  60s ", Command::DaySeconds(60.0)),
            ("day 0", Command::DaySeconds(0.0)),
            (
                "scale live 1.4",
                Command::Scale(filter(Some("live"), None), 1.4),
            ),
            (
                "scale live@cn/44 2",
                Command::Scale(filter(Some("live"), Some("cn/44")), 2.0),
            ),
            (
                "scale *@cn/44 2",
                Command::Scale(filter(None, Some("cn/44")), 2.0),
            ),
            ("scale * 0", Command::Scale(filter(None, None), 0.0)),
            ("fail-link gz1/ct", Command::FailLink("gz1/ct".into())),
            ("restore-link gz1/ct", Command::RestoreLink("gz1/ct".into())),
            ("fail-node n", Command::FailNode("n".into())),
            ("restore-node n", Command::RestoreNode("n".into())),
        ];
        for (line, command) in cases {
            assert_eq!(parse(line), Ok(Ask::Change(command)), "{line}");
        }
        assert_eq!(parse("stats"), Ok(Ask::Stats));
        assert_eq!(parse("stop"), Ok(Ask::Stop));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        assert_eq!(
            parse("scale live"),
            Err(ParseError::Usage("scale SERVICE[@AREA] FACTOR"))
        );
        assert_eq!(parse("hour 25"), Err(ParseError::Number("25".into())));
        assert_eq!(parse("hour NaN"), Err(ParseError::Number("NaN".into())));
        assert_eq!(parse("hour 1 2"), Err(ParseError::Usage("hour HOUR")));
        assert_eq!(parse(""), Err(ParseError::Unknown(String::new())));
    }

    proptest! {
        #[test]
        fn any_line_is_a_command_or_an_error(line in "\\PC{0,60}") {
            let _outcome = parse(&line);
        }
    }
}
