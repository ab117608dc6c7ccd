//! The actor, the course and the asset of one event, computed before the event is written.

use std::borrow::Cow;

use easel_catalog::Fields;

use crate::event_template::{EventTemplate, ResolvedActor, ResolvedCourse};
use crate::metadata_indexes::MetadataIndexes;
use crate::options::TranslationOptions;
use crate::value::text_of;

/// Values of one event that are computed before the event is written.
pub(crate) struct EventContext<'a> {
    pub(crate) fields: Fields<'a>,
    /// The address of the installation, as in the JSON string, without quotes.
    pub(crate) base: Cow<'a, [u8]>,
    pub(crate) actor: EventActor<'a>,
    /// The id of the course, as in the JSON string, without quotes.
    pub(crate) course: Option<&'a [u8]>,
    /// The id of the section. Present only if the event names the course too.
    pub(crate) section: Option<&'a [u8]>,
    pub(crate) asset: OpenedAsset<'a>,
}

/// The actor of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventActor<'a> {
    /// A user with this id. The metadata has more fields about the user.
    User(&'a [u8]),
    /// The user with this id, who graded.
    Grader(&'a [u8]),
    /// A user whose id is unknown.
    UnknownUser,
    /// The installation itself.
    Application,
}

/// The asset that was opened, in an `asset_accessed` event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenedAsset<'a> {
    /// The kind of the asset, as Canvas spells it.
    pub(crate) kind: Option<&'a [u8]>,
    /// The list within the asset. `None` for the asset itself.
    pub(crate) list: Option<&'a [u8]>,
}

impl<'a> EventContext<'a> {
    pub(crate) fn new(
        fields: Fields<'a>,
        template: &EventTemplate,
        indexes: &MetadataIndexes,
        options: &'a TranslationOptions,
    ) -> Self {
        let metadata = |index| fields.metadata(index).and_then(text_of);
        let body = |index| fields.body(index).and_then(text_of);
        let base = match metadata(indexes.hostname) {
            Some(hostname) => Cow::Owned([b"http://", hostname, b"/"].concat()),
            None => Cow::Borrowed(options.application.as_bytes()),
        };
        let is_job = metadata(indexes.job_id).is_some();
        let actor_without_id = || {
            if template.by_user && !is_job {
                EventActor::UnknownUser
            } else {
                EventActor::Application
            }
        };
        let user = || metadata(indexes.user_id);
        let actor = match template.actor {
            ResolvedActor::Metadata => user().map_or_else(actor_without_id, EventActor::User),
            ResolvedActor::Author(author) => user()
                .or_else(|| body(author))
                .map_or_else(actor_without_id, EventActor::User),
            ResolvedActor::Grader(grader) => {
                body(grader).map_or(EventActor::Application, EventActor::Grader)
            }
        };
        let is_course = |kind: Option<&[u8]>| kind == Some(b"Course");
        let metadata_course = || {
            let id = metadata(indexes.context_id);
            id.filter(|_| is_course(metadata(indexes.context_type)))
        };
        let course = match template.course {
            ResolvedCourse::Nowhere => None,
            ResolvedCourse::Field(course) => body(course),
            ResolvedCourse::Context(Some((kind, id))) if is_course(body(kind)) => {
                body(id).or_else(metadata_course)
            }
            ResolvedCourse::Context(_) => metadata_course(),
        };
        let section = template.section.and_then(body).filter(|_| course.is_some());
        let asset = template
            .asset
            .map_or_else(OpenedAsset::default, |asset| OpenedAsset {
                kind: body(asset.kind),
                list: body(asset.list),
            });
        Self {
            fields,
            base,
            actor,
            course,
            section,
            asset,
        }
    }
}

impl<'a> EventActor<'a> {
    /// Returns the id of the user, if the user is known.
    pub(crate) const fn id(self) -> Option<&'a [u8]> {
        match self {
            Self::User(id) | Self::Grader(id) => Some(id),
            Self::UnknownUser | Self::Application => None,
        }
    }
}

impl<'a> OpenedAsset<'a> {
    /// Returns the kind of the asset as URNs spell it.
    pub(crate) fn urn_kind(self) -> Option<&'a [u8]> {
        Some(match self.kind? {
            b"wiki_page" => b"wikiPage",
            b"discussion_topic" => b"discussion",
            kind => kind,
        })
    }

    /// Returns the Caliper type of the asset. A list is an `Entity`, and so is a kind without its own type.
    pub(crate) fn caliper_type(self) -> &'static str {
        match (self.kind, self.list) {
            (Some(b"wiki_page"), None) => "Page",
            (Some(b"assignment"), None) => "AssignableDigitalResource",
            (Some(b"discussion_topic"), None) => "Thread",
            _ => "Entity",
        }
    }

    /// Returns the name of the asset. An asset with its own Caliper type has no name.
    pub(crate) fn name(self) -> Option<&'a [u8]> {
        self.list
            .or(self.kind)
            .filter(|_| self.caliper_type() == "Entity")
    }

    /// Returns the last part of the URN. It makes the URN of a list differ from that of its asset, and the
    /// URN of an opened home page differ from that of the course, user, group or account itself.
    pub(crate) fn urn_suffix(self) -> Option<&'a [u8]> {
        let home: &[u8] = b"home";
        match self.kind {
            Some(b"course" | b"user" | b"group" | b"account") => self.list.or(Some(home)),
            _ => self.list,
        }
    }
}
