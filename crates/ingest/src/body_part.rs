//! Bytes of an event, where its request brought them.
//!
//! An event as it is stored is never longer than it was sent: white space goes, `attributes`
//! becomes `metadata`, base64 becomes bytes. So it is written over what was sent, and a request
//! needs no second copy of its events in memory.

use std::ops::Range;

use bytes::Bytes;

/// Bytes of a body, or bytes of their own where they did not fit into it.
#[derive(Debug)]
pub(crate) enum BodyPart {
    Within(Range<usize>),
    Own(Bytes),
}

impl BodyPart {
    /// Writes `bytes` over the `sent` part of `body`.
    pub(crate) fn write(body: &mut [u8], sent: Range<usize>, bytes: Bytes) -> Self {
        let range = sent.start..sent.start + bytes.len();
        match body.get_mut(range.clone()) {
            Some(place) if bytes.len() <= sent.len() => {
                place.copy_from_slice(&bytes);
                Self::Within(range)
            }
            Some(_) | None => Self::Own(bytes),
        }
    }

    /// The bytes, given the body that they were written to.
    pub(crate) fn bytes(self, body: &Bytes) -> Bytes {
        match self {
            Self::Within(range) => body.slice(range),
            Self::Own(bytes) => bytes,
        }
    }
}

/// Where in `body` its `part` is.
pub(crate) fn range_of(body: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - body.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_over_what_was_sent_or_stay_their_own() {
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
