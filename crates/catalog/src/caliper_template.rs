//! The Caliper templates of event types, as the catalogue describes them.
//!
//! A template says how an event of this type looks in Caliper. Properties are written in the order of
//! the list. A property without a value is omitted.

use std::fmt;

use crate::list::List;

/// The Caliper template of an event type, for both dialects.
#[derive(Clone, Copy, Debug)]
pub struct CaliperTemplate {
    /// Where the actor comes from.
    pub actor: ActorSource,
    /// True if the actor is always a user, even if the user is unknown.
    pub by_user: bool,
    /// Where the course comes from.
    pub course: CourseSource,
    /// The field of the body with the section, if there is one.
    pub section: Option<&'static str>,
    /// The template of the events that Canvas publishes.
    pub compatible: DialectTemplate,
    /// The template that follows the standard.
    pub strict: DialectTemplate,
}

/// Where an event's actor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorSource {
    /// The user of the metadata.
    MetadataUser,
    /// The user of the metadata. If it is missing, the user in this field of the body.
    BodyAuthor(&'static str),
    /// The user in this field of the body. If it is null, Canvas itself.
    BodyGrader(&'static str),
}

/// Where an event's course comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CourseSource {
    /// The context of the body if it is a course, else the context of the metadata if it is a course.
    OfContext,
    /// This field of the body.
    OfField(&'static str),
    /// No course.
    Nowhere,
}

/// The template of one dialect.
#[derive(Clone, Copy, Debug)]
pub struct DialectTemplate {
    /// The event's Caliper type.
    pub kind: &'static str,
    /// The action, a term of the standard.
    pub action: &'static str,
    /// True if the course or section is written as the group.
    pub group: bool,
    /// The object of the action.
    pub object: List<TemplateProperty>,
    /// The generated entity. Omitted if the list is empty.
    pub generated: List<TemplateProperty>,
}

/// A property of an entity, or an extension.
#[derive(Clone, Copy, Debug)]
pub struct TemplateProperty {
    /// The key.
    pub key: &'static str,
    /// Where the value comes from.
    pub value: ValueSource,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub enum ValueSource {
    /// A constant text.
    Constant(&'static str),
    /// A field of the body.
    OfBody(&'static str),
    /// A field of the metadata.
    OfMetadata(&'static str),
    /// A URN in Canvas's namespace, joined from these parts. No value if a part is missing.
    Urn(List<Part>),
    /// An entity. No value if a part of its URN is missing.
    Entity(List<TemplateProperty>),
    /// An array with this entity as its only element.
    Array(List<TemplateProperty>),
    /// The extensions of an entity, in Canvas's namespace.
    Extensions(List<TemplateProperty>),
    /// A computed value.
    Computed(Computed),
}

/// A part of a URN.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// A constant text.
    Literal(&'static str),
    /// The id in a field of the body.
    IdOf(&'static str),
    /// The id of the acting user.
    ActorId,
    /// The kind of an accessed asset, as URNs spell it.
    AssetKind,
    /// The list within an accessed asset, after a colon. Empty for the asset itself.
    AssetList,
}

/// A computed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computed {
    /// The base URL of the installation.
    Base,
    /// The URN of the grader: a user, or the installation.
    GraderUrn,
    /// The Caliper type of an accessed asset, as Canvas publishes it.
    AssetClass,
    /// The Caliper type of an accessed asset, as the standard requires it.
    AssetStrictClass,
    /// The name of an accessed asset, if it has one.
    AssetName,
}

impl CaliperTemplate {
    /// Returns the fields of the body that the template uses. A field can occur more than once.
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
                    }));
                }
                _ => (),
            }
        }
        fields
    }

    /// Returns the fields of the metadata that the object and the generated entity use.
    pub(crate) fn metadata_fields(&self) -> Vec<&'static str> {
        let metadata_field = |source| match source {
            ValueSource::OfMetadata(field) => Some(field),
            _ => None,
        };
        self.sources()
            .into_iter()
            .filter_map(metadata_field)
            .collect()
    }

    /// Returns the source of every simple value in both dialects.
    fn sources(&self) -> Vec<ValueSource> {
        let templates = [self.compatible, self.strict];
        let mut pending: Vec<List<TemplateProperty>> = templates
            .iter()
            .flat_map(|template| [template.object, template.generated])
            .collect();
        let mut sources = Vec::new();
        while let Some(members) = pending.pop() {
            for TemplateProperty { value, .. } in members {
                match value {
                    ValueSource::Entity(inner)
                    | ValueSource::Array(inner)
                    | ValueSource::Extensions(inner) => {
                        pending.push(*inner);
                    }
                    single => sources.push(*single),
                }
            }
        }
        sources
    }
}

/// Writes the source of a value in the syntax of the data files.
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
            Self::Computed(computed) => f.write_str(computed.name()),
        }
    }
}

impl Computed {
    /// Every computed value.
    pub(crate) const ALL: [Self; 5] = [
        Self::Base,
        Self::GraderUrn,
        Self::AssetClass,
        Self::AssetStrictClass,
        Self::AssetName,
    ];

    /// Returns the name in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "@base",
            Self::GraderUrn => "@grader",
            Self::AssetClass => "@asset_class",
            Self::AssetStrictClass => "@asset_strict_class",
            Self::AssetName => "@asset_name",
        }
    }
}
