//! The limits after which hosted Canvas stops sending to an endpoint.

use crate::SourceCounts;

/// A limit after which hosted Canvas stops sending to an endpoint for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostedLimit {
    /// Deliveries without an answer in time.
    TimeOuts,
    /// Deliveries that were answered with an error.
    Errors,
}

impl HostedLimit {
    pub(crate) const ALL: [Self; 2] = [Self::TimeOuts, Self::Errors];

    /// The limit in deliveries a day (the guide of hosted Canvas to data services).
    pub(crate) const fn per_day(self) -> u64 {
        match self {
            Self::TimeOuts => 9_500,
            Self::Errors => 28_000,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TimeOuts => "time_outs",
            Self::Errors => "errors",
        }
    }

    /// Returns the failures that count towards the limit.
    pub(crate) const fn count(self, last_day: &SourceCounts) -> u64 {
        match self {
            Self::TimeOuts => last_day.timed_out,
            Self::Errors => last_day.failed,
        }
    }

    /// Returns true if half of the limit is reached. Hosted Canvas counts a delivery after its last of four
    /// tries, and Easel counts every try, so the warning comes early.
    pub(crate) const fn is_near(self, last_day: &SourceCounts) -> bool {
        self.count(last_day) >= self.per_day() / 2
    }
}
