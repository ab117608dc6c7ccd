//! Counts the elements of the member `Records` of a JSON text.

const RECORDS: &[u8] = b"Records";

/// The state machine that counts the elements of `Records`.
#[derive(Default)]
pub(in crate::kinesis) struct JsonTally {
    position: TallyPosition,
    /// The number of open objects and arrays.
    depth: usize,
    /// The end of `Records` that the last string has not matched yet. Empty if the string is
    /// `Records`, `None` if it is another string.
    unmatched: Option<&'static [u8]>,
    elements: ElementsPosition,
    count: usize,
}

#[derive(Clone, Copy, Default)]
enum TallyPosition {
    /// Before the object.
    #[default]
    Before,
    /// In the object, but in no string.
    OutsideString,
    InString,
    InEscape,
    /// After a value that is not an object.
    NotAnObject,
}

/// The position relative to the elements of `Records`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ElementsPosition {
    /// Outside `Records`.
    #[default]
    Outside,
    /// In `Records`, before an element.
    BeforeElement,
    /// In `Records`, in an element.
    InElement,
}

impl JsonTally {
    /// Returns the number of elements. `None` if the text is incomplete.
    pub(super) fn count(&self) -> Option<usize> {
        let is_complete = matches!(self.position, TallyPosition::OutsideString) && self.depth == 0;
        is_complete.then_some(self.count)
    }

    pub(super) fn add_chunk(&mut self, chunk: &[u8]) {
        for byte in chunk {
            self.add_byte(*byte);
        }
    }

    fn add_byte(&mut self, byte: u8) {
        match (self.position, byte) {
            (TallyPosition::NotAnObject, _)
            | (
                TallyPosition::Before | TallyPosition::OutsideString,
                b' ' | b'\n' | b'\r' | b'\t',
            ) => (),
            (TallyPosition::Before, b'{') => {
                self.position = TallyPosition::OutsideString;
                self.depth = 1;
            }
            (TallyPosition::Before, _) => self.position = TallyPosition::NotAnObject,
            (TallyPosition::OutsideString, token) => self.add_token(token),
            (TallyPosition::InString, b'"') => self.position = TallyPosition::OutsideString,
            (TallyPosition::InString, b'\\') => {
                self.position = TallyPosition::InEscape;
                self.unmatched = None;
            }
            (TallyPosition::InString, letter) => {
                self.unmatched = self.unmatched.and_then(|rest| rest.strip_prefix(&[letter]));
            }
            (TallyPosition::InEscape, _) => self.position = TallyPosition::InString,
        }
    }

    fn add_token(&mut self, token: u8) {
        match (self.elements, self.depth, token) {
            (ElementsPosition::BeforeElement | ElementsPosition::InElement, 2, b']') => {
                self.elements = ElementsPosition::Outside;
            }
            (ElementsPosition::InElement, 2, b',') => {
                self.elements = ElementsPosition::BeforeElement;
            }
            (ElementsPosition::BeforeElement, _, _) => {
                self.elements = ElementsPosition::InElement;
                self.count += 1;
            }
            // In valid JSON, the last string is the key of this array.
            (ElementsPosition::Outside, 1, b'[') if self.unmatched == Some(b"") => {
                self.elements = ElementsPosition::BeforeElement;
            }
            (ElementsPosition::Outside | ElementsPosition::InElement, _, _) => (),
        }
        match token {
            b'"' => {
                self.position = TallyPosition::InString;
                self.unmatched = Some(RECORDS);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => (),
        }
    }
}
