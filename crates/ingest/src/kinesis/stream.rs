//! Stream names. There is one stream with many names.
//!
//! Any valid name leads to the log, so that a misspelt name loses no event. The names used since the
//! start are remembered, up to a limit, for tools that list streams.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

const ARN_PREFIX: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/";
const MAX_NAMES: usize = 1_000;

/// Returns whether `text` is a valid name of a stream or shard: `[a-zA-Z0-9_.-]{1,128}`.
pub(super) fn is_name(text: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(is_valid)
}

/// A valid name for the stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamName(String);

impl StreamName {
    /// Parses a name. `None` if it is invalid.
    pub(super) fn parse(name: &str) -> Option<Self> {
        is_name(name).then(|| Self(name.to_owned()))
    }

    /// Parses the name at the end of an ARN.
    pub(super) fn parse_arn(arn: &str) -> Option<Self> {
        Self::parse(arn.strip_prefix("arn:")?.split_once(":stream/")?.1)
    }

    /// Returns the ARN of the stream. Account and region are invented.
    pub(super) fn arn(&self) -> String {
        format!("{ARN_PREFIX}{}", self.0)
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
    /// Creates the list with the `configured` name.
    pub(super) fn new(configured: String) -> Self {
        Self(Mutex::new(BTreeSet::from([StreamName(configured)])))
    }

    /// Adds a name, unless there are too many names.
    pub(super) fn remember(&self, name: StreamName) {
        let mut names = self.names();
        if names.len() < MAX_NAMES {
            names.insert(name);
        }
    }

    /// Returns at most `limit` names after `start`, in order, and whether there are more.
    pub(super) fn list_after(&self, start: &str, limit: usize) -> (Vec<StreamName>, bool) {
        let names = self.names();
        let mut rest = names.iter().filter(|name| *name.0 > *start).cloned();
        let page = rest.by_ref().take(limit).collect();
        (page, rest.next().is_some())
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<StreamName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
