//! The form of one event type, ready for use: every field it names looked up.

use easel_catalog::{
    Actor, CaliperForm, Catalog, Computed, Course, EventType, Field, Member, Part, Source, Template,
};
use thiserror::Error;

use crate::value;

/// Why no translator can be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// The Caliper form of an event type names a field that the type has not.
    #[error("the Caliper form of {event_type}: there is no field {field:?}")]
    Field {
        /// The event type.
        event_type: String,
        /// The field.
        field: String,
    },
    /// A role cannot be written.
    #[error("the Caliper role of {canvas:?}: {said}")]
    Role {
        /// The role, as Canvas has it.
        canvas: String,
        /// What is wrong with it.
        said: String,
    },
}

/// The form of one event type.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) event_type: EventType,
    pub(crate) actor: ActorPlace,
    pub(crate) by_user: bool,
    pub(crate) course: CoursePlace,
    pub(crate) section: Option<usize>,
    pub(crate) asset: Option<AssetPlace>,
    pub(crate) compatible: Program,
    pub(crate) strict: Program,
}

/// Where the one who acts is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ActorPlace {
    Metadata,
    /// In the metadata, else in this field of the body.
    Author(usize),
    Grader(usize),
}

/// Where the course is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CoursePlace {
    /// In these fields of the body, type and id, if it has them; else in the metadata.
    Context(Option<(usize, usize)>),
    Field(usize),
    Nowhere,
}

/// Where an accessed asset is found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AssetPlace {
    pub(crate) kind: usize,
    pub(crate) list: usize,
}

/// What is written for an event, in order.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) kind: &'static str,
    pub(crate) action: &'static str,
    pub(crate) group: bool,
    pub(crate) object: Vec<Step>,
    pub(crate) generated: Vec<Step>,
}

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its key, quoted, with the colon.
    pub(crate) key: String,
    pub(crate) value: Write,
    /// Whether the entity it is in is nothing without it.
    pub(crate) is_id: bool,
}

/// How a value is written.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Constant(&'static str),
    Body(usize, value::Form),
    Metadata(usize, value::Form),
    Urn(Vec<UrnPart>),
    Entity(Vec<Step>),
    Array(Vec<Step>),
    Extensions(Vec<Step>),
    Computed(Computed),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum UrnPart {
    Literal(&'static str),
    Id(usize),
    ActorId,
    AssetKind,
    AssetList,
}

impl Form {
    pub(crate) fn new(
        catalog: &Catalog,
        of: &EventType,
        form: &CaliperForm,
    ) -> Result<Self, FormError> {
        let names = Names { catalog, of };
        let place = |field| names.body(field).map(|(index, _)| index);
        let has = |field| of.body.iter().position(|it| it.name == field);
        Ok(Self {
            event_type: *of,
            actor: match form.actor {
                Actor::MetadataUser => ActorPlace::Metadata,
                Actor::BodyAuthor(field) => ActorPlace::Author(place(field)?),
                Actor::BodyGrader(field) => ActorPlace::Grader(place(field)?),
            },
            by_user: form.by_user,
            course: match form.course {
                Course::OfContext => {
                    CoursePlace::Context(has("context_type").zip(has("context_id")))
                }
                Course::OfField(field) => CoursePlace::Field(place(field)?),
                Course::Nowhere => CoursePlace::Nowhere,
            },
            section: form.section.map(place).transpose()?,
            asset: has("asset_type")
                .zip(has("asset_subtype"))
                .map(|(kind, list)| AssetPlace { kind, list }),
            compatible: names.program(&form.compatible)?,
            strict: names.program(&form.strict)?,
        })
    }
}

/// Looks up fields by name.
struct Names<'a> {
    catalog: &'a Catalog,
    of: &'a EventType,
}

impl Names<'_> {
    fn body(&self, name: &str) -> Result<(usize, value::Form), FormError> {
        self.find(self.of.body.iter(), name)
    }

    fn find<'f>(
        &self,
        fields: impl Iterator<Item = &'f Field>,
        name: &str,
    ) -> Result<(usize, value::Form), FormError> {
        let found = fields.enumerate().find(|(_, it)| it.name == name);
        let (index, field) = found.ok_or_else(|| FormError::Field {
            event_type: self.of.name.to_owned(),
            field: name.to_owned(),
        })?;
        Ok((index, value::Form::of(&field.kind)))
    }

    fn program(&self, template: &Template) -> Result<Program, FormError> {
        Ok(Program {
            kind: template.kind,
            action: template.action,
            group: template.group,
            object: self.steps(&template.object)?,
            generated: self.steps(&template.generated)?,
        })
    }

    fn steps(&self, members: &[Member]) -> Result<Vec<Step>, FormError> {
        let steps = members.iter().map(|member| {
            Ok(Step {
                key: format!("\"{}\":", member.key),
                value: self.write(&member.value)?,
                is_id: member.key == "id",
            })
        });
        steps.collect()
    }

    fn write(&self, source: &Source) -> Result<Write, FormError> {
        Ok(match source {
            Source::Constant(text) => Write::Constant(text),
            Source::OfBody(name) => {
                let (index, form) = self.body(name)?;
                Write::Body(index, form)
            }
            Source::OfMetadata(name) => {
                let fields = self.catalog.metadata().iter().map(|it| &it.field);
                let (index, form) = self.find(fields, name)?;
                Write::Metadata(index, form)
            }
            Source::Urn(parts) => Write::Urn(self.parts(parts)?),
            Source::Entity(members) => Write::Entity(self.steps(members)?),
            Source::Array(members) => Write::Array(self.steps(members)?),
            Source::Extensions(members) => Write::Extensions(self.steps(members)?),
            Source::Computed(it) => Write::Computed(*it),
        })
    }

    fn parts(&self, parts: &[Part]) -> Result<Vec<UrnPart>, FormError> {
        let parts = parts.iter().map(|part| {
            Ok(match part {
                Part::Literal(text) => UrnPart::Literal(text),
                Part::IdOf(name) => UrnPart::Id(self.body(name)?.0),
                Part::ActorId => UrnPart::ActorId,
                Part::AssetKind => UrnPart::AssetKind,
                Part::AssetList => UrnPart::AssetList,
            })
        });
        parts.collect()
    }
}
