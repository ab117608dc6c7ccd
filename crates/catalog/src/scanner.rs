//! A JSON scanner that reads the input once, from front to back.
//!
//! A [`Scanner`] accepts exactly the grammar of RFC 8259. It builds no tree and does not recurse:
//! open containers are on a stack of one byte per level, and the caller limits the depth. Numbers
//! are validated but not computed. Strings are validated but not copied. So numbers and strings keep
//! their spelling. A scanner can also write the input minified, without the white space between tokens.
//!
//! A scanner works on bytes. Bytes outside ASCII are allowed only in strings. The caller must check
//! that they are UTF-8. A scanner does not know the meaning of members.

mod plain_run;

use std::borrow::Cow;

use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::raw_text::RawText;
use plain_run::plain_run;

/// A position in the input that moves token by token.
///
/// To read a container, call [`enter`](Self::enter) first, and [`advance`](Self::advance) after each
/// entry. Each call returns true if there is another entry.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
    max_depth: usize,
    open: Vec<Container>,
    minified: Option<Minified>,
}

/// A kind of value that has entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Object,
    Array,
}

/// The minified output. The input up to `from` was written or skipped.
#[derive(Debug)]
struct Minified {
    out: Vec<u8>,
    from: usize,
}

impl<'a> Scanner<'a> {
    /// Returns a scanner at the start of `input`.
    pub(crate) fn new(input: &'a [u8], max_depth: usize) -> Self {
        Self {
            input,
            at: 0,
            max_depth,
            open: Vec::new(),
            minified: None,
        }
    }

    /// Returns a scanner at the start of `input` that also writes the input minified.
    pub(crate) fn minifying(input: &'a [u8], max_depth: usize) -> Self {
        let minified = Minified {
            out: Vec::with_capacity(input.len()),
            from: 0,
        };
        Self {
            minified: Some(minified),
            ..Self::new(input, max_depth)
        }
    }

    /// Returns the position of the next byte.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Returns the next byte, or `None` at the end.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    /// Moves past the next byte.
    pub(crate) const fn step(&mut self) {
        self.at += 1;
    }

