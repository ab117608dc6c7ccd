//! Taking a batch apart.
//!
//! The parts are not looked at more than finding their ends takes: whether one is an event is
//! for [`admit`](crate::admit) to say, so that a bad one does not cost the others.

use std::mem;

use crate::fault::{FaultCode, Flaw};
use crate::scanner::{Container, Scanner};
use crate::{Fault, Limits};

/// Finds the elements of a JSON array, one after another and no further than they are asked for.
///
/// An element that is not JSON, or is nested deeper than an event may be, is a fault of the whole
/// array, and so is what follows its end: whoever wants all or nothing has to go to the end. An
/// element that is not UTF-8 is no fault.
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

/// The elements of an array, up to its end or its first flaw.
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
        let entry = match mem::replace(&mut self.stage, SplitStage::Over) {
            SplitStage::Before => self.enter()?,
            SplitStage::Within => self.scanner.advance()?,
            SplitStage::Over => return Ok(None),
        };
        if !entry {
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

/// Finds the lines that are not blank, each with its number counted from 1, without its end.
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
    fn check_refused(input: &str, code: FaultCode, byte: usize, path: &str) {
        let fault = split(input.as_bytes()).expect_err(input);
        assert_eq!(
            (fault.code, fault.at.byte, fault.at.path.as_str()),
            (code, byte, path)
        );
    }

    #[test]
    fn elements_come_without_the_space_around_them() {
        check(" [ ] ", &[]);
        check(
            r#"[ {"a" : [1, 2]} ,"],", 3 ]"#,
            &[r#"{"a" : [1, 2]}"#, r#""],""#, "3"],
        );
    }

    #[test]
    fn a_batch_is_an_array_to_its_end() {
        check_refused("", FaultCode::Empty, 0, "");
        check_refused("{}", FaultCode::NotAnArray, 0, "");
        check_refused("[1] 2", FaultCode::TrailingData, 4, "");
        check_refused("[1, {\"a\": tru}]", FaultCode::Syntax, 10, "/1/a");
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
    fn an_array_is_not_looked_at_past_the_elements_asked_for() {
        let mut elements = split_array(b"[1, 2, tru", &Limits::default());
        assert_eq!(elements.next(), Some(Ok(&b"1"[..])));
        assert_eq!(elements.next(), Some(Ok(&b"2"[..])));
        assert!(matches!(elements.next(), Some(Err(_))));
        assert_eq!(elements.next(), None);
    }

    #[test]
    fn blank_lines_count_but_do_not_come() {
        let lines: Vec<_> = split_lines(b"\n{}\r\n \t\r\n[ 1 ] \n\n\r3").collect();
        assert_eq!(lines, [(2, &b"{}"[..]), (4, b"[ 1 ] "), (6, b"\r3")]);
        assert_eq!(split_lines(b"").count(), 0);
    }
}
