//! Taking a batch apart.
//!
//! The parts are not looked at more than finding their ends takes: whether one is an event is
//! for [`admit`](crate::admit) to say, so that a bad one does not cost the others.

use std::ops::Range;

use crate::fault::{FaultCode, Flaw};
use crate::scanner::{Container, Scanner};
use crate::{Fault, Limits};

/// Finds the elements of a JSON array.
///
/// An element that is not JSON, or is nested deeper than an event may be, is a fault of the whole
/// array. One that is not UTF-8 is not.
pub fn split_array(input: &[u8], limits: &Limits) -> Result<Vec<Range<usize>>, Fault> {
    let mut scanner = Scanner::new(input, limits.max_depth.saturating_add(1));
    elements(&mut scanner).map_err(|flaw| flaw.in_input(input))
}

fn elements(scanner: &mut Scanner<'_>) -> Result<Vec<Range<usize>>, Flaw> {
    scanner.begin()?;
    let start = scanner.at();
    if scanner.peek() != Some(b'[') {
        scanner.value()?;
        return Err(Flaw::new(
            FaultCode::NotAnArray,
            start,
            "a batch must be an array",
        ));
    }
    let mut elements = Vec::new();
    let mut entry = scanner.enter(Container::Array)?;
    while entry {
        let start = scanner.at();
        scanner.value()?;
        elements.push(start..scanner.at());
        entry = scanner.advance()?;
    }
    scanner.end()?;
    Ok(elements)
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

    #[track_caller]
    fn check(input: &str, wanted: &[&str]) {
        let ranges = split_array(input.as_bytes(), &Limits::default()).expect(input);
        let elements: Vec<_> = ranges
            .into_iter()
            .map(|range| input.get(range).unwrap())
            .collect();
        assert_eq!(elements, wanted, "{input}");
    }

    #[track_caller]
    fn check_refused(input: &str, code: FaultCode, byte: usize, path: &str) {
        let fault = split_array(input.as_bytes(), &Limits::default()).expect_err(input);
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
        let fault = split_array(nested(130).as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!((fault.code, fault.at.byte), (FaultCode::TooDeep, 129));
    }

    #[test]
    fn an_element_need_not_be_utf8() {
        assert_eq!(
            split_array(b"[\"\xff\",1]", &Limits::default()),
            Ok(vec![1..4, 5..6])
        );
    }

    #[test]
    fn blank_lines_count_but_do_not_come() {
        let lines: Vec<_> = split_lines(b"\n{}\r\n \t\r\n[ 1 ] \n\n\r3").collect();
        assert_eq!(lines, [(2, &b"{}"[..]), (4, b"[ 1 ] "), (6, b"\r3")]);
        assert_eq!(split_lines(b"").count(), 0);
    }
}
