//! JSON written piece by piece, without a tree.
//!
//! Two styles: closures, where a member without a value is taken back ([`JsonWriter::member`],
//! [`JsonWriter::object`]), and single calls ([`JsonWriter::begin`], [`JsonWriter::field`],
//! [`JsonWriter::end`]).

use serde::Serialize;

/// A JSON text that grows.
#[derive(Debug, Default)]
pub struct JsonWriter {
    out: Vec<u8>,
}

impl JsonWriter {
    /// Creates an empty text with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
        }
    }

    /// Returns the text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Appends bytes that are JSON, or a part of it.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends a member, unless `value` returns false. `key` is quoted and has its colon.
    #[inline]
    pub fn member(&mut self, key: &str, value: impl FnOnce(&mut Self) -> bool) -> bool {
        let mark = self.out.len();
        if !self.out.ends_with(b"{") {
            self.out.push(b',');
        }
        self.raw(key.as_bytes());
        let has_value = value(self);
        if !has_value {
            self.out.truncate(mark);
        }
        has_value
    }

    /// Appends an object, unless it stays empty. Returns whether it has members.
    #[inline]
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) -> bool {
        let mark = self.out.len();
        self.out.push(b'{');
        members(self);
        if self.out.len() == mark + 1 {
            self.out.truncate(mark);
            return false;
        }
        self.out.push(b'}');
        true
    }

    /// Appends a member whose value is a string that needs no escapes.
    #[inline]
    pub fn plain(&mut self, key: &str, text: &str) {
        self.member(key, |out| {
            out.raw(b"\"");
            out.raw(text.as_bytes());
            out.raw(b"\"");
            true
        });
    }

    /// Returns the position of the next byte.
    #[inline]
    pub fn mark(&self) -> usize {
        self.out.len()
    }

    /// Returns the bytes since `mark`.
    #[inline]
    pub fn since(&self, mark: usize) -> &[u8] {
        self.out.get(mark..).unwrap_or_default()
    }

    /// Removes all bytes since `mark`.
    #[inline]
    pub fn take_back(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    /// Begins an object: as the value of `key`, or as the whole text.
    pub fn begin(&mut self, key: Option<&str>) {
        if let Some(key) = key {
            self.key(key);
        }
        self.out.push(b'{');
    }

    /// Ends the object that was begun last.
    pub fn end(&mut self) {
        self.out.push(b'}');
    }

    /// Appends a member, with the escapes that `key` and `value` need.
    pub fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        self.key(key);
        self.value(value);
    }

    fn key(&mut self, key: &str) {
        if !self.out.ends_with(b"{") && !self.out.is_empty() {
            self.out.push(b',');
        }
        self.value(key);
        self.out.push(b':');
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Strings and JSON trees always serialise, and memory always takes the bytes.
        if serde_json::to_writer(&mut self.out, value).is_err() {}
    }
}
