//! Reads a JSON text into a tree.
//!
//! There are two trees. [`Json`](crate::Json) keeps everything that the text says. `serde_json::Value`
//! is easier to use, but it rejects some texts.

use serde_json::{Map, Number, Value};

use crate::Fault;
use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::raw_text::RawText;
use crate::scanner::{Container, Scanner};

/// A tree that a JSON text can be read into. A method returns `None` for a value that the tree cannot
/// hold.
pub(crate) trait JsonTree: Sized {
    /// The members of an object that is not complete yet.
    type Members: Default;

    /// Makes a value from `null`, `true`, `false` or a number.
    fn scalar(scalar: &[u8]) -> Option<Self>;

    fn string(text: RawText<'_>) -> Option<Self>;

    fn array(elements: Vec<Self>) -> Self;

    fn add(members: &mut Self::Members, key: RawText<'_>, value: Self) -> Result<(), TextFault>;

    fn object(members: Self::Members) -> Self;
}

/// Why a tree does not accept a key or a string.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextFault {
    DuplicateKey,
    UnpairedSurrogate,
}

/// Reads a JSON text into a `Value`. Members keep their order.
///
/// # Errors
///
/// Returns an error if the input is not UTF-8 or not JSON, if it nests objects and arrays more than
/// `max_depth` levels deep, if it has more than `max_values` values, or if a key appears twice in
/// an object. `Value` has no numbers outside of the range of `f64` and no unpaired surrogates, so
/// these are errors too.
pub fn read_value(input: &[u8], max_depth: usize, max_values: usize) -> Result<Value, Fault> {
    read_tree(input, max_depth, max_values)
}

/// Reads a JSON text with at most `max_values` values.
pub(crate) fn read_tree<T: JsonTree>(
    input: &[u8],
    max_depth: usize,
    max_values: usize,
) -> Result<T, Fault> {
    let read = || {
        if let Err(error) = str::from_utf8(input) {
            let message = "the bytes must be UTF-8";
            return Err(Flaw::new(FaultCode::NotUtf8, error.valid_up_to(), message));
        }
        let mut reader = TreeReader {
            scanner: Scanner::new(input, max_depth),
            max_values,
            value_count: 0,
        };
        reader.scanner.begin()?;
        let tree = reader.value()?;
        reader.scanner.end()?;
        Ok(tree)
    };
    read().map_err(|flaw: Flaw| flaw.in_input(input))
}

struct TreeReader<'a> {
    scanner: Scanner<'a>,
    max_values: usize,
    value_count: usize,
}

impl TreeReader<'_> {
    /// Reads the value that starts here. The scanner limits the depth of the recursion.
    fn value<T: JsonTree>(&mut self) -> Result<T, Flaw> {
        let start = self.scanner.at();
        self.value_count += 1;
        if self.value_count > self.max_values {
            let message = format!("there must not be more than {} values", self.max_values);
            return Err(Flaw::new(FaultCode::TooLarge, start, message));
        }
        match self.scanner.peek() {
            Some(b'{') => {
                let mut members = T::Members::default();
                let mut has_more = self.scanner.enter(Container::Object)?;
                while has_more {
                    let key = self.scanner.key()?;
                    self.scanner.colon()?;
                    let value = self.value()?;
                    T::add(&mut members, key, value).map_err(|fault| fault.at(key))?;
                    has_more = self.scanner.advance()?;
                }
                Ok(T::object(members))
            }
            Some(b'[') => {
                let mut elements = Vec::new();
                let mut has_more = self.scanner.enter(Container::Array)?;
                while has_more {
                    elements.push(self.value()?);
                    has_more = self.scanner.advance()?;
                }
                Ok(T::array(elements))
            }
            Some(b'"') => {
                let text = self.scanner.string()?;
                T::string(text).ok_or_else(|| TextFault::UnpairedSurrogate.at(text))
            }
            _ => {
                self.scanner.value()?;
                T::scalar(self.scanner.since(start)).ok_or_else(|| {
                    Flaw::new(FaultCode::Syntax, start, "the number is out of range")
                })
            }
        }
    }
}

impl TextFault {
    fn at(self, text: RawText<'_>) -> Flaw {
        let (code, message) = match self {
            Self::DuplicateKey => {
                let message = "the key must not appear twice in its object";
                (FaultCode::DuplicateKey, message)
            }
            Self::UnpairedSurrogate => {
                let message = "the text must not have an unpaired surrogate";
                (FaultCode::Syntax, message)
            }
        };
        Flaw::new(code, text.at, message)
    }
}

impl JsonTree for Value {
    type Members = Map<String, Self>;

    fn scalar(scalar: &[u8]) -> Option<Self> {
        Some(match scalar {
            b"null" => Self::Null,
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            number => str::from_utf8(number).ok()?.parse::<Number>().ok()?.into(),
        })
    }

    fn string(text: RawText<'_>) -> Option<Self> {
        Some(Self::String(text.decode()?.into_owned()))
    }

    fn array(elements: Vec<Self>) -> Self {
        Self::Array(elements)
    }

    fn add(members: &mut Self::Members, key: RawText<'_>, value: Self) -> Result<(), TextFault> {
        let key = key.decode().ok_or(TextFault::UnpairedSurrogate)?;
        match members.insert(key.into_owned(), value) {
            None => Ok(()),
            Some(_first) => Err(TextFault::DuplicateKey),
        }
    }

    fn object(members: Self::Members) -> Self {
        Self::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_equals_the_value_that_serde_json_reads() {
        let json = r#"{"a":[1,-2,3.5,"\u00e9",null,true,1e3,18446744073709551615],"b":{"a":{}}}"#;
        let value = read_value(json.as_bytes(), 8, 100).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn duplicates_excess_and_invalid_values_are_rejected_with_their_place() {
        let fault = |json: &str| read_value(json.as_bytes(), 3, 4).unwrap_err().to_string();
        assert_eq!(
            fault(r#"{"a":1,"a":1}"#),
            "the key must not appear twice in its object, at line 1, column 8 (/a)"
        );
        assert!(fault("[7,7,7,7]").starts_with("there must not be more than 4 values, at"));
        assert!(fault("{} {}").starts_with("there must be no data after the JSON value"));
        assert!(fault("[[[[]]]]").starts_with("the nesting must not be deeper"));
        assert!(fault("1e400").starts_with("the number is out of range"));
        assert!(fault(r#""\ud800""#).starts_with("the text must not have an unpaired surrogate"));
    }
}
