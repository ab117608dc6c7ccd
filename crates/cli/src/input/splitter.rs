//! Finding the values of a text that comes in parts.
//!
//! Only brackets and quotes are looked at: whether a value is JSON is found out by whoever reads
//! it. A text that has a whole value on one of its first lines is taken to have one on each line,
//! so that a line that is broken does not spoil those after it.

use std::ops::Range;

use serde::de::IgnoredAny;

/// Lines that are tried for a value before it is clear that values are not one a line.
const TRIED_LINES: usize = 8;

/// Where a value is in the text given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValueRange {
    pub(super) range: Range<usize>,
    /// The line it begins in, counted from 1.
    pub(super) line: usize,
}

/// How values follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// One on each line.
    Lines,
    /// With anything between them.
    Brackets,
}

/// Looks through a text that grows at its end, and is cut at its start.
#[derive(Debug)]
pub(super) struct Splitter {
    form: Option<Framing>,
    /// Everything before this was looked at.
    at: usize,
    /// The line `at` is in.
    line: usize,
    /// Where the value that `at` is in began, and its line.
    open: Option<(usize, usize)>,
    /// Brackets open within that value.
    depth: usize,
    /// Whether values are the elements of an array.
    in_array: bool,
    in_string: bool,
    escaped: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            form: None,
            at: 0,
            line: 1,
            open: None,
            depth: 0,
            in_array: false,
            in_string: false,
            escaped: false,
        }
    }
}

impl Splitter {
    /// The line of the value that has begun, or of what comes next.
    pub(super) fn line(&self) -> usize {
        self.open.map_or(self.line, |(_start, line)| line)
    }

    /// Finds the values of `text` that end in the part not looked at yet; when it `is_over`, what
    /// has begun ends there too.
    pub(super) fn split(&mut self, text: &[u8], is_over: bool, pieces: &mut Vec<ValueRange>) {
        match *self.form.get_or_insert_with(|| form_of(text)) {
            Framing::Lines => self.lines(text, is_over, pieces),
            Framing::Brackets => self.brackets(text, is_over, pieces),
        }
    }

    /// Forgets the first `count` bytes of the text.
    pub(super) fn cut(&mut self, count: usize) {
        self.at -= count;
        if let Some((start, _line)) = &mut self.open {
            *start -= count;
        }
    }

    fn lines(&mut self, text: &[u8], is_over: bool, pieces: &mut Vec<ValueRange>) {
        // The line that is not whole yet is looked at again.
        while let Some(rest) = text.get(self.at..).filter(|rest| !rest.is_empty()) {
            let end = match memchr::memchr(b'\n', rest) {
                Some(length) => self.at + length,
                None if is_over => text.len(),
                None => return,
            };
            let range = self.at..end;
            if text
                .get(range.clone())
                .is_some_and(|line| !line.trim_ascii().is_empty())
            {
                let line = self.line;
                pieces.push(ValueRange { range, line });
            }
            self.at = std::cmp::min(end + 1, text.len());
            self.line += 1;
        }
    }

    fn brackets(&mut self, text: &[u8], is_over: bool, pieces: &mut Vec<ValueRange>) {
        while let Some(byte) = text.get(self.at).copied() {
            self.look_at(byte, pieces);
            self.at += 1;
            self.line += usize::from(byte == b'\n');
        }
        if is_over {
            self.close(self.at, pieces);
        }
    }

    fn look_at(&mut self, byte: u8, pieces: &mut Vec<ValueRange>) {
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return;
        }
        match (byte, self.open) {
            (b' ' | b'\t' | b'\r' | b'\n' | b',', None) => (),
            (b'[', None) if !self.in_array => self.in_array = true,
            (b']', None) if self.in_array => self.in_array = false,
            (b']', Some(_)) if self.in_array && self.depth == 0 => {
                self.close(self.at, pieces);
                self.in_array = false;
            }
            // Something that is no object, such as a number.
            (b' ' | b'\t' | b'\r' | b'\n' | b',', Some(_)) if self.depth == 0 => {
                self.close(self.at, pieces);
            }
            (b'{' | b'[', _) => {
                self.begin();
                self.depth += 1;
            }
            (b'}' | b']', Some(_)) => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.close(self.at + 1, pieces);
                }
            }
            (b'"', _) => {
                self.begin();
                self.in_string = true;
            }
            _ => self.begin(),
        }
    }

    fn begin(&mut self) {
        self.open.get_or_insert((self.at, self.line));
    }

    fn close(&mut self, end: usize, pieces: &mut Vec<ValueRange>) {
        if let Some((start, line)) = self.open.take() {
            let range = start..end;
            pieces.push(ValueRange { range, line });
        }
        self.depth = 0;
    }
}

fn form_of(text: &[u8]) -> Framing {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty());
    if text.trim_ascii_start().starts_with(b"[") {
        return Framing::Brackets;
    }
    let is_value = |line: &[u8]| {
        line.trim_ascii_start().starts_with(b"{")
            && serde_json::from_slice::<IgnoredAny>(line).is_ok()
    };
    if lines.by_ref().take(TRIED_LINES).any(is_value) {
        Framing::Lines
    } else {
        Framing::Brackets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `text` given at once, and given byte by byte.
    #[track_caller]
    fn check(text: &str, wanted: &[(usize, &str)]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(line, it)| (*line, (*it).to_owned()))
            .collect();
        for step in [text.len(), 1] {
            let mut splitter = Splitter {
                form: Some(form_of(text.as_bytes())),
                ..Splitter::default()
            };
            let (mut pieces, mut end) = (Vec::new(), 0);
            loop {
                end = std::cmp::min(end + step, text.len());
                splitter.split(&text.as_bytes()[..end], end == text.len(), &mut pieces);
                if end == text.len() {
                    break;
                }
            }
            let found: Vec<_> = pieces
                .into_iter()
                .map(|it| (it.line, text.get(it.range).unwrap().to_owned()))
                .collect();
            assert_eq!(found, wanted, "{text:?} by {step}");
        }
    }

    #[test]
    fn a_value_on_each_line() {
        check(
            "{\"a\":1}\n\n{\"b\":2}\r\n  \n[3]",
            &[(1, "{\"a\":1}"), (3, "{\"b\":2}\r"), (5, "[3]")],
        );
        check(
            "{}\n{\"a\":\"\n{}\n",
            &[(1, "{}"), (2, "{\"a\":\""), (3, "{}")],
        );
        check("oops {\n{}\n}\n", &[(1, "oops {"), (2, "{}"), (3, "}")]);
    }

    #[test]
    fn values_over_many_lines() {
        check(
            "\n{\n \"a\": {\"b\": \"}\\\"{\"}\n}\n{\n}",
            &[(2, "{\n \"a\": {\"b\": \"}\\\"{\"}\n}"), (5, "{\n}")],
        );
        check("{\"a\":1", &[(1, "{\"a\":1")]);
        check("}", &[(1, "}")]);
    }

    #[test]
    fn the_elements_of_an_array() {
        check(
            "[{\"a\":[1]},\n{\"b\":\"]\"} ]",
            &[(1, "{\"a\":[1]}"), (2, "{\"b\":\"]\"}")],
        );
        check(
            "[1, \"a b\",[2],]\n[{}] 7",
            &[(1, "1"), (1, "\"a b\""), (1, "[2]"), (2, "{}"), (2, "7")],
        );
        check("[]", &[]);
        check("[{\"a\":1}, {\"b\"", &[(1, "{\"a\":1}"), (1, "{\"b\"")]);
    }

    #[test]
    fn nothing() {
        check("", &[]);
        check(" \n\n", &[]);
    }
}
