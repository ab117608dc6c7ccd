//! Reads the items of a body one after another.

use std::borrow::Cow;

use ciborium_ll::{Decoder, Error, Header};

use super::error::CborError;

/// The most open tags, arrays and maps. The limit of JSON is the same.
pub(in crate::kinesis) const MAX_DEPTH: usize = 128;

/// The mark at the end of an array, a map or a string without a declared length.
const BREAK: u8 = 0xff;

/// A body, and the place in it.
#[derive(Debug)]
pub(super) struct CborReader<'a> {
    body: &'a [u8],
    position: usize,
    item_start: usize,
    depth: usize,
}

/// The two types of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StringType {
    Bytes,
    Text,
}

impl<'a> CborReader<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            position: 0,
            item_start: 0,
            depth: 0,
        }
    }

    /// Returns the position of the last item that was started.
    pub(super) const fn item_start(&self) -> usize {
        self.item_start
    }

    /// Returns an error at the last item.
    pub(super) fn error(&self, message: &str) -> CborError {
        CborError::at(self.item_start, message)
    }

    /// Returns the next byte without reading it.
    pub(super) fn peek(&self) -> Option<u8> {
        self.body.get(self.position).copied()
    }

    /// Reads the head of the next item.
    pub(super) fn head(&mut self) -> Result<Header, CborError> {
        self.item_start = self.position;
        let mut decoder = Decoder::from(self.body.get(self.position..).unwrap_or_default());
        match decoder.pull() {
            Ok(header) => {
                self.position += decoder.offset();
                Ok(header)
            }
            Err(Error::Io(_end)) => Err(self.error("the body ends too early")),
            Err(Error::Syntax(_position)) => Err(self.error("an item has an unknown type")),
        }
    }

    /// Runs `read` for an item within another one.
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, CborError>,
    ) -> Result<T, CborError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("items are nested too deeply"));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// Returns whether an array or a map has another item, or another pair. `left` is the number of items that it
    /// has yet to read, if the length was declared. Reads the end mark otherwise.
    pub(super) fn has_next(&mut self, left: &mut Option<usize>) -> bool {
        match left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None if self.peek() == Some(BREAK) => {
                self.position += 1;
                *left = Some(0);
                false
            }
            None => true,
        }
    }

    /// Reads the content of a byte string. A string without a declared length is a sequence of parts.
    pub(super) fn bytes(&mut self, length: Option<usize>) -> Result<Cow<'a, [u8]>, CborError> {
        self.string(StringType::Bytes, length)
    }

    /// Reads the content of a text.
    pub(super) fn text(&mut self, length: Option<usize>) -> Result<Cow<'a, str>, CborError> {
        let start = self.item_start;
        let text = match self.string(StringType::Text, length)? {
            Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        };
        text.ok_or_else(|| CborError::at(start, "a text is not UTF-8"))
    }

    fn string(
        &mut self,
        string_type: StringType,
        length: Option<usize>,
    ) -> Result<Cow<'a, [u8]>, CborError> {
        if let Some(length) = length {
            return self.take(length).map(Cow::Borrowed);
        }
        // The first pass finds the length, so that the memory is not larger than the string.
        let start = self.position;
        let mut total = 0;
        while let Some(part) = self.part(string_type)? {
            total += part.len();
        }
        self.position = start;
        let mut joined = Vec::with_capacity(total);
        while let Some(part) = self.part(string_type)? {
            joined.extend_from_slice(part);
        }
        Ok(Cow::Owned(joined))
    }

    /// Reads the next part of a string. Returns `None` at its end.
    fn part(&mut self, string_type: StringType) -> Result<Option<&'a [u8]>, CborError> {
        let length = match (self.head()?, string_type) {
            (Header::Break, _) => return Ok(None),
            (Header::Bytes(Some(length)), StringType::Bytes)
            | (Header::Text(Some(length)), StringType::Text) => length,
            _ => return Err(self.error("a part of a string has another type")),
        };
        self.take(length).map(Some)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CborError> {
        let end = self.position.checked_add(length);
        let taken = end.and_then(|end| self.body.get(self.position..end));
        let taken = taken.ok_or_else(|| self.error("a string is longer than the body"))?;
        self.position += length;
        Ok(taken)
    }

    /// Skips an item. Returns the number of bytes of its strings in parts.
    pub(super) fn skip_item(&mut self) -> Result<usize, CborError> {
        match self.head()? {
            Header::Positive(_) | Header::Negative(_) | Header::Float(_) | Header::Simple(_) => {
                Ok(0)
            }
            Header::Break => Err(self.unexpected_break()),
            Header::Bytes(Some(length)) => self.bytes(Some(length)).map(|_borrowed| 0),
            Header::Text(Some(length)) => self.text(Some(length)).map(|_borrowed| 0),
            Header::Bytes(None) => self.skip_parts(StringType::Bytes),
            Header::Text(None) => self.skip_parts(StringType::Text),
            Header::Tag(_) => self.nested(Self::skip_item),
            Header::Array(left) => self.nested(|reader| reader.skip_items(left, 1)),
            Header::Map(left) => self.nested(|reader| reader.skip_items(left, 2)),
        }
    }

    fn skip_items(
        &mut self,
        mut left: Option<usize>,
        items_at_once: usize,
    ) -> Result<usize, CborError> {
        let mut copied_bytes = 0;
        while self.has_next(&mut left) {
            for _ in 0..items_at_once {
                copied_bytes += self.skip_item()?;
            }
        }
        Ok(copied_bytes)
    }

    fn skip_parts(&mut self, string_type: StringType) -> Result<usize, CborError> {
        let mut copied_bytes = 0;
        while let Some(part) = self.part(string_type)? {
            copied_bytes += part.len();
        }
        Ok(copied_bytes)
    }

    pub(super) fn unexpected_break(&self) -> CborError {
        self.error("an end mark stands where an item must be")
    }

    /// Rejects a body with more bytes after its item.
    pub(super) fn check_end(&self) -> Result<(), CborError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => {
                let message = "the body has more than one item";
                Err(CborError::at(self.position, message))
            }
        }
    }
}
