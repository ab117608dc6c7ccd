//! What a check of the chain finds, with the place.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::ChainPoint;

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainFaultKind {
    /// A value of an entry was changed.
    Changed,
    /// Entries were written, or written again, by somebody without the key.
    Forged,
    /// Entries were removed, although later ones are there.
    Missing,
    /// Two entries have each other's place.
    Exchanged,
    /// Entries have the numbers of others, because one was removed or added before them.
    Moved,
    /// An authentic entry does not follow the one before it: it comes from another copy of the audit.
    OutOfOrder,
    /// The newest entries were removed.
    CutOff,
    /// The head file is missing.
    HeadMissing,
    /// The head file was changed.
    HeadChanged,
    /// The head file is an older copy.
    HeadOlder,
    /// The file cannot be read any further.
    Unreadable,
    /// A start of the server found the audit damaged.
    FoundAtStart,
    /// The expected entry is not there.
    NotExpected,
}

/// A fault of the chain. `first` and `last` are the numbers of the first and the last entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFault {
    /// The kind.
    pub kind: ChainFaultKind,
    /// The first entry, if the place is known.
    pub first: Option<u64>,
    /// The last entry. Of exchanged entries it is the second one.
    pub last: Option<u64>,
    /// The time of the first entry, as the file says, or of the entry before the place.
    pub at: Option<Timestamp>,
    /// More about it.
    pub detail: String,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The number of entries in the file.
    pub entry_count: u64,
    /// The newest entry in the file.
    pub newest: ChainPoint,
    /// The last entry that retention removed.
    pub anchor: ChainPoint,
    /// All faults, by place. At most [`Verification::MAX_FAULTS`].
    pub faults: Vec<ChainFault>,
}

impl Verification {
    /// The most faults of one result.
    pub const MAX_FAULTS: usize = 1000;

    /// Returns true if the chain is complete and authentic.
    pub fn is_valid(&self) -> bool {
        self.faults.is_empty()
    }
}

impl ChainFaultKind {
    /// Returns the code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Forged => "forged",
            Self::Missing => "missing",
            Self::Exchanged => "exchanged",
            Self::Moved => "moved",
            Self::OutOfOrder => "out_of_order",
            Self::CutOff => "cut_off",
            Self::HeadMissing => "head_missing",
            Self::HeadChanged => "head_changed",
            Self::HeadOlder => "head_older",
            Self::Unreadable => "unreadable",
            Self::FoundAtStart => "found_at_start",
            Self::NotExpected => "not_expected",
        }
    }
}

impl ChainFault {
    pub(crate) fn new(kind: ChainFaultKind, first: i64, last: i64, at: Option<Timestamp>) -> Self {
        Self {
            kind,
            first: Some(first.unsigned_abs()),
            last: Some(last.unsigned_abs()),
            at,
            detail: String::new(),
        }
    }

    pub(crate) fn of_head(kind: ChainFaultKind) -> Self {
        Self {
            kind,
            first: None,
            last: None,
            at: None,
            detail: String::new(),
        }
    }

    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }
}

/// Says what is wrong, for people.
impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first.unwrap_or(0), self.last.unwrap_or(0));
        let place = if first == last {
            format!("entry {first}")
        } else {
            format!("entries {first} to {last}")
        };
        match self.kind {
            ChainFaultKind::Changed => write!(f, "{place}: changed")?,
            ChainFaultKind::Forged => write!(f, "{place}: not written with the key of this audit")?,
            ChainFaultKind::Missing => write!(f, "{place}: removed")?,
            ChainFaultKind::Exchanged => write!(f, "entries {first} and {last}: exchanged")?,
            ChainFaultKind::Moved => write!(f, "{place}: moved to the numbers of other entries")?,
            ChainFaultKind::OutOfOrder => {
                write!(f, "{place}: does not follow the entry before it")?;
            }
            ChainFaultKind::CutOff => write!(f, "{place}: cut off")?,
            ChainFaultKind::HeadMissing => write!(
                f,
                "the head file is missing, so the end of the audit is unknown"
            )?,
            ChainFaultKind::HeadChanged => write!(
                f,
                "the head file was changed, so the end of the audit is unknown"
            )?,
            ChainFaultKind::HeadOlder => write!(
                f,
                "the head file is an older copy: it ends at entry {first}, and the audit at entry {last}"
            )?,
            ChainFaultKind::Unreadable => write!(f, "the file cannot be read after entry {first}")?,
            ChainFaultKind::FoundAtStart => write!(
                f,
                "entry {first}: a start of the server found the audit damaged"
            )?,
            ChainFaultKind::NotExpected => write!(f, "entry {first}: not the expected one")?,
        }
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        if let Some(at) = self.at {
            write!(f, ", at {at:.0}")?;
        }
        Ok(())
    }
}
