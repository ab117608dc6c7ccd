//! What a call lacks, or has outside its bounds: all of it, in one `ValidationException`.
//!
//! The rules are those that the API reference of Amazon Kinesis Data Streams gives for each member.

use std::ops::RangeInclusive;

use super::error::KinesisError;
use super::stream::StreamName;

/// How much of a value is repeated to its sender, in characters.
const MAX_SHOWN_CHARS: usize = 128;

/// Names of streams and shards are `[a-zA-Z0-9_.-]+`, of at most 128 characters.
pub(super) fn is_name(text: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(is_valid)
}

/// The constraints that a call does not satisfy.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// Adds that `member`, which is `shown`, does not satisfy `constraint`.
    pub(super) fn add(&mut self, member: &str, shown: &str, constraint: &str) {
        self.0.push(format!(
            "Value {shown} at '{member}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    /// Requires a member.
    pub(super) fn require<T>(&mut self, member: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(member, "null", "not be null");
        }
        value
    }

    /// Requires a number, if there is one, to be in `range`.
    pub(super) fn require_range(
        &mut self,
        member: &str,
        value: Option<i64>,
        range: &RangeInclusive<i64>,
    ) {
        let Some(value) = value.filter(|value| !range.contains(value)) else {
            return;
        };
        let constraint = if value < *range.start() {
            format!("have value greater than or equal to {}", range.start())
        } else {
            format!("have value less than or equal to {}", range.end())
        };
        self.add(member, &format!("'{value}'"), &constraint);
    }

    /// Requires a text, if there is one, to be the name of a stream or of a shard.
    pub(super) fn require_name(&mut self, member: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !is_name(value)) {
            let constraint = "satisfy regular expression pattern: [a-zA-Z0-9_.-]{1,128}";
            self.add(member, &quoted(value), constraint);
        }
    }

    /// Requires the name of a stream, by itself or at the end of an ARN.
    pub(super) fn require_stream(
        &mut self,
        name: Option<&str>,
        arn: Option<&str>,
    ) -> Option<StreamName> {
        match (name, arn) {
            (Some(name), _) => {
                self.require_name("streamName", Some(name));
                StreamName::read(name)
            }
            (None, Some(arn)) => {
                let stream = StreamName::read_arn(arn);
                if stream.is_none() {
                    let constraint =
                        "satisfy regular expression pattern: arn:aws.*:kinesis:.*:stream/NAME";
                    self.add("streamARN", &quoted(arn), constraint);
                }
                stream
            }
            (None, None) => {
                self.add(
                    "streamName",
                    "null",
                    "not be null, unless streamARN is given",
                );
                None
            }
        }
    }

    /// Refuses the call if there are any.
    pub(super) fn check(self) -> Result<(), KinesisError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into())
        }
    }
}

/// A value as messages show it.
pub(super) fn quoted(value: &str) -> String {
    let shown: String = value.chars().take(MAX_SHOWN_CHARS).collect();
    format!("'{shown}'")
}

impl From<Violations> for KinesisError {
    fn from(Violations(all): Violations) -> Self {
        let errors = if all.len() == 1 { "error" } else { "errors" };
        Self::validation(format!(
            "{} validation {errors} detected: {}",
            all.len(),
            all.join("; ")
        ))
    }
}
