//! Bytes to tokens.

/// Token of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    HashOpen,
    HashClose,
    ListOpen,
    ListClose,
    Comma,
    /// `=` or `=>`.
    Arrow,
    /// Quoted or not, without its escapes.
    Text(String),
    /// `$include{...}`.
    Include(String),
    End,
}

/// A fault of syntax at a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: u32,
    pub(super) why: String,
}

/// Reads tokens one after the other.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

/// The word that begins an include, with its bracket.
const INCLUDE: &[u8] = b"$include{";

impl<'a> Lexer<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line: 1,
        }
    }

    /// The next token and the line on which it begins.
    ///
    /// # Errors
    /// [`SyntaxError`] for text that is never closed, bad escapes, and bytes that are no UTF-8.
    pub(super) fn next(&mut self) -> Result<(u32, Token), SyntaxError> {
        self.skip_space();
        let line = self.line;
        let Some(byte) = self.peek() else {
            return Ok((line, Token::End));
        };
        let single = match byte {
            b'{' => Some(Token::HashOpen),
            b'}' => Some(Token::HashClose),
            b'[' => Some(Token::ListOpen),
            b']' => Some(Token::ListClose),
            b',' => Some(Token::Comma),
            b'=' => Some(Token::Arrow),
            _ => None,
        };
        if let Some(token) = single {
            self.at += 1;
            if token == Token::Arrow && self.peek() == Some(b'>') {
                self.at += 1;
            }
            return Ok((line, token));
        }
        if byte == b'$' {
            return Ok((line, self.include()?));
        }
        Ok((line, Token::Text(self.text()?)))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fault<T>(&self, why: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError {
            line: self.line,
            why: why.into(),
        })
    }

    /// Passes blanks and comments over.
    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line += 1,
                b'#' | b';' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                    continue;
                }
                _ if byte.is_ascii_whitespace() || byte == 0x0b => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn include(&mut self) -> Result<Token, SyntaxError> {
        if !self.bytes[self.at..].starts_with(INCLUDE) {
            return self.fault("text must not begin with \"$\", except \"$include{path}\"");
        }
        self.at += INCLUDE.len();
        self.skip_space();
        let path = self.text()?;
        self.skip_space();
        if self.peek() != Some(b'}') || path.is_empty() {
            return self.fault("\"$include{\" needs one path and a closing \"}\"");
        }
        self.at += 1;
        Ok(Token::Include(path))
    }

    /// Quoted or plain text without its escapes.
    fn text(&mut self) -> Result<String, SyntaxError> {
        let quoted = self.peek() == Some(b'"');
        self.at += usize::from(quoted);
        let line = self.line;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None if quoted => {
                    return self.fault(format!(
                        "the quoted text from line {line} on is never closed"
                    ));
                }
                None => break,
                Some(b'"') if quoted => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => bytes.push(self.escape()?),
                Some(byte) if !quoted && ends_plain(byte) => break,
                Some(byte) => {
                    self.line += u32::from(byte == b'\n');
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => self.fault("text must be UTF-8"),
        }
    }

    /// A backslash with a byte behind it, or with three decimal digits.
    fn escape(&mut self) -> Result<u8, SyntaxError> {
        let rest = &self.bytes[self.at + 1..];
        let Some(first) = rest.first() else {
            return self.fault("a backslash stands at the end of the file");
        };
        if !first.is_ascii_digit() {
            self.at += 2;
            self.line += u32::from(*first == b'\n');
            return Ok(*first);
        }
        let digits = rest
            .get(..3)
            .filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let value = digits.map(|digits| {
            digits
                .iter()
                .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
        });
        match value.and_then(|value| u8::try_from(value).ok()) {
            Some(byte) => {
                self.at += 4;
                Ok(byte)
            }
            None => self
                .fault("a backslash needs one other character or three digits up to 255 behind it"),
        }
    }
}

/// Tells whether a byte ends plain text.
const fn ends_plain(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            0x0b | b']' | b'[' | b'}' | b'{' | b';' | b'#' | b',' | b'"' | b'='
        )
}
