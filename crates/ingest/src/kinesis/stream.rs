//! Streams, of which there is only one by many names.
//!
//! Any valid name leads to the log, so that no event is lost to a name misspelt. The names used
//! since the start are remembered for the tools that list them, up to a bound.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::KinesisError;

const PATTERN: &str = "satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/";
const MAX_NAMES: usize = 1_000;

/// A valid name for the stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamName(String);

impl StreamName {
    /// The name a request gives, by itself or at the end of an ARN.
    pub(super) fn of(name: Option<&str>, arn: Option<&str>) -> Result<Self, KinesisError> {
        let in_arn = |arn: &str| {
            let name = arn.strip_prefix("arn:")?.split_once(":stream/")?.1;
            Some(name.to_owned())
        };
        match (name, arn) {
            (Some(name), _) => Self::check(name.to_owned(), "streamName", name),
            (None, Some(arn)) => Self::check(in_arn(arn).unwrap_or_default(), "streamARN", arn),
            (None, None) => Err(KinesisError::invalid_argument(
                "StreamName or StreamARN is needed",
            )),
        }
    }

    fn check(name: String, member: &str, value: &str) -> Result<Self, KinesisError> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if (1..=128).contains(&name.len()) && name.bytes().all(valid) {
            Ok(Self(name))
        } else {
            Err(KinesisError::validation(
                &format!("'{value}'"),
                member,
                PATTERN,
            ))
        }
    }

    /// The ARN that names it; account and region are made up.
    pub(super) fn arn(&self) -> String {
        format!("{ARN}{}", self.0)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names in use.
#[derive(Debug)]
pub(super) struct Streams(Mutex<BTreeSet<StreamName>>);

impl Streams {
    /// Remembers `first`, which is in use as soon as it is configured.
    pub(super) fn new(first: String) -> Self {
        Self(Mutex::new(BTreeSet::from([StreamName(first)])))
    }

    /// Remembers a name, unless there are too many.
    pub(super) fn remember(&self, name: StreamName) {
        let mut names = self.names();
        if names.len() < MAX_NAMES {
            names.insert(name);
        }
    }

    /// The names after `start`, in order.
    pub(super) fn list_after(&self, start: &str) -> Vec<StreamName> {
        self.names()
            .iter()
            .filter(|name| *name.0 > *start)
            .cloned()
            .collect()
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<StreamName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
