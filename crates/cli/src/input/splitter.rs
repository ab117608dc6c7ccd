//! Finds the values of a text that arrives in parts.
//!
//! The splitter only examines brackets and quotes; the caller validates the JSON. If one of the first
//! lines is a whole value, the text is read as one value per line. In such a text, a broken line does
//! not affect the lines after it.

use std::ops::Range;

use serde::de::IgnoredAny;

/// The number of first lines that are examined for a whole value.
const EXAMINED_LINES: usize = 8;

/// The place of a value in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueRange {
    pub(crate) range: Range<usize>,
    /// The line in which the value begins, counted from 1.
    pub(crate) line: usize,
    /// Whether the value is an element of an array that was not closed yet.
    pub(crate) in_array: bool,
}

/// How the values are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One value on each line.
    Lines,
    /// Values with any separators, found by their brackets.
    Brackets,
}

/// Scans a text that grows at its end and is cut at its start.
#[derive(Debug)]
pub(crate) struct Splitter {
    framing: Option<Framing>,
    /// The position up to which the text was scanned.
    position: usize,
    /// The line of `position`.
    line: usize,
    /// The start and line of the value that contains `position`.
    current_value: Option<(usize, usize)>,
    /// The number of open brackets in that value.
    depth: usize,
    /// Whether the values are elements of an array.
    in_array: bool,
    in_string: bool,
    escaped: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            framing: None,
            position: 0,
            line: 1,
            current_value: None,
            depth: 0,
            in_array: false,
            in_string: false,
            escaped: false,
        }
    }
}

impl Splitter {
    /// Creates a splitter for the rest of a text after one of its values.
    pub(crate) fn resume(framing: Framing, in_array: bool) -> Self {
        Self {
            framing: Some(framing),
            in_array,
            ..Self::default()
        }
    }

    /// Returns how the values are separated, once some text was scanned.
    pub(crate) const fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// Returns the line of the current value, or of the current position.
    pub(crate) fn line(&self) -> usize {
        self.current_value.map_or(self.line, |(_start, line)| line)
    }

    /// Finds the values that end in the part of `text` that was not scanned yet. With `at_end`, the text is
    /// complete, so its end is also the end of the current value.
    pub(crate) fn split(&mut self, text: &[u8], at_end: bool, ranges: &mut Vec<ValueRange>) {
        match *self.framing.get_or_insert_with(|| framing_of(text)) {
            Framing::Lines => self.split_lines(text, at_end, ranges),
            Framing::Brackets => self.split_by_brackets(text, at_end, ranges),
        }
    }

    /// Removes the first `count` bytes of the text.
    pub(crate) fn cut(&mut self, count: usize) {
        self.position -= count;
        if let Some((start, _line)) = &mut self.current_value {
            *start -= count;
        }
    }

    fn split_lines(&mut self, text: &[u8], at_end: bool, ranges: &mut Vec<ValueRange>) {
        // An incomplete line is scanned again later.
        while let Some(rest) = text.get(self.position..).filter(|rest| !rest.is_empty()) {
            let end = match memchr::memchr(b'\n', rest) {
                Some(length) => self.position + length,
                None if at_end => text.len(),
                None => return,
            };
            let range = self.position..end;
            if text
                .get(range.clone())
                .is_some_and(|line| !line.trim_ascii().is_empty())
            {
                ranges.push(ValueRange {
                    range,
                    line: self.line,
                    in_array: false,
                });
            }
            self.position = std::cmp::min(end + 1, text.len());
            self.line += 1;
        }
    }

    fn split_by_brackets(&mut self, text: &[u8], at_end: bool, ranges: &mut Vec<ValueRange>) {
        while let Some(byte) = text.get(self.position).copied() {
            self.scan_byte(byte, ranges);
            self.position += 1;
            self.line += usize::from(byte == b'\n');
        }
        if at_end {
            self.end_value(self.position, ranges);
        }
    }

    fn scan_byte(&mut self, byte: u8, ranges: &mut Vec<ValueRange>) {
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return;
        }
        match (byte, self.current_value) {
            (b' ' | b'\t' | b'\r' | b'\n' | b',', None) => (),
            (b'[', None) if !self.in_array => self.in_array = true,
            (b']', None) if self.in_array => self.in_array = false,
            (b']', Some(_)) if self.in_array && self.depth == 0 => {
                self.end_value(self.position, ranges);
                self.in_array = false;
            }
            // The end of a value without brackets, such as a number.
            (b' ' | b'\t' | b'\r' | b'\n' | b',', Some(_)) if self.depth == 0 => {
                self.end_value(self.position, ranges);
            }
            (b'{' | b'[', _) => {
                self.begin_value();
                self.depth += 1;
            }
            (b'}' | b']', Some(_)) => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.end_value(self.position + 1, ranges);
                }
            }
            (b'"', _) => {
                self.begin_value();
                self.in_string = true;
            }
            _ => self.begin_value(),
        }
    }

    fn begin_value(&mut self) {
        self.current_value.get_or_insert((self.position, self.line));
    }

    fn end_value(&mut self, end: usize, ranges: &mut Vec<ValueRange>) {
        if let Some((start, line)) = self.current_value.take() {
            let range = start..end;
            ranges.push(ValueRange {
                range,
                line,
                in_array: self.in_array,
            });
        }
        self.depth = 0;
    }
}

fn framing_of(text: &[u8]) -> Framing {
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
    if lines.by_ref().take(EXAMINED_LINES).any(is_value) {
        Framing::Lines
    } else {
        Framing::Brackets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `text` as one part, and again byte by byte.
    #[track_caller]
    fn check(text: &str, wanted: &[(usize, &str)]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(line, value)| (*line, (*value).to_owned()))
            .collect();
        for step in [text.len(), 1] {
            let mut splitter = Splitter {
                framing: Some(framing_of(text.as_bytes())),
                ..Splitter::default()
            };
            let (mut ranges, mut end) = (Vec::new(), 0);
            loop {
                end = std::cmp::min(end + step, text.len());
                splitter.split(&text.as_bytes()[..end], end == text.len(), &mut ranges);
                if end == text.len() {
                    break;
                }
            }
            let found: Vec<_> = ranges
                .into_iter()
                .map(|value| (value.line, text.get(value.range).unwrap().to_owned()))
                .collect();
            assert_eq!(found, wanted, "{text:?} by {step}");
        }
    }

    #[test]
    fn lines_are_split_into_one_value_each() {
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
    fn values_may_span_many_lines() {
        check(
            "\n{\n \"a\": {\"b\": \"}\\\"{\"}\n}\n{\n}",
            &[(2, "{\n \"a\": {\"b\": \"}\\\"{\"}\n}"), (5, "{\n}")],
        );
        check("{\"a\":1", &[(1, "{\"a\":1")]);
        check("}", &[(1, "}")]);
    }

    #[test]
    fn an_array_is_split_into_its_elements() {
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
    fn an_empty_text_has_no_values() {
        check("", &[]);
        check(" \n\n", &[]);
    }
}
