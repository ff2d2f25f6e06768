//! Lines of a zone file to words: comments, quotes, brackets around several lines.

/// A word as it is written, without the quotes around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) raw: String,
    pub(super) quoted: bool,
}

/// One entry of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Number of its first line.
    pub(super) number: u32,
    /// True when it begins with a blank, so that the owner is the one before.
    pub(super) indented: bool,
    pub(super) words: Vec<Word>,
}

/// Splits a file into entries.
///
/// # Errors
/// The line and what is wrong with it.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, (u32, String)> {
    let mut splitter = Splitter::default();
    let mut number = 0;
    for line in text.split('\n') {
        number += 1;
        splitter.line(number, line.strip_suffix('\r').unwrap_or(line))?;
    }
    if splitter.depth > 0 {
        return Err((number, "a bracket is never closed".to_owned()));
    }
    Ok(splitter.done)
}

#[derive(Default)]
struct Splitter {
    done: Vec<Line>,
    depth: usize,
}

impl Splitter {
    fn line(&mut self, number: u32, line: &str) -> Result<(), (u32, String)> {
        if self.depth == 0 {
            self.done.push(Line {
                number,
                indented: line.starts_with([' ', '\t']),
                words: Vec::new(),
            });
        }
        let mut rest = line.chars().peekable();
        while let Some(&next) = rest.peek() {
            match next {
                ';' => break,
                '(' => self.depth += 1,
                ')' if self.depth == 0 => {
                    return Err((number, "a bracket is closed that was not open".to_owned()));
                }
                ')' => self.depth -= 1,
                '"' => {
                    rest.next();
                    let word = quoted(&mut rest)
                        .ok_or_else(|| (number, "quotes are not closed".to_owned()))?;
                    self.push(word);
                    continue;
                }
                blank if blank.is_ascii_whitespace() => {}
                _ => {
                    let word = plain(&mut rest)
                        .ok_or_else(|| (number, "a backslash ends the line".to_owned()))?;
                    self.push(word);
                    continue;
                }
            }
            rest.next();
        }
        if self.depth == 0 && self.done.last().is_some_and(|line| line.words.is_empty()) {
            self.done.pop();
        }
        Ok(())
    }

    fn push(&mut self, word: Word) {
        if let Some(line) = self.done.last_mut() {
            line.words.push(word);
        }
    }
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn quoted(rest: &mut Rest<'_>) -> Option<Word> {
    let mut raw = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(Word { raw, quoted: true }),
            '\\' => raw.extend(['\\', rest.next()?]),
            other => raw.push(other),
        }
    }
}

fn plain(rest: &mut Rest<'_>) -> Option<Word> {
    let mut raw = String::new();
    while let Some(next) =
        rest.next_if(|next| !next.is_ascii_whitespace() && !";()\"".contains(*next))
    {
        raw.push(next);
        if next == '\\' {
            raw.push(rest.next()?);
        }
    }
    Some(Word { raw, quoted: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_span_lines_within_brackets() {
        let text =
            "@ SOA ns1 (\n 1 ; serial\n 2\n)\n\n ; alone\n  TXT \"a;(b\" c\\;d\\010\r\nx A 1.2.3.4";
        let lines = lines(text).unwrap();
        let raw: Vec<Vec<&str>> = lines
            .iter()
            .map(|line| line.words.iter().map(|word| word.raw.as_str()).collect())
            .collect();
        assert_eq!(
            raw,
            [
                vec!["@", "SOA", "ns1", "1", "2"],
                vec!["TXT", "a;(b", r"c\;d\010"],
                vec!["x", "A", "1.2.3.4"]
            ]
        );
        let heads: Vec<(u32, bool)> = lines
            .iter()
            .map(|line| (line.number, line.indented))
            .collect();
        assert_eq!(heads, [(1, false), (7, true), (8, false)]);
    }

    #[test]
    fn what_is_not_closed_is_told_with_its_line() {
        for (text, number) in [
            ("a\n(b\n", 3),
            ("a )", 1),
            ("a\n\"b", 2),
            ("a \\", 1),
            ("\"b\\", 1),
        ] {
            assert_eq!(lines(text).unwrap_err().0, number, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends(text in "(?s).{0,200}") {
            let _ = lines(&text);
        }

        #[test]
        fn brackets_quotes_and_backslashes_end(text in "[()\"\\\\; \na]{0,60}") {
            let _ = lines(&text);
        }
    }
}
