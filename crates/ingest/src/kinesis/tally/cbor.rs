//! Counts the elements of the member `Records` of a CBOR map.

use ciborium_ll::{Decoder, Header};

use crate::kinesis::cbor::MAX_DEPTH;

const RECORDS: &[u8] = b"Records";

/// The most bytes of a head: its type, and an argument of eight bytes.
const MAX_HEAD_BYTES: usize = 9;

/// The state machine that counts the elements of `Records`.
#[derive(Default)]
pub(in crate::kinesis) struct CborTally {
    state: CborState,
    /// The bytes of a head that is not complete yet.
    head: Vec<u8>,
    /// The bytes of the current string that have not come yet.
    string_left: usize,
    /// The open arrays, maps and strings in parts, the outermost first.
    open: Vec<OpenItem>,
    /// The end of `Records` that the last name of a member has not matched yet. Empty if the name is
    /// `Records`, `None` if it is another name.
    unmatched: Option<&'static [u8]>,
    count: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum CborState {
    #[default]
    Incomplete,
    Complete,
    Invalid,
}

/// An array, a map, or a string in parts.
#[derive(Clone, Copy)]
struct OpenItem {
    open_type: OpenType,
    /// The number of items that are left, if it was declared.
    left: Option<u64>,
    /// The number of items that have ended.
    ended: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenType {
    Records,
    Array,
    Map,
    Parts,
}

/// The place of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CborPlace {
    /// The name of a member of the call, or a part of the name.
    Name,
    /// The value of the member `Records`.
    Records,
    /// An element of `Records`.
    Element,
    Other,
}

impl CborTally {
    /// Returns the number of elements. `None` if the map is incomplete or invalid.
    pub(super) fn count(&self) -> Option<usize> {
        match self.state {
            CborState::Complete => Some(self.count),
            CborState::Incomplete | CborState::Invalid => None,
        }
    }

    pub(super) fn add_chunk(&mut self, mut chunk: &[u8]) {
        while let Some((first, rest)) = chunk.split_first() {
            if self.state != CborState::Incomplete {
                self.state = CborState::Invalid;
                return;
            }
            if self.string_left == 0 {
                self.add_head_byte(*first);
                chunk = rest;
            } else {
                let (part, rest) = chunk.split_at(std::cmp::min(self.string_left, chunk.len()));
                self.add_string_part(part);
                chunk = rest;
            }
        }
    }

    fn add_string_part(&mut self, part: &[u8]) {
        if self.place() == CborPlace::Name {
            self.unmatched = self.unmatched.and_then(|rest| rest.strip_prefix(part));
        }
        self.string_left -= part.len();
        if self.string_left == 0 {
            self.end_item();
        }
    }

    fn add_head_byte(&mut self, byte: u8) {
        self.head.push(byte);
        let argument_bytes = match self.head.first().map_or(0, |first| first & 0x1f) {
            24 => 1,
            25 => 2,
            26 => 4,
            27 => MAX_HEAD_BYTES - 1,
            _ => 0,
        };
        if self.head.len() <= argument_bytes {
            return;
        }
        let header = Decoder::from(self.head.as_slice()).pull();
        self.head.clear();
        match header {
            Ok(header) => self.add_item(header),
            Err(_invalid) => self.state = CborState::Invalid,
        }
    }

    fn add_item(&mut self, header: Header) {
        let place = self.place();
        match header {
            // A tag and an end mark are no items.
            Header::Tag(_) => return,
            Header::Break => return self.break_item(),
            _ if place == CborPlace::Element => self.count += 1,
            _ if place == CborPlace::Name && !self.is_in_parts() => {
                self.unmatched = matches!(header, Header::Text(_)).then_some(RECORDS);
            }
            _ => (),
        }
        match header {
            Header::Tag(_) | Header::Break => (),
            Header::Positive(_) | Header::Negative(_) | Header::Float(_) | Header::Simple(_) => {
                self.end_item();
            }
            Header::Bytes(Some(0)) | Header::Text(Some(0)) => self.end_item(),
            Header::Bytes(Some(length)) | Header::Text(Some(length)) => self.string_left = length,
            Header::Bytes(None) | Header::Text(None) => self.open(OpenType::Parts, None),
            Header::Array(length) => {
                let open_type = match place {
                    CborPlace::Records => OpenType::Records,
                    CborPlace::Name | CborPlace::Element | CborPlace::Other => OpenType::Array,
                };
                self.open(open_type, length.map(|length| length as u64));
            }
            Header::Map(length) => {
                let items = length.map(|length| (length as u64).saturating_mul(2));
                self.open(OpenType::Map, items);
            }
        }
    }

    /// Returns the place of the current item, or of the next item if there is no current one.
    fn place(&self) -> CborPlace {
        match self.open.as_slice() {
            [call]
            | [
                call,
                OpenItem {
                    open_type: OpenType::Parts,
                    ..
                },
            ] if call.open_type == OpenType::Map && call.ended % 2 == 0 => CborPlace::Name,
            [call] if call.open_type == OpenType::Map && self.unmatched == Some(b"") => {
                CborPlace::Records
            }
            [
                _,
                OpenItem {
                    open_type: OpenType::Records,
                    ..
                },
            ] => CborPlace::Element,
            _ => CborPlace::Other,
        }
    }

    fn is_in_parts(&self) -> bool {
        let last = self.open.last();
        last.is_some_and(|item| item.open_type == OpenType::Parts)
    }

    fn open(&mut self, open_type: OpenType, left: Option<u64>) {
        let is_call = self.open.is_empty();
        if self.open.len() == MAX_DEPTH || (is_call && open_type != OpenType::Map) {
            self.state = CborState::Invalid;
            return;
        }
        self.open.push(OpenItem {
            open_type,
            left,
            ended: 0,
        });
        if left == Some(0) {
            self.open.pop();
            self.end_item();
        }
    }

    /// Ends an item that has an end mark.
    fn break_item(&mut self) {
        match self.open.pop() {
            Some(item)
                if item.left.is_none()
                    && (item.open_type != OpenType::Map || item.ended % 2 == 0) =>
            {
                self.end_item();
            }
            Some(_) | None => self.state = CborState::Invalid,
        }
    }

    /// Notes that an item has ended. The item around it can end, too.
    fn end_item(&mut self) {
        while let Some(around) = self.open.last_mut() {
            around.ended += 1;
            let Some(left) = &mut around.left else {
                return;
            };
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        self.state = CborState::Complete;
    }
}
