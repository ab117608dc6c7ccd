//! JSON written piece by piece, without a tree.
//!
//! There are two styles. With closures ([`JsonWriter::member`], [`JsonWriter::object`]), a member without
//! a value is removed again. With single calls ([`JsonWriter::begin`], [`JsonWriter::field`],
//! [`JsonWriter::end`]), every member stays.

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

    /// Appends a member, unless `value` returns false. `key` must be in quotes and end with its colon.
    #[inline]
    pub fn member(&mut self, key: &str, value: impl FnOnce(&mut Self) -> bool) -> bool {
        let start = self.out.len();
        if !self.out.ends_with(b"{") {
            self.out.push(b',');
        }
        self.raw(key.as_bytes());
        let has_value = value(self);
        if !has_value {
            self.out.truncate(start);
        }
        has_value
    }

    /// Appends an object, unless it stays empty. Returns whether it has members.
    #[inline]
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) -> bool {
        let start = self.out.len();
        self.out.push(b'{');
        members(self);
        if self.out.len() == start + 1 {
            self.out.truncate(start);
            return false;
        }
        self.out.push(b'}');
        true
    }

    /// Appends a member whose value is a string that needs no escapes. `key` is as for
    /// [`member`](Self::member).
    #[inline]
    pub fn plain_member(&mut self, key: &str, text: &str) {
        self.member(key, |out| {
            out.raw(b"\"");
            out.raw(text.as_bytes());
            out.raw(b"\"");
            true
        });
    }

    /// Returns the position of the next byte.
    #[inline]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Returns the bytes since the position `start`.
    #[inline]
    pub fn since(&self, start: usize) -> &[u8] {
        self.out.get(start..).unwrap_or_default()
    }

    /// Removes all bytes since the position `start`.
    #[inline]
    pub fn truncate(&mut self, start: usize) {
        self.out.truncate(start);
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

    /// Appends a member, with the escapes that `key` and `value` need. `value` must be a string or a JSON
    /// tree.
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
        #[expect(
            clippy::expect_used,
            reason = "strings and JSON trees always serialise, and memory takes all bytes"
        )]
        serde_json::to_writer(&mut self.out, value).expect("a string or a JSON tree");
    }
}
