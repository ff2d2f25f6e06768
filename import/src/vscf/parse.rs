//! Tokens to values.

use super::lex::{Lexer, SyntaxError, Token};
use super::{Entry, Hash, Node, Value};
use crate::fault::{ImportError, Place};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Deepest nesting of hashes and lists.
const DEPTH_MAX: usize = 64;

/// Source of includes.
pub(super) trait Include {
    /// The files that a path or pattern means, parsed.
    fn include(&mut self, at: &Place, path: &str) -> Result<Vec<Node>, ImportError>;
}

/// Parses one file: a hash without brackets, or a list with them.
///
/// # Errors
/// [`ImportError::Invalid`] at the line of the fault, and what `include` says.
pub(super) fn parse(
    file: &Arc<str>,
    bytes: &[u8],
    include: &mut dyn Include,
) -> Result<Node, ImportError> {
    let mut parser = Parser {
        lexer: Lexer::new(bytes),
        file,
        include,
        held: None,
        depth: 0,
    };
    let (line, token) = parser.next()?;
    let place = parser.place(line.min(1));
    let value = if token == Token::ListOpen {
        let list = parser.list()?;
        let (line, behind) = parser.next()?;
        if behind != Token::End {
            return Err(parser.fault(line, "nothing may follow the list that is the file"));
        }
        list
    } else {
        parser.held = Some((line, token));
        Value::Hash(parser.entries(&Token::End)?)
    };
    Ok(Node { place, value })
}

struct Parser<'a, 'b> {
    lexer: Lexer<'a>,
    file: &'a Arc<str>,
    include: &'b mut dyn Include,
    /// A token that was read too early.
    held: Option<(u32, Token)>,
    depth: usize,
}

impl Parser<'_, '_> {
    fn next(&mut self) -> Result<(u32, Token), ImportError> {
        if let Some(held) = self.held.take() {
            return Ok(held);
        }
        self.lexer
            .next()
            .map_err(|SyntaxError { line, why }| self.fault(line, why))
    }

    fn place(&self, line: u32) -> Place {
        Place {
            file: Arc::clone(self.file),
            line,
        }
    }

    fn fault(&self, line: u32, why: impl Into<String>) -> ImportError {
        ImportError::invalid(&self.place(line), why)
    }

    /// A comma, if there is one.
    fn comma(&mut self) -> Result<(), ImportError> {
        let (line, token) = self.next()?;
        if token != Token::Comma {
            self.held = Some((line, token));
        }
        Ok(())
    }

    /// The pairs of a hash up to its end.
    fn entries(&mut self, end: &Token) -> Result<Hash, ImportError> {
        let mut hash = Hash::default();
        let mut keys = BTreeSet::new();
        loop {
            let (line, token) = self.next()?;
            let place = self.place(line);
            let before = hash.entries.len();
            match token {
                token if token == *end => return Ok(hash),
                Token::Text(key) => {
                    let (line, arrow) = self.next()?;
                    if arrow != Token::Arrow {
                        return Err(
                            self.fault(line, format!("\"=\" or \"=>\" must follow key {key:?}"))
                        );
                    }
                    let node = self.value()?;
                    hash.entries.push(Entry { key, place, node });
                }
                Token::Include(path) => {
                    for node in self.include.include(&place, &path)? {
                        let Value::Hash(part) = node.value else {
                            let why = "holds a list, and only hashes can be merged into a hash";
                            return Err(ImportError::invalid(&node.place, why));
                        };
                        hash.entries.extend(part.entries);
                    }
                }
                Token::End => {
                    return Err(self.fault(line, "the file ends within a hash: \"}\" is missing"));
                }
                other => {
                    return Err(
                        self.fault(line, format!("a key is expected, not {}", word(&other)))
                    );
                }
            }
            for entry in &hash.entries[before..] {
                if !keys.insert(entry.key.clone()) {
                    let why = format!("key {:?} is given twice", entry.key);
                    return Err(ImportError::invalid(&entry.place, why));
                }
            }
            self.comma()?;
        }
    }

    fn value(&mut self) -> Result<Node, ImportError> {
        let (line, token) = self.next()?;
        self.value_from(line, token)
    }

    fn value_from(&mut self, line: u32, token: Token) -> Result<Node, ImportError> {
        let place = self.place(line);
        if self.depth == DEPTH_MAX {
            return Err(self.fault(line, format!("values are nested deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let value = match token {
            Token::Text(text) => Value::Text(text),
            Token::HashOpen => Value::Hash(self.entries(&Token::HashClose)?),
            Token::ListOpen => self.list()?,
            Token::Include(path) => {
                let mut nodes = self.include.include(&place, &path)?;
                match nodes.pop() {
                    Some(node) if nodes.is_empty() => node.value,
                    _ => {
                        return Err(
                            self.fault(line, "as a value, an include must mean exactly one file")
                        );
                    }
                }
            }
            Token::End => return Err(self.fault(line, "the file ends where a value is expected")),
            other => {
                return Err(self.fault(line, format!("a value is expected, not {}", word(&other))));
            }
        };
        self.depth -= 1;
        Ok(Node { place, value })
    }

    /// The values of a list up to its end.
    fn list(&mut self) -> Result<Value, ImportError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (_, Token::ListClose) => return Ok(Value::List(items)),
                (line, Token::End) => {
                    return Err(self.fault(line, "the file ends within a list: \"]\" is missing"));
                }
                (line, token) => items.push(self.value_from(line, token)?),
            }
            self.comma()?;
        }
    }
}

/// A token for people.
const fn word(token: &Token) -> &'static str {
    match token {
        Token::HashOpen => "\"{\"",
        Token::HashClose => "\"}\"",
        Token::ListOpen => "\"[\"",
        Token::ListClose => "\"]\"",
        Token::Comma => "\",\"",
        Token::Arrow => "\"=\"",
        Token::Text(_) => "text",
        Token::Include(_) => "an include",
        Token::End => "the end of the file",
    }
}
