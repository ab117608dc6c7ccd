//! What the catalogue says about an event type.

use crate::caliper_form::CaliperForm;
use crate::column::Column;
use crate::field::Field;
use crate::list::List;

/// Begins the names of the event types of Easel itself, which nobody else may use.
pub(crate) const OPERATOR_PREFIX: &str = "easel.";

/// What the catalogue says about an event type.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// Its name, the `event_name` of its events; 1 to 128 characters.
    pub name: &'static str,
    /// What it belongs to: the folder its data file lies in.
    pub category: &'static str,
    /// What an event of it says: a short sentence.
    pub meaning: &'static str,
    /// What makes Canvas send one: sentences.
    pub trigger: &'static str,
    /// What else to know, a paragraph each.
    pub notes: List<&'static str>,
    /// The year of the sources that it is known from, where older ones do not have it.
    pub known_from: Option<&'static str>,
    /// Whether the published documents list it; types they do not list were seen in the code.
    pub published: bool,
    /// What makes it, if that is known: the fields' columns are those of this.
    pub made_by: Option<MadeBy>,
    /// Where the context in the metadata comes from.
    pub context: Context,
    /// Whether the body is known to have fields that are not listed.
    pub open: bool,
    /// Where the members of an open body that are not listed come from when a change makes the
    /// event, if the record has them.
    pub further: Option<Column>,
    /// The fields of the body.
    pub body: List<Field>,
    /// The Caliper form, if it has one.
    pub caliper: Option<CaliperForm>,
}

/// What makes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// A change of a record of this type, a class name of Canvas.
    ByRecord(&'static str),
    /// What somebody did, without a record that changes.
    ByAction(&'static str),
}

/// Where the context in an event's metadata comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// From the request; events from jobs have none.
    Ambient,
    /// From the record that changed, whoever changed it: `context_*` and `root_account_*`.
    Record,
    /// From the login just made: `user_*` and `session_id`.
    Login,
}

/// What the catalogue says about a field of the metadata.
#[derive(Clone, Copy, Debug)]
pub struct MetadataField {
    /// The field.
    pub field: Field,
    /// Which events have it, if nothing else keeps it out.
    pub sent: List<MetadataUse>,
}

/// Which events have a field of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataUse {
    /// Those made while a request was served.
    InRequest,
    /// Those made by a background job.
    InJob,
    /// Those made in neither.
    InNeither,
    /// Those whose metadata tells of the record that changed, wherever they were made.
    OfRecord,
}

/// What made an event, which shows in its metadata.
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
    /// Whether an event of this origin has it, if nothing else keeps it out.
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
    /// Its name, as data files have it.
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
    /// Its name, as data files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ambient => "ambient",
            Self::Record => "record",
            Self::Login => "login",
        }
    }
}