    /// Returns the input that was read since `start`.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.input.get(start..self.at).unwrap_or_default()
    }

    /// Moves to the start of the outermost value.
    pub(crate) fn begin(&mut self) -> Result<(), Flaw> {
        self.skip_space();
        match self.peek() {
            Some(_) => Ok(()),
            None => Err(Flaw::new(FaultCode::Empty, 0, "the input is empty")),
        }
    }

    /// Moves past the white space after the outermost value, to the end of the input.
    pub(crate) fn end(&mut self) -> Result<(), Flaw> {
        self.skip_space();
        match self.peek() {
            Some(_) => Err(self.flaw(
                FaultCode::TrailingData,
                "there must be no data after the JSON value",
            )),
            None => Ok(()),
        }
    }

    /// Moves past one value of any kind.
    pub(crate) fn value(&mut self) -> Result<(), Flaw> {
        let outer_depth = self.open.len();
        loop {
            let mut has_entry = match self.peek() {
                Some(b'{') => self.enter(Container::Object)?,
                Some(b'[') => self.enter(Container::Array)?,
                _ => {
                    self.scalar()?;
                    false
                }
            };
            while !has_entry {
                if self.open.len() == outer_depth {
                    return Ok(());
                }
                has_entry = self.advance()?;
            }
            if self.open.last() == Some(&Container::Object) {
                self.key()?;
                self.colon()?;
            }
        }
    }

    /// Enters the container that must start here. Returns true at the first entry. Returns false after
    /// the end of an empty container.
    pub(crate) fn enter(&mut self, container: Container) -> Result<bool, Flaw> {
        if self.peek() != Some(container.opening()) {
            return Err(self.expected(container.name()));
        }
        if self.open.len() >= self.max_depth {
            let message = format!(
                "the nesting must not be deeper than {} levels",
                self.max_depth
            );
            return Err(self.flaw(FaultCode::TooDeep, message));
        }
        self.step();
        self.open.push(container);
        self.skip_space();
        Ok(!self.leave(container))
    }

    /// Moves on from the end of an entry. Returns true at the next entry. Returns false after the end of
    /// the container.
    pub(crate) fn advance(&mut self) -> Result<bool, Flaw> {
        let Some(container) = self.open.last().copied() else {
            return Ok(false);
        };
        self.skip_space();
        if self.take(b',') {
            self.skip_space();
            return Ok(true);
        }
        if self.leave(container) {
            Ok(false)
        } else {
            Err(self.expected(container.comma_or_end()))
        }
    }

    /// Moves past a key. Call [`colon`](Self::colon) next.
    pub(crate) fn key(&mut self) -> Result<RawText<'a>, Flaw> {
        match self.peek() {
            Some(b'"') => self.string(),
            _ => Err(self.expected("a key in quotes")),
        }
    }

    /// Moves past the colon after a key, to the start of the member's value.
    pub(crate) fn colon(&mut self) -> Result<(), Flaw> {
        self.skip_space();
        if !self.take(b':') {
            return Err(self.expected("':'"));
        }
        self.skip_space();
        Ok(())
    }

    /// Moves past the string whose opening quote is here.
    pub(crate) fn string(&mut self) -> Result<RawText<'a>, Flaw> {
        let at = self.at;
        self.step();
        let mut has_escapes = false;
        loop {
            self.at += plain_run(self.rest());
            match self.peek() {
                Some(b'"') => {
                    let raw = self.since(at + 1);
                    self.step();
                    return Ok(RawText {
                        at,
                        raw,
                        has_escapes,
                    });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.syntax("a control character must be escaped")),
                None => return Err(self.expected("a closing quote")),
            }
        }
    }

    /// Writes `replacement` to the minified output instead of `text`, which must be the string that was
    /// read last.
    pub(crate) fn rewrite(&mut self, text: RawText<'_>, replacement: &[u8]) {
        if let Some(minified) = &mut self.minified {
            minified.skip(self.input, text.at + 1, self.at - 1);
            minified.out.extend_from_slice(replacement);
        }
    }

    /// Returns the input that was read, minified.
    pub(crate) fn into_minified(self) -> Vec<u8> {
        let Some(mut minified) = self.minified else {
            return Vec::new();
        };
        minified.skip(self.input, self.at, self.at);
        minified.out
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Moves past `byte` if it is next. Returns true if it was.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.step();
        }
        is_next
    }

    /// Moves past the end of the container if the end is next. Returns true if it was.
    fn leave(&mut self, container: Container) -> bool {
        let ends = self.take(container.closing());
        if ends {
            self.open.pop();
        }
        ends
    }

    fn skip_space(&mut self) {
        let start = self.at;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.step();
        }
        if self.at > start
            && let Some(minified) = &mut self.minified
        {
            minified.skip(self.input, start, self.at);
        }
    }

    fn scalar(&mut self) -> Result<(), Flaw> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Flaw> {
        if !self.rest().starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Flaw> {
        self.take(b'-');
        // Digits after a leading zero are not part of the number.
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.step();
        }
        if self.at == start {
            Err(self.expected("a digit"))
        } else {
            Ok(())
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        self.at += match self.rest() {
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => 2,
            [b'\\', b'u', digits @ ..]
                if digits
                    .first_chunk()
                    .is_some_and(|four: &[u8; 4]| four.iter().all(u8::is_ascii_hexdigit)) =>
            {
                6
            }
            _ => return Err(self.syntax("the escape is invalid")),
        };
        Ok(())
    }

    fn expected(&self, what: &str) -> Flaw {
        let head = self
            .rest()
            .first_chunk()
            .map_or(self.rest(), |four: &[u8; 4]| four);
        self.syntax(match String::from_utf8_lossy(head).chars().next() {
            Some(found) => format!("expected {what}, found {found:?}"),
            None => format!("expected {what}, found the end"),
        })
    }

    fn syntax(&self, message: impl Into<Cow<'static, str>>) -> Flaw {
        self.flaw(FaultCode::Syntax, message)
    }

    fn flaw(&self, code: FaultCode, message: impl Into<Cow<'static, str>>) -> Flaw {
        Flaw::new(code, self.at, message)
    }
}

impl Minified {
    /// Writes the input up to `start` and skips the input from `start` to `end`.
    fn skip(&mut self, input: &[u8], start: usize, end: usize) {
        self.out
            .extend_from_slice(input.get(self.from..start).unwrap_or_default());
        self.from = end;
    }
}

impl Container {
    const fn opening(self) -> u8 {
        match self {
            Self::Object => b'{',
            Self::Array => b'[',
        }
    }

    const fn closing(self) -> u8 {
        match self {
            Self::Object => b'}',
            Self::Array => b']',
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
        }
    }

    const fn comma_or_end(self) -> &'static str {
        match self {
            Self::Object => "',' or '}'",
            Self::Array => "',' or ']'",
        }
    }
}

#[cfg(test)]
mod tests;
