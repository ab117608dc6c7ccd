//! Stream names. There is one stream with many names.
//!
//! Any valid name leads to the log, so that a misspelt name loses no event. The names used since the
//! start are remembered, up to a limit, for tools that list streams.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use easel_catalog::Reach;

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

/// The names in use, by the reach of the callers that used them. Nobody sees a name that only others have used.
#[derive(Debug)]
pub(super) struct Streams {
    configured: StreamName,
    used: Mutex<HashMap<Reach, BTreeSet<StreamName>>>,
}

impl Streams {
    /// Creates the list with the `configured` name, which everybody sees.
    pub(super) fn new(configured: String) -> Self {
        Self {
            configured: StreamName(configured),
            used: Mutex::default(),
        }
    }

    /// Adds a name that a caller with this reach has used, unless there are too many names.
    pub(super) fn remember(&self, reach: &Reach, name: StreamName) {
        let mut used = self.used();
        let names = used.entry(reach.clone()).or_default();
        if names.len() < MAX_NAMES {
            names.insert(name);
        }
    }

    /// Returns at most `limit` names after `start` that a caller with this reach may see, in order, and whether
    /// there are more.
    pub(super) fn list_after(
        &self,
        reach: &Reach,
        start: &str,
        limit: usize,
    ) -> (Vec<StreamName>, bool) {
        let used = self.used();
        let seen = used.iter().filter(|(owner, _)| reach.includes(owner));
        let names = seen.flat_map(|(_, names)| names);
        let names: BTreeSet<_> = names.chain([&self.configured]).collect();
        let mut rest = names.into_iter().filter(|name| *name.0 > *start).cloned();
        let page = rest.by_ref().take(limit).collect();
        (page, rest.next().is_some())
    }

    fn used(&self) -> MutexGuard<'_, HashMap<Reach, BTreeSet<StreamName>>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
