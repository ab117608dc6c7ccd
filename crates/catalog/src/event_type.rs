//! Event types, as the catalogue describes them.

use crate::caliper_form::CaliperForm;
use crate::column::Column;
use crate::field::Field;
use crate::list::List;

/// The prefix of the event types of Easel itself. No other event type may have this prefix.
pub(crate) const OPERATOR_PREFIX: &str = "easel.";

/// An event type, as the catalogue describes it.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// The name, which is the `event_name` of its events; 1 to 128 characters.
    pub name: &'static str,
    /// The category: the folder of its data file.
    pub category: &'static str,
    /// The meaning of an event, in a short sentence.
    pub meaning: &'static str,
    /// What makes Canvas send an event, in sentences.
    pub trigger: &'static str,
    /// Further notes, one paragraph each.
    pub notes: List<&'static str>,
    /// The year of the sources that first have it, if older sources do not.
    pub known_from: Option<&'static str>,
    /// True if Canvas's published documents list the type. Other types were found in the code.
    pub published: bool,
    /// The change that makes an event, if known. The columns of the fields belong to its record.
    pub made_by: Option<MadeBy>,
    /// The source of the context in the metadata.
    pub context: Context,
    /// True if the body can have fields that are not listed.
    pub open: bool,
    /// The source of the members of an open body that are not listed, for events that Easel makes
    /// from a change.
    pub further: Option<Column>,
    /// The fields of the body.
    pub body: List<Field>,
    /// The Caliper form, if it has one.
    pub caliper: Option<CaliperForm>,
}

/// The change that makes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// A change of a record of this type, which is a class name of Canvas.
    ByRecord(&'static str),
    /// An action of a user, without a change of a record.
    ByAction(&'static str),
}

/// The source of the context in an event's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The request. Events from jobs have no context.
    Ambient,
    /// The record that changed, for `context_*` and `root_account_*`.
    Record,
    /// The new login, for `user_*` and `session_id`.
    Login,
}

/// A field of the metadata, as the catalogue describes it.
#[derive(Clone, Copy, Debug)]
pub struct MetadataField {
    /// The field.
    pub field: Field,
    /// The events that have the field, unless its `when` excludes it.
    pub sent: List<MetadataUse>,
}

/// A group of events that have a field of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataUse {
    /// Events from a request.
    InRequest,
    /// Events from a background job.
    InJob,
    /// Events from neither a request nor a job.
    InNeither,
    /// Events whose metadata describes the record that changed, from any origin.
    OfRecord,
}

/// The origin of an event, as its metadata shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOrigin {
    /// A request: there is a `request_id`.
    Request,
    /// A background job: there is a `job_id`.
    Job,
    /// Neither.
    Neither,
}

impl MetadataField {
    /// Returns true if events of this origin have the field, unless its `when` excludes it.
    pub fn is_sent(&self, origin: EventOrigin) -> bool {
        let sent = match origin {
            EventOrigin::Request => MetadataUse::InRequest,
            EventOrigin::Job => MetadataUse::InJob,
            EventOrigin::Neither => MetadataUse::InNeither,
        };
        self.sent.contains(&sent)
    }
}

impl MetadataUse {
    /// Returns the name in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InRequest => "request",
            Self::InJob => "job",
            Self::InNeither => "neither",
            Self::OfRecord => "record",
        }
    }
}

impl Context {
    /// Returns the name in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ambient => "ambient",
            Self::Record => "record",
            Self::Login => "login",
        }
    }
}
