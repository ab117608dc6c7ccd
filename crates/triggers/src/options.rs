//! Settings of the triggers.

use easel_catalog::Limits;

/// Settings of the triggers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TriggerOptions {
    /// The limits for events.
    pub limits: Limits,
    /// The shard of local ids. 0 for an installation without shards, in which every id is global.
    pub shard: u64,
    /// Whether a body keeps members that are null.
    pub nulls: Nulls,
    /// When a submission counts as created.
    pub submission_rule: SubmissionRule,
}

/// Whether a body keeps members that are null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nulls {
    /// Drops null members, as in newer releases of Canvas.
    #[default]
    Dropped,
    /// Keeps null members, as in the published examples.
    Kept,
}

/// When a submission counts as created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubmissionRule {
    /// Every time work is submitted, as in newer releases of Canvas. The saved row must have a type and
    /// the state `submitted` or `pending_review`. In addition, the row must be new, or its state or
    /// attempt must have changed.
    #[default]
    Newest,
    /// When the row is inserted, or when work is submitted for the first time, as in older documents.
    Published,
}
