//! Stores the bytes of an event in place, in the body of its request.
//!
//! A stored event is never longer than the sent one: white space is removed, `attributes` becomes
//! `metadata`, and base64 is decoded. So the stored bytes overwrite the sent bytes, and a request
//! needs no second copy of its events in memory.

use std::ops::Range;

use bytes::Bytes;

/// A range of a body, or separate bytes if they did not fit into the body.
#[derive(Debug)]
pub(crate) enum BodyPart {
    Within(Range<usize>),
    Own(Bytes),
}

impl BodyPart {
    /// Writes `bytes` over the range `sent` of `body`.
    pub(crate) fn write(body: &mut [u8], sent: Range<usize>, bytes: Bytes) -> Self {
        let range = sent.start..sent.start + bytes.len();
        match body.get_mut(range.clone()) {
            Some(target) if bytes.len() <= sent.len() => {
                target.copy_from_slice(&bytes);
                Self::Within(range)
            }
            Some(_) | None => Self::Own(bytes),
        }
    }

    /// Returns the bytes. `body` must be the body that they were written to.
    pub(crate) fn bytes(self, body: &Bytes) -> Bytes {
        match self {
            Self::Within(range) => body.slice(range),
            Self::Own(bytes) => bytes,
        }
    }
}

/// Returns the range of `part`, a slice of `body`, in `body`.
pub(crate) fn range_of(body: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - body.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_overwrite_the_sent_bytes_if_they_fit() {
        let mut body = b"[  {}  ]".to_vec();
        let sent = range_of(&body, &body[1..7]);
        let short = BodyPart::write(&mut body, sent, Bytes::from_static(b"{}"));
        let long = BodyPart::write(&mut body, 0..1, Bytes::from_static(b"long"));
        assert_eq!(body, b"[{}{}  ]");
        let body = Bytes::from(body);
        assert_eq!(short.bytes(&body), "{}");
        assert_eq!(long.bytes(&body), "long");
    }
}
