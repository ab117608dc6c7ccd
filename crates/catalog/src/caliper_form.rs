//! What the catalogue says about the Caliper form of an event type.
//!
//! A form is a template: what it lists is written in the order in which it is listed, and what has
//! no value is left out.

use std::fmt;

use crate::list::List;

/// The Caliper form of an event type.
#[derive(Clone, Copy, Debug)]
pub struct CaliperForm {
    /// Who acts.
    pub actor: ActorSource,
    /// Whether it can only be a user who acts, even where nobody knows which.
    pub by_user: bool,
    /// Where the course comes from.
    pub course: CourseSource,
    /// The field of the body with the section in which it happened.
    pub section: Option<&'static str>,
    /// The form that Canvas publishes.
    pub compatible: Template,
    /// The form that keeps to the standard.
    pub strict: Template,
}

/// Who acts in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorSource {
    /// The user of the metadata.
    MetadataUser,
    /// That user or, where there is none, the one in this field of the body.
    BodyAuthor(&'static str),
    /// The one in this field of the body, and Canvas itself where that is null.
    BodyGrader(&'static str),
}

/// Where the course of an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CourseSource {
    /// The context of the body if that is a course, else that of the metadata if it is one.
    OfContext,
    /// This field of the body.
    OfField(&'static str),
    /// It has none.
    Nowhere,
}

/// What is written for an event.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// The event's Caliper type.
    pub kind: &'static str,
    /// What was done, a term of the standard.
    pub action: &'static str,
    /// Whether the course, or section, is told as the group.
    pub group: bool,
    /// What it was done to.
    pub object: List<TemplateProperty>,
    /// What came of it; nothing when empty.
    pub generated: List<TemplateProperty>,
}

/// A property of an entity, or an extension.
#[derive(Clone, Copy, Debug)]
pub struct TemplateProperty {
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub value: ValueSource,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub enum ValueSource {
    /// It is always this text.
    Constant(&'static str),
    /// A field of the body.
    OfBody(&'static str),
    /// A field of the metadata.
    OfMetadata(&'static str),
    /// A name in Canvas's own namespace, put together of these; none when one of them is missing.
    Urn(List<Part>),
    /// An entity; none when it has a name that cannot be put together.
    Entity(List<TemplateProperty>),
    /// An array with this entity in it.
    Array(List<TemplateProperty>),
    /// The extensions of an entity, in Canvas's namespace.
    Extensions(List<TemplateProperty>),
    /// What is worked out.
    Computed(Computed),
}

/// A part of a name.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// It is always this text.
    Literal(&'static str),
    /// The id in a field of the body.
    IdOf(&'static str),
    /// The id of the user who acts.
    ActorId,
    /// What an accessed asset is, as names have it.
    AssetKind,
    /// The list within an accessed asset, with a colon before it; empty for the asset itself.
    AssetList,
}

/// A value that is worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computed {
    /// The address of the installation.
    Base,
    /// The name of who graded: a user, or the installation.
    GraderName,
    /// The Caliper type of an accessed asset, as Canvas publishes it.
    AssetClass,
    /// The same, as the standard wants it.
    AssetStrictClass,
    /// The name of an accessed asset, where it has one.
    AssetName,
}

impl CaliperForm {
    /// The fields of the body that it names, some of them more than once.
    pub(crate) fn body_fields(&self) -> Vec<&'static str> {
        let mut fields: Vec<_> = self.section.into_iter().collect();
        match self.actor {
            ActorSource::MetadataUser => (),
            ActorSource::BodyAuthor(field) | ActorSource::BodyGrader(field) => fields.push(field),
        }
        match self.course {
            CourseSource::OfField(field) => fields.push(field),
            CourseSource::OfContext | CourseSource::Nowhere => (),
        }
        for source in self.sources() {
            match source {
                ValueSource::OfBody(field) => fields.push(field),
                ValueSource::Urn(parts) => {
                    fields.extend(parts.iter().filter_map(|part| match part {
                        Part::IdOf(field) => Some(*field),
                        _ => None,
                    }))
                }
                _ => (),
            }
        }
        fields
    }

    /// The fields of the metadata that it names for object and outcome.
    pub(crate) fn metadata_fields(&self) -> Vec<&'static str> {
        let of_metadata = |source| match source {
            ValueSource::OfMetadata(field) => Some(field),
            _ => None,
        };
        self.sources().into_iter().filter_map(of_metadata).collect()
    }

    /// Every single value of both templates.
    fn sources(&self) -> Vec<ValueSource> {
        let templates = [self.compatible, self.strict];
        let mut open: Vec<List<TemplateProperty>> = templates
            .iter()
            .flat_map(|it| [it.object, it.generated])
            .collect();
        let mut sources = Vec::new();
        while let Some(members) = open.pop() {
            for TemplateProperty { value, .. } in members {
                match value {
                    ValueSource::Entity(inner)
                    | ValueSource::Array(inner)
                    | ValueSource::Extensions(inner) => {
                        open.push(*inner);
                    }
                    single => sources.push(*single),
                }
            }
        }
        sources
    }
}

/// The member as a data file has it.
impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(text) => write!(f, "'{text}'"),
            Self::OfBody(field) => f.write_str(field),
            Self::OfMetadata(field) => write!(f, "metadata.{field}"),
            Self::Urn(parts) => parts.iter().try_for_each(|part| match part {
                Part::Literal(text) => f.write_str(text),
                Part::IdOf(field) => write!(f, "{{{field}}}"),
                Part::ActorId => f.write_str("{actor}"),
                Part::AssetKind => f.write_str("{@asset_kind}"),
                Part::AssetList => f.write_str("{@asset_list}"),
            }),
            Self::Entity(_) => f.write_str("{…}"),
            Self::Array(_) => f.write_str("[…]"),
            Self::Extensions(_) => f.write_str("{…}"),
            Self::Computed(it) => f.write_str(it.name()),
        }
    }
}

impl Computed {
    /// Every one.
    pub(crate) const ALL: [Self; 5] = [
        Self::Base,
        Self::GraderName,
        Self::AssetClass,
        Self::AssetStrictClass,
        Self::AssetName,
    ];

    /// Its name, as data files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "@base",
            Self::GraderName => "@grader",
            Self::AssetClass => "@asset_class",
            Self::AssetStrictClass => "@asset_strict_class",
            Self::AssetName => "@asset_name",
        }
    }
}
