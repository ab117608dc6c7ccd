//! The place of a fault in the input.
//!
//! After a fault, this code reads the input once more up to the byte of the fault. So a valid event
//! costs nothing extra.

use std::fmt;

use crate::scanner::Scanner;

/// The deepest nesting for which a pointer is computed.
const MAX_DEPTH: usize = 256;
/// Pointers are cut after this many characters.
const MAX_PATH_CHARS: usize = 256;

/// A place in an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The byte position, counted from 0.
    pub byte: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The JSON pointer to the innermost value around the place. Empty for the whole input. A long
    /// pointer is cut after 256 characters and ends in `…`.
    pub path: String,
}

impl Place {
    /// Returns the place of `byte`.
    pub(crate) fn find(input: &[u8], byte: usize) -> Self {
        let before = input.get(..byte).unwrap_or(input);
        let lines = before.split(|byte| *byte == b'\n');
        let start_of_line = lines.clone().next_back().unwrap_or_default();
        Self {
            byte,
            line: lines.count(),
            // Every UTF-8 character has exactly one byte that is not a continuation byte.
            column: start_of_line.iter().filter(|b| **b & 0xc0 != 0x80).count() + 1,
            path: pointer(&enclosing_path(input, byte)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.path.is_empty() {
            // Keys come from senders and must not control a terminal.
            write!(f, " ({})", self.path.escape_debug())?;
        }
        Ok(())
    }
}

/// An object or array around the place, with its entry that contains the place.
enum Enclosing {
    /// The member with this name. `None` before the first key and after a comma.
    Member(Option<String>),
    /// The element with this index.
    Element(usize),
}

/// Returns the objects and arrays around `byte`, the outermost first.
///
/// If the input before `byte` is invalid JSON, the path is a guess. The function always terminates.
fn enclosing_path(input: &[u8], byte: usize) -> Vec<Enclosing> {
    let mut enclosing = Vec::new();
    let mut scanner = Scanner::new(input, 0);
    while let Some(next) = scanner.peek() {
        // A key at `byte` is part of the path. Any other token at `byte` is not.
        if scanner.at() > byte || (scanner.at() == byte && next != b'"') {
            break;
        }
        match (next, enclosing.last_mut()) {
            (b'"', innermost) => {
                let Ok(text) = scanner.string() else { break };
                if let Some(Enclosing::Member(name @ None)) = innermost {
                    *name = Some(String::from_utf8_lossy(&text.bytes()).into_owned());
                }
                continue;
            }
            (b',', Some(Enclosing::Member(name))) => *name = None,
            (b',', Some(Enclosing::Element(index))) => *index += 1,
            (b'{', _) => enclosing.push(Enclosing::Member(None)),
            (b'[', _) => enclosing.push(Enclosing::Element(0)),
            (b'}' | b']', Some(_)) => {
                enclosing.pop();
            }
            _ => (),
        }
        if enclosing.len() > MAX_DEPTH {
            return Vec::new();
        }
        scanner.step();
    }
    enclosing
}

fn pointer(enclosing: &[Enclosing]) -> String {
    let mut path = String::new();
    for container in enclosing {
        match container {
            Enclosing::Member(None) => (),
            Enclosing::Member(Some(name)) => {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Enclosing::Element(index) => {
                path.push('/');
                path.push_str(&index.to_string());
            }
        }
    }
    if let Some((cut, _)) = path.char_indices().nth(MAX_PATH_CHARS) {
        path.truncate(cut);
        path.push('…');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the place of the `^` in `marked`. The `^` is not part of the input.
    #[track_caller]
    fn check(marked: &str, line: usize, column: usize, path: &str) {
        let byte = marked.find('^').expect("`marked` has a `^`");
        let place = Place::find(marked.replace('^', "").as_bytes(), byte);
        let wanted = Place {
            byte,
            line,
            column,
            path: path.to_owned(),
        };
        assert_eq!(place, wanted, "{marked}");
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        check("^", 1, 1, "");
        check("{\n^", 2, 1, "");
        check("{\r\n \n  ^", 3, 3, "");
    }

    #[test]
    fn columns_count_characters() {
        check("[\"é😀\" ^", 1, 7, "/0");
    }

    #[test]
    fn the_pointer_leads_to_the_member() {
        check(r#"{"a": {"b": ^x"#, 1, 13, "/a/b");
        check(r#"{"a": {"b" ^x"#, 1, 12, "/a/b");
        check(r#"{"a": {"b": 1, ^"c": 2"#, 1, 16, "/a/c");
        check(r#"{"a": {"b": 1, ^x"#, 1, 16, "/a");
        check(r#"{"a": {"b": 1}, "c": ^["#, 1, 22, "/c");
    }

    #[test]
    fn the_pointer_leads_to_the_element() {
        check(r#"{"a": [1, {"x": [","]}, ^x"#, 1, 25, "/a/2");
    }

    #[test]
    fn the_pointer_is_escaped() {
        check(r#"{"a/b~\u0063": ^x"#, 1, 16, "/a~1b~0c");
    }

    #[test]
    fn a_long_pointer_is_cut() {
        let key = "é".repeat(300);
        let place = Place::find(format!(r#"{{"{key}": x"#).as_bytes(), 605);
        assert_eq!(place.path.chars().count(), 257);
        assert!(place.path.ends_with("é…"));
    }

    #[test]
    fn very_deep_nesting_has_no_pointer() {
        assert_eq!(Place::find(&vec![b'['; 1_000_000], 999_999).path, "");
    }

    #[test]
    fn keys_do_not_control_a_terminal() {
        let place = Place::find(br#"{"\u001b[2J": x"#, 14);
        assert_eq!(place.to_string(), r"line 1, column 15 (/\u{1b}[2J)");
    }
}
