//! JSON objects written member by member.

use serde::Serialize;
use serde_json::Value;

/// JSON in the making.
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    out: Vec<u8>,
}

impl ObjectWriter {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
        }
    }

    /// Begins an object, as the value of `key` where there is one.
    pub(crate) fn begin(&mut self, key: Option<&str>) {
        if let Some(key) = key {
            self.key(key);
        }
        self.out.push(b'{');
    }

    pub(crate) fn end(&mut self) {
        self.out.push(b'}');
    }

    pub(crate) fn member(&mut self, key: &str, value: &Value) {
        self.key(key);
        self.value(value);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn key(&mut self, key: &str) {
        if !self.out.ends_with(b"{") && !self.out.is_empty() {
            self.out.push(b',');
        }
        self.value(key);
        self.out.push(b':');
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Neither a text nor a tree of JSON fails, and writing to memory does not.
        if serde_json::to_writer(&mut self.out, value).is_err() {}
    }
}
