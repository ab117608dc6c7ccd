//! The form of one event type, ready for use: every field it names looked up.

use easel_catalog::{
    ActorSource, CaliperForm, Catalog, Computed, CourseSource, EventType, Field, Part, Template,
    TemplateProperty, ValueSource,
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
pub(crate) struct EventTemplate {
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
    pub(crate) object: Vec<TemplateMember>,
    pub(crate) generated: Vec<TemplateMember>,
}

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct TemplateMember {
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
    Body(usize, value::ValueFormat),
    Metadata(usize, value::ValueFormat),
    Urn(Vec<UrnPart>),
    Entity(Vec<TemplateMember>),
    Array(Vec<TemplateMember>),
    Extensions(Vec<TemplateMember>),
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

impl EventTemplate {
    pub(crate) fn new(
        catalog: &Catalog,
        of: &EventType,
        form: &CaliperForm,
    ) -> Result<Self, FormError> {
        let names = FieldNames { catalog, of };
        let place = |field| names.body(field).map(|(index, _)| index);
        let has = |field| of.body.iter().position(|it| it.name == field);
        Ok(Self {
            event_type: *of,
            actor: match form.actor {
                ActorSource::MetadataUser => ActorPlace::Metadata,
                ActorSource::BodyAuthor(field) => ActorPlace::Author(place(field)?),
                ActorSource::BodyGrader(field) => ActorPlace::Grader(place(field)?),
            },
            by_user: form.by_user,
            course: match form.course {
                CourseSource::OfContext => {
                    CoursePlace::Context(has("context_type").zip(has("context_id")))
                }
                CourseSource::OfField(field) => CoursePlace::Field(place(field)?),
                CourseSource::Nowhere => CoursePlace::Nowhere,
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
struct FieldNames<'a> {
    catalog: &'a Catalog,
    of: &'a EventType,
}

impl FieldNames<'_> {
    fn body(&self, name: &str) -> Result<(usize, value::ValueFormat), FormError> {
        self.find(self.of.body.iter(), name)
    }

    fn find<'f>(
        &self,
        fields: impl Iterator<Item = &'f Field>,
        name: &str,
    ) -> Result<(usize, value::ValueFormat), FormError> {
        let found = fields.enumerate().find(|(_, it)| it.name == name);
        let (index, field) = found.ok_or_else(|| FormError::Field {
            event_type: self.of.name.to_owned(),
            field: name.to_owned(),
        })?;
        Ok((index, value::ValueFormat::of(&field.kind)))
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

    fn steps(&self, members: &[TemplateProperty]) -> Result<Vec<TemplateMember>, FormError> {
        let steps = members.iter().map(|member| {
            Ok(TemplateMember {
                key: format!("\"{}\":", member.key),
                value: self.write(&member.value)?,
                is_id: member.key == "id",
            })
        });
        steps.collect()
    }

    fn write(&self, source: &ValueSource) -> Result<Write, FormError> {
        Ok(match source {
            ValueSource::Constant(text) => Write::Constant(text),
            ValueSource::OfBody(name) => {
                let (index, form) = self.body(name)?;
                Write::Body(index, form)
            }
            ValueSource::OfMetadata(name) => {
                let fields = self.catalog.metadata().iter().map(|it| &it.field);
                let (index, form) = self.find(fields, name)?;
                Write::Metadata(index, form)
            }
            ValueSource::Urn(parts) => Write::Urn(self.parts(parts)?),
            ValueSource::Entity(members) => Write::Entity(self.steps(members)?),
            ValueSource::Array(members) => Write::Array(self.steps(members)?),
            ValueSource::Extensions(members) => Write::Extensions(self.steps(members)?),
            ValueSource::Computed(it) => Write::Computed(*it),
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
