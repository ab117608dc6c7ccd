//! JSON written piece by piece, with what turns out to have no value taken back.

/// JSON in the making.
#[derive(Debug, Default)]
pub(crate) struct JsonWriter {
    out: Vec<u8>,
}

impl JsonWriter {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes bytes that are JSON, or a part of it.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes a member, unless `value` says that there is none. `key` is quoted and has its colon.
    pub(crate) fn member(&mut self, key: &str, value: impl FnOnce(&mut Self) -> bool) -> bool {
        let mark = self.out.len();
        if !self.out.ends_with(b"{") {
            self.out.push(b',');
        }
        self.raw(key.as_bytes());
        let is_there = value(self);
        if !is_there {
            self.out.truncate(mark);
        }
        is_there
    }

    /// Writes an object, unless nothing is in it.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) -> bool {
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

    /// Writes a member that is always there and needs no escaping.
    pub(crate) fn plain(&mut self, key: &str, text: &str) {
        self.member(key, |out| {
            out.raw(b"\"");
            out.raw(text.as_bytes());
            out.raw(b"\"");
            true
        });
    }

    /// Where the next byte will be.
    pub(crate) fn mark(&self) -> usize {
        self.out.len()
    }

    /// What was written since `mark`.
    pub(crate) fn since(&self, mark: usize) -> &[u8] {
        self.out.get(mark..).unwrap_or_default()
    }

    /// Takes back everything since `mark`.
    pub(crate) fn take_back(&mut self, mark: usize) {
        self.out.truncate(mark);
    }
}
