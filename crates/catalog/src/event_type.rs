//! Event types, as the catalogue describes them.

use crate::caliper_template::CaliperTemplate;
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
    /// The year of the Canvas source code that first has the type, if older source code lacks it.
    pub known_from: Option<&'static str>,
    /// True if Canvas's published documents list the type. Other types were found in the code.
    pub published: bool,
    /// True if only the names of the type and of its fields are known, from a program that stores such
    /// events in tables. The kinds of the fields are those of the columns. How the events spell the
    /// values is not known, so neither the check nor the schema limits the body.
    pub columns_only: bool,
    /// The change that makes an event, if known. The columns of the fields belong to the changed row.
    pub made_by: Option<MadeBy>,
    /// Where the context in the metadata comes from.
    pub context: Context,
    /// True if the body can have fields that are not listed.
    pub open: bool,
    /// Where the unlisted members of an open body come from, for events that Easel makes from a
    /// change.
    pub further: Option<Column>,
    /// The fields of the body.
    pub body: List<Field>,
    /// The Caliper template, if events of this type can be translated to Caliper.
    pub caliper: Option<CaliperTemplate>,
}

/// The change that makes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// A change of a row of this type, which is a class name of Canvas.
    ByRecord(&'static str),
    /// An action of a user, without a change of a row.
    ByAction(&'static str),
}

/// Where the context in an event's metadata comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The request. Events from jobs have no context.
    Ambient,
    /// The row that changed, for `context_*` and `root_account_*`.
    Row,
    /// The new login, for `user_*` and `session_id`.
    Login,
}

/// A field of the metadata, as the catalogue describes it.
#[derive(Clone, Copy, Debug)]
pub struct MetadataField {
    /// The field.
    pub field: Field,
    /// The groups of events that have the field, if its condition `when` is met.
    pub used_in: List<MetadataUse>,
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
    /// Events whose metadata describes the row that changed, from any origin.
    OfRow,
}

/// The origin of an event, as its metadata shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOrigin {
    /// A request: there is a `request_id`.
    Request,
    /// A background job: there is a `job_id`.
    Job,
    /// Neither a request nor a job.
    Neither,
}

impl MetadataField {
    /// Returns true if events of this origin have the field, if its condition `when` is met.
    pub fn is_in_events_of(&self, origin: EventOrigin) -> bool {
        let metadata_use = match origin {
            EventOrigin::Request => MetadataUse::InRequest,
            EventOrigin::Job => MetadataUse::InJob,
            EventOrigin::Neither => MetadataUse::InNeither,
        };
        self.used_in.contains(&metadata_use)
    }
}

impl MetadataUse {
    /// Returns the name in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InRequest => "request",
            Self::InJob => "job",
            Self::InNeither => "neither",
            Self::OfRow => "record",
        }
    }
}

impl Context {
    /// Returns the name in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ambient => "ambient",
            Self::Row => "record",
            Self::Login => "login",
        }
    }
}
