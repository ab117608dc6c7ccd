//! Who acts in one event, where, and on what: what is worked out before anything is written.

use std::borrow::Cow;

use easel_catalog::Fields;

use crate::event_template::{ActorPlace, CoursePlace, EventTemplate};
use crate::options::TranslationOptions;
use crate::places::Places;
use crate::value::text_of;

/// What is worked out of one event before anything is written.
pub(crate) struct EventContext<'a> {
    pub(crate) fields: Fields<'a>,
    /// The address of the installation, as it stands between quotes.
    pub(crate) base: Cow<'a, [u8]>,
    pub(crate) actor: EventActor<'a>,
    /// The course's id, as it stands between quotes.
    pub(crate) course: Option<&'a [u8]>,
    /// The section's id, of an event that tells the course too.
    pub(crate) section: Option<&'a [u8]>,
    pub(crate) asset: OpenedAsset<'a>,
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventActor<'a> {
    /// A user with this id, of whom the metadata tells more.
    User(&'a [u8]),
    /// A user with this id, who graded.
    Grader(&'a [u8]),
    /// A user nobody knows.
    SomeUser,
    /// The installation itself.
    Application,
}

/// What was opened, in an event of that kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenedAsset<'a> {
    pub(crate) kind: Option<&'a [u8]>,
    pub(crate) list: Option<&'a [u8]>,
}

impl<'a> EventContext<'a> {
    pub(crate) fn new(
        fields: Fields<'a>,
        form: &EventTemplate,
        places: &Places,
        options: &'a TranslationOptions,
    ) -> Self {
        let metadata = |index| fields.metadata(index).and_then(text_of);
        let body = |index| fields.body(index).and_then(text_of);
        let base = match metadata(places.hostname) {
            Some(hostname) => Cow::Owned([b"http://", hostname, b"/"].concat()),
            None => Cow::Borrowed(options.application.as_bytes()),
        };
        let is_job = metadata(places.job_id).is_some();
        let unknown = || {
            if form.by_user && !is_job {
                EventActor::SomeUser
            } else {
                EventActor::Application
            }
        };
        let user = || metadata(places.user_id);
        let actor = match form.actor {
            ActorPlace::Metadata => user().map_or_else(unknown, EventActor::User),
            ActorPlace::Author(author) => user()
                .or_else(|| body(author))
                .map_or_else(unknown, EventActor::User),
            ActorPlace::Grader(grader) => {
                body(grader).map_or(EventActor::Application, EventActor::Grader)
            }
        };
        let is_course = |kind: Option<&[u8]>| kind == Some(b"Course");
        let of_metadata = || {
            let id = metadata(places.context_id);
            id.filter(|_| is_course(metadata(places.context_type)))
        };
        let course = match form.course {
            CoursePlace::Nowhere => None,
            CoursePlace::Field(course) => body(course),
            CoursePlace::Context(Some((kind, id))) if is_course(body(kind)) => {
                body(id).or_else(of_metadata)
            }
            CoursePlace::Context(_) => of_metadata(),
        };
        let section = form.section.and_then(body).filter(|_| course.is_some());
        let asset = form
            .asset
            .map_or_else(OpenedAsset::default, |place| OpenedAsset {
                kind: body(place.kind),
                list: body(place.list),
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
    /// The id of the user, if it is known who that is.
    pub(crate) const fn id(self) -> Option<&'a [u8]> {
        match self {
            Self::User(id) | Self::Grader(id) => Some(id),
            Self::SomeUser | Self::Application => None,
        }
    }
}

impl<'a> OpenedAsset<'a> {
    /// What it is, as names have it.
    pub(crate) fn name_kind(self) -> Option<&'a [u8]> {
        Some(match self.kind? {
            b"wiki_page" => b"wikiPage",
            b"discussion_topic" => b"discussion",
            kind => kind,
        })
    }

    /// Its Caliper type; for a list in it, and for everything without one, an entity.
    pub(crate) fn class(self) -> &'static str {
        match (self.kind, self.list) {
            (Some(b"wiki_page"), None) => "Page",
            (Some(b"assignment"), None) => "AssignableDigitalResource",
            (Some(b"discussion_topic"), None) => "Thread",
            _ => "Entity",
        }
    }

    /// Its name, which what has a Caliper type of its own has not.
    pub(crate) fn name(self) -> Option<&'a [u8]> {
        self.list.or(self.kind).filter(|_| self.class() == "Entity")
    }

    /// What tells a list in it from the asset, and what is opened from what acts or is a course.
    pub(crate) fn page(self) -> Option<&'a [u8]> {
        let home: &[u8] = b"home";
        match self.kind {
            Some(b"course" | b"user" | b"group" | b"account") => self.list.or(Some(home)),
            _ => self.list,
        }
    }
}
