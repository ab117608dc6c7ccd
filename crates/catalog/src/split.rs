//! Splits a batch into its elements.
//!
//! The code reads an element only to find its end. [`admit`](crate::admit) then validates each
//! element, so that an invalid element does not reject the others.

use std::mem;

use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::scanner::{Container, Scanner};
use crate::{Fault, Limits};

/// Returns the elements of a JSON array, lazily.
///
/// The iterator ends with a fault if an element is not JSON or is nested too deeply, or if data
/// follows the array. A caller that wants all elements or none must read to the end first. An
/// element that is not UTF-8 is not a fault.
pub fn split_array<'a>(
    input: &'a [u8],
    limits: &Limits,
) -> impl Iterator<Item = Result<&'a [u8], Fault>> + use<'a> {
    let elements = ArrayElements {
        scanner: Scanner::new(input, limits.max_depth.saturating_add(1)),
        stage: SplitStage::Before,
    };
    elements.map(|element| element.map_err(|flaw| flaw.in_input(input)))
}

/// An iterator over the elements of an array, up to the end or the first flaw.
struct ArrayElements<'a> {
    scanner: Scanner<'a>,
    stage: SplitStage,
}

enum SplitStage {
    Before,
    Within,
    Over,
}

impl<'a> ArrayElements<'a> {
    fn element(&mut self) -> Result<Option<&'a [u8]>, Flaw> {
        let has_entry = match mem::replace(&mut self.stage, SplitStage::Over) {
            SplitStage::Before => self.enter()?,
            SplitStage::Within => self.scanner.advance()?,
            SplitStage::Over => return Ok(None),
        };
        if !has_entry {
            self.scanner.end()?;
            return Ok(None);
        }
        let start = self.scanner.at();
        self.scanner.value()?;
        self.stage = SplitStage::Within;
        Ok(Some(self.scanner.since(start)))
    }

    fn enter(&mut self) -> Result<bool, Flaw> {
        self.scanner.begin()?;
        let start = self.scanner.at();
        if self.scanner.peek() == Some(b'[') {
            return self.scanner.enter(Container::Array);
        }
        self.scanner.value()?;
        Err(Flaw::new(
            FaultCode::NotAnArray,
            start,
            "a batch must be an array",
        ))
    }
}

impl<'a> Iterator for ArrayElements<'a> {
    type Item = Result<&'a [u8], Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        self.element().transpose()
    }
}

/// Returns the lines that are not blank, without their line ends. Each has its number, counted from 1.
pub fn split_lines(input: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..)
        .zip(input.split(|byte| *byte == b'\n'))
        .map(|(number, line)| (number, line.strip_suffix(b"\r").unwrap_or(line)))
        .filter(|(_, line)| !line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(input: &[u8]) -> Result<Vec<&[u8]>, Fault> {
        split_array(input, &Limits::default()).collect()
    }

    #[track_caller]
    fn check(input: &str, wanted: &[&str]) {
        let wanted: Vec<_> = wanted.iter().map(|element| element.as_bytes()).collect();
        assert_eq!(split(input.as_bytes()), Ok(wanted), "{input}");
    }

    #[track_caller]
    fn check_rejected(input: &str, code: FaultCode, byte: usize, path: &str) {
        let fault = split(input.as_bytes()).expect_err(input);
        assert_eq!(
            (fault.code, fault.at.byte, fault.at.path.as_str()),
            (code, byte, path)
        );
    }

    #[test]
    fn elements_have_no_white_space_around_them() {
        check(" [ ] ", &[]);
        check(
            r#"[ {"a" : [1, 2]} ,"],", 3 ]"#,
            &[r#"{"a" : [1, 2]}"#, r#""],""#, "3"],
        );
    }

    #[test]
    fn a_batch_must_be_an_array_and_nothing_else() {
        check_rejected("", FaultCode::Empty, 0, "");
        check_rejected("{}", FaultCode::NotAnArray, 0, "");
        check_rejected("[1] 2", FaultCode::TrailingData, 4, "");
        check_rejected("[1, {\"a\": tru}]", FaultCode::Syntax, 10, "/1/a");
    }

    #[test]
    fn an_element_may_be_as_deep_as_an_event() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        check(&nested(129), &[&nested(128)]);
        let fault = split(nested(130).as_bytes()).unwrap_err();
        assert_eq!((fault.code, fault.at.byte), (FaultCode::TooDeep, 129));
    }

    #[test]
    fn an_element_need_not_be_utf8() {
        assert_eq!(split(b"[\"\xff\",1]"), Ok(vec![&b"\"\xff\""[..], b"1"]));
    }

    #[test]
    fn an_element_is_not_read_before_the_iterator_reaches_it() {
        let mut elements = split_array(b"[1, 2, tru", &Limits::default());
        assert_eq!(elements.next(), Some(Ok(&b"1"[..])));
        assert_eq!(elements.next(), Some(Ok(&b"2"[..])));
        assert!(matches!(elements.next(), Some(Err(_))));
        assert_eq!(elements.next(), None);
    }

    #[test]
    fn blank_lines_are_counted_but_not_returned() {
        let lines: Vec<_> = split_lines(b"\n{}\r\n \t\r\n[ 1 ] \n\n\r3").collect();
        assert_eq!(lines, [(2, &b"{}"[..]), (4, b"[ 1 ] "), (6, b"\r3")]);
        assert_eq!(split_lines(b"").count(), 0);
    }
}
