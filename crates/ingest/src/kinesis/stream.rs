//! Streams, of which there is only one by many names.
//!
//! Any valid name leads to the log, so that no event is lost to a name misspelt. The names used
//! since the start are remembered for the tools that list them, up to a bound.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::violations::is_name;

const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/";
const MAX_NAMES: usize = 1_000;

/// A valid name for the stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamName(String);

impl StreamName {
    /// Reads a name; `None` when it is none.
    pub(super) fn read(name: &str) -> Option<Self> {
        is_name(name).then(|| Self(name.to_owned()))
    }

    /// Reads the name at the end of an ARN.
    pub(super) fn read_arn(arn: &str) -> Option<Self> {
        Self::read(arn.strip_prefix("arn:")?.split_once(":stream/")?.1)
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

    /// At most `limit` names after `start`, in order, and whether there are more.
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
