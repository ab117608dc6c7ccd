//! What an operator may decide about the events that changes make.

use easel_catalog::Limits;

/// What an operator may decide about the events that changes make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TriggerOptions {
    /// What an event may be.
    pub limits: Limits,
    /// The shard that local ids are of. With 0 an id is global as it is, as in an installation
    /// without shards.
    pub shard: u64,
    /// What becomes of members of a body that are null.
    pub nulls: Nulls,
    /// When a submission counts as created.
    pub submission_rule: SubmissionRule,
}

/// What becomes of members of a body that are null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nulls {
    /// They are left out, as newer releases of Canvas do it.
    #[default]
    Dropped,
    /// They stay, as in the published examples.
    Kept,
}

/// When a submission counts as created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubmissionRule {
    /// Whenever work is handed in, again too, as in newer releases of Canvas: the save leaves a
    /// type and the state `submitted` or `pending_review`, and the row is new, or its state or
    /// attempt changed.
    #[default]
    Newest,
    /// When its row is inserted or handed in for the first time, as older documents have it.
    Published,
}
