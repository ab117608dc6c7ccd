//! Collects all missing and invalid members of a call for one `ValidationException`.
//!
//! The rules come from the API reference of Amazon Kinesis Data Streams.

use std::ops::RangeInclusive;

use super::error::KinesisError;
use super::stream::{StreamName, is_name};

/// The most characters of a value in a message.
const MAX_SHOWN_CHARS: usize = 128;

/// The violated constraints of a call.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// Adds a violation: `member` with the value `shown` violates `constraint`.
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

    /// Checks that an optional number is in `range`.
    pub(super) fn check_range(
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

    /// Checks that an optional string is a valid name of a stream or shard.
    pub(super) fn check_name(&mut self, member: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !is_name(value)) {
            let constraint = "satisfy regular expression pattern: [a-zA-Z0-9_.-]{1,128}";
            self.add(member, &quoted(value), constraint);
        }
    }

    /// Requires the name of a stream, alone or at the end of an ARN.
    pub(super) fn require_stream(
        &mut self,
        name: Option<&str>,
        arn: Option<&str>,
    ) -> Option<StreamName> {
        match (name, arn) {
            (Some(name), _) => {
                self.check_name("streamName", Some(name));
                StreamName::parse(name)
            }
            (None, Some(arn)) => {
                let stream = StreamName::parse_arn(arn);
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

    /// Rejects the call if there are violations.
    pub(super) fn check(self) -> Result<(), KinesisError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into())
        }
    }
}

/// Quotes a value for a message.
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
