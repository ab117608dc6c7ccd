//! The body of a part: records, each after a line of JSON that says where it comes from.
//!
//! ```text
//! {"at":0,"length":57}
//! {"metadata":{…},"body":{…}}
//! {"at":58,"length":61,"event_name":"course_created"}
//! …
//! ```
//!
//! The length counts the bytes between the two line breaks, so a record may be any bytes.

use std::ops::Range;

use serde::Deserialize;
use thiserror::Error;

/// The line before a record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrameHeadJson {
    /// The first byte of the record in the uncompressed text of the file.
    pub(super) at: u64,
    /// The number of bytes that follow.
    length: usize,
    /// The event name that came with the record, such as the attribute of a message of SQS.
    pub(super) event_name: Option<String>,
    /// When the source accepted the message, in milliseconds since 1970.
    pub(super) sent_at: Option<i64>,
    /// The size of the record, if it is too large and only its beginning follows.
    pub(super) total_length: Option<u64>,
}

/// A record of a part.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) head: FrameHeadJson,
    /// The place of the record in the body.
    pub(super) range: Range<usize>,
}

/// Why the body of a part is invalid.
#[derive(Debug, Error)]
pub(super) enum FrameFault {
    #[error("the line at byte {byte} of the part is not the head of a record")]
    BadHead { byte: usize },
    #[error("the record at byte {byte} of the part does not have the length of its head")]
    BadLength { byte: usize },
    #[error("`at` must rise from record to record and be in the part; it does not at byte {byte}")]
    BadPlace { byte: usize },
    #[error("the part has more than {max} records")]
    TooMany { max: usize },
}

/// Finds the records in `body`. Their places must rise and be at or after `start`.
pub(super) fn frames(body: &[u8], start: u64, max: usize) -> Result<Vec<Frame>, FrameFault> {
    let mut frames: Vec<Frame> = Vec::new();
    let (mut byte, mut least) = (0, start);
    while let Some(rest) = body.get(byte..).filter(|rest| !rest.is_empty()) {
        if frames.len() == max {
            return Err(FrameFault::TooMany { max });
        }
        let bad_head = FrameFault::BadHead { byte };
        let Some(line) = memchr::memchr(b'\n', rest) else {
            return Err(bad_head);
        };
        let head = rest.get(..line).unwrap_or_default();
        let Ok(head) = serde_json::from_slice::<FrameHeadJson>(head) else {
            return Err(bad_head);
        };
        if head.at < least {
            return Err(FrameFault::BadPlace { byte });
        }
        least = head.at + 1;
        let first = byte + line + 1;
        let bad_length = FrameFault::BadLength { byte: first };
        let Some(end) = first.checked_add(head.length) else {
            return Err(bad_length);
        };
        if body.get(end) != Some(&b'\n') {
            return Err(bad_length);
        }
        frames.push(Frame {
            head,
            range: first..end,
        });
        byte = end + 1;
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, wanted: Result<&[(u64, &str)], &str>) {
        let found = frames(body.as_bytes(), 5, 3).map_err(|fault| fault.to_string());
        let found = found.map(|frames| {
            let record = |frame: Frame| (frame.head.at, body.get(frame.range).unwrap().to_owned());
            frames.into_iter().map(record).collect::<Vec<_>>()
        });
        let found = found.as_ref().map(|frames| {
            let record = |(at, text): &(u64, String)| (*at, text.clone());
            frames.iter().map(record).collect::<Vec<_>>()
        });
        match (found, wanted) {
            (Ok(found), Ok(wanted)) => {
                let wanted: Vec<_> = wanted
                    .iter()
                    .map(|(at, t)| (*at, (*t).to_owned()))
                    .collect();
                assert_eq!(found, wanted);
            }
            (Err(found), Err(wanted)) => assert!(found.contains(wanted), "{found}"),
            (found, wanted) => panic!("{body:?}: {found:?}, not {wanted:?}"),
        }
    }

    #[test]
    fn records_are_found_by_their_lengths() {
        check("", Ok(&[]));
        let body = "{\"at\":5,\"length\":3}\na\nb\n{\"at\":9,\"length\":0}\n\n";
        check(body, Ok(&[(5, "a\nb"), (9, "")]));
    }

    #[test]
    fn a_body_that_is_not_a_part_is_refused() {
        check("{}\n{}\n", Err("byte 0 of the part is not the head"));
        check("{\"at\":5,\"length\":3}", Err("not the head"));
        check(
            "{\"at\":5,\"length\":3}\nab\n",
            Err("byte 20 of the part does not have"),
        );
        check(
            "{\"at\":5,\"length\":18446744073709551615}\nab\n",
            Err("does not have"),
        );
        check("{\"at\":4,\"length\":0}\n\n", Err("must rise"));
        check(
            "{\"at\":5,\"length\":0}\n\n{\"at\":5,\"length\":0}\n\n",
            Err("must rise"),
        );
        let record = |at| format!("{{\"at\":{at},\"length\":0}}\n\n");
        let four: String = (5..9).map(record).collect();
        check(&four, Err("more than 3 records"));
    }
}
