//! The grammar of JSON, read once, from front to back.
//!
//! A [`Scanner`] takes RFC 8259 to the letter and accepts nothing beyond it. It builds no tree
//! and does not recurse: what is open is kept on a stack of one byte per level, bounded by the
//! caller. Numbers are checked, never computed, and strings are checked, never copied, so the
//! spelling of both survives whatever it is. On the way it can write out what it reads without
//! the white space between tokens, in runs as long as the input allows.
//!
//! It works on bytes. Those outside ASCII can only stand in strings, and whether they are UTF-8
//! there is the caller's to check. Not here: what any member means.

mod plain_run;

use std::borrow::Cow;

use crate::fault::{FaultCode, Flaw};
use crate::raw_text::RawText;
use plain_run::plain_run;

/// A place in the input that moves on token by token.
///
/// A container is walked with [`enter`](Self::enter), then [`advance`](Self::advance) after each
/// entry, for as long as both say that another entry starts here.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
    max_depth: usize,
    open: Vec<Container>,
    minified: Option<Minified>,
}

/// What has entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Object,
    Array,
}

/// The output: all input up to `from` is dealt with.
#[derive(Debug)]
struct Minified {
    out: Vec<u8>,
    from: usize,
}

impl<'a> Scanner<'a> {
    /// Reads `input` from its start.
    pub(crate) fn new(input: &'a [u8], max_depth: usize) -> Self {
        Self {
            input,
            at: 0,
            max_depth,
            open: Vec::new(),
            minified: None,
        }
    }

    /// Reads `input` from its start and writes it out minified.
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

    /// The place of the next byte.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next byte.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    /// Moves past the next byte, whatever it is.
    pub(crate) const fn step(&mut self) {
        self.at += 1;
    }

    /// What was read since `start`.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.input.get(start..self.at).unwrap_or_default()
    }

    /// Moves to the start of the outermost value.
    pub(crate) fn begin(&mut self) -> Result<(), Flaw> {
        self.space();
        match self.peek() {
            Some(_) => Ok(()),
            None => Err(Flaw::new(FaultCode::Empty, 0, "there is nothing here")),
        }
    }

    /// Moves past the white space after the outermost value, to the end of the input.
    pub(crate) fn end(&mut self) -> Result<(), Flaw> {
        self.space();
        match self.peek() {
            Some(_) => Err(self.flaw(FaultCode::TrailingData, "nothing may follow here")),
            None => Ok(()),
        }
    }

    /// Moves past one value of any kind.
    pub(crate) fn value(&mut self) -> Result<(), Flaw> {
        let floor = self.open.len();
        loop {
            let mut entry = match self.peek() {
                Some(b'{') => self.enter(Container::Object)?,
                Some(b'[') => self.enter(Container::Array)?,
                _ => {
                    self.scalar()?;
                    false
                }
            };
            while !entry {
                if self.open.len() == floor {
                    return Ok(());
                }
                entry = self.advance()?;
            }
            if self.open.last() == Some(&Container::Object) {
                self.key()?;
                self.colon()?;
            }
        }
    }

    /// Enters the container that must start here: true at its first entry, false when it has
    /// none and is left behind already.
    pub(crate) fn enter(&mut self, container: Container) -> Result<bool, Flaw> {
        if self.peek() != Some(container.opening()) {
            return Err(self.expected(container.name()));
        }
        if self.open.len() >= self.max_depth {
            let message = format!(
                "this is nested deeper than the {} levels allowed",
                self.max_depth
            );
            return Err(self.flaw(FaultCode::TooDeep, message));
        }
        self.step();
        self.open.push(container);
        self.space();
        Ok(!self.leave(container))
    }

    /// Moves on from the end of an entry: true at the next one, false when it was the last and
    /// its container is left behind.
    pub(crate) fn advance(&mut self) -> Result<bool, Flaw> {
        let Some(container) = self.open.last().copied() else {
            return Ok(false);
        };
        self.space();
        if self.take(b',') {
            self.space();
            return Ok(true);
        }
        if self.leave(container) {
            Ok(false)
        } else {
            Err(self.expected(container.comma_or_end()))
        }
    }

    /// Moves past a key, to be followed by [`colon`](Self::colon).
    pub(crate) fn key(&mut self) -> Result<RawText<'a>, Flaw> {
        match self.peek() {
            Some(b'"') => self.string(),
            _ => Err(self.expected("a key in quotes")),
        }
    }

    /// Moves past the colon after a key, to the member's value.
    pub(crate) fn colon(&mut self) -> Result<(), Flaw> {
        self.space();
        if !self.take(b':') {
            return Err(self.expected("':'"));
        }
        self.space();
        Ok(())
    }

    /// Moves past the string whose opening quote is here.
    pub(crate) fn string(&mut self) -> Result<RawText<'a>, Flaw> {
        let at = self.at;
        self.step();
        let mut escaped = false;
        loop {
            self.at += plain_run(self.rest());
            match self.peek() {
                Some(b'"') => {
                    let raw = self.since(at + 1);
                    self.step();
                    return Ok(RawText { at, raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.syntax("a control character must be escaped")),
                None => return Err(self.expected("a closing quote")),
            }
        }
    }

    /// Writes `replacement` for the string just read.
    pub(crate) fn rewrite(&mut self, text: RawText<'_>, replacement: &[u8]) {
        if let Some(minified) = &mut self.minified {
            minified.cut(self.input, text.at + 1, self.at - 1);
            minified.out.extend_from_slice(replacement);
        }
    }

    /// What was read, minified.
    pub(crate) fn into_minified(self) -> Vec<u8> {
        let Some(mut minified) = self.minified else {
            return Vec::new();
        };
        minified.cut(self.input, self.at, self.at);
        minified.out
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Moves past `byte` if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.step();
        }
        is_next
    }

    fn leave(&mut self, container: Container) -> bool {
        let ends = self.take(container.closing());
        if ends {
            self.open.pop();
        }
        ends
    }

    fn space(&mut self) {
        let start = self.at;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.step();
        }
        if self.at > start
            && let Some(minified) = &mut self.minified
        {
            minified.cut(self.input, start, self.at);
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
        // A zero stands alone: digits after it are no part of the number.
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
            _ => return Err(self.syntax("there is no such escape")),
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
    /// Writes the input up to `start` and passes over what is from there to `end`.
    fn cut(&mut self, input: &[u8], start: usize, end: usize) {
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
