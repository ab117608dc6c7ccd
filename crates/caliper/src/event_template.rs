//! The Caliper form of one event type, with its field names resolved to indexes.

use easel_catalog::{
    ActorSource, CaliperForm, Catalog, Computed, CourseSource, EventType, Field, Part, Template,
    TemplateProperty, ValueSource,
};
use thiserror::Error;

use crate::value;

/// Why a translator cannot be created.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// The Caliper form of an event type names a field that the event type does not have.
    #[error("the Caliper form of {event_type}: the field {field:?} is unknown")]
    Field {
        /// The event type.
        event_type: String,
        /// The field.
        field: String,
    },
    /// A role is invalid.
    #[error("the Caliper role of {canvas:?}: {fault}")]
    Role {
        /// The Canvas name of the role.
        canvas: String,
        /// The reason.
        fault: String,
    },
}

/// The Caliper form of one event type.
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

/// The place of the actor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ActorPlace {
    Metadata,
    /// In the metadata or, if missing there, in this field of the body.
    Author(usize),
    Grader(usize),
}

/// The place of the course.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CoursePlace {
    /// In these fields of the body (type and id) or, if missing there, in the metadata.
    Context(Option<(usize, usize)>),
    Field(usize),
    Nowhere,
}

/// The place of an accessed asset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AssetPlace {
    pub(crate) kind: usize,
    pub(crate) list: usize,
}

/// The output of one dialect for an event type, in order.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) kind: &'static str,
    pub(crate) action: &'static str,
    pub(crate) group: bool,
    pub(crate) object: Vec<TemplateMember>,
    pub(crate) generated: Vec<TemplateMember>,
}

/// One JSON member to write.
#[derive(Clone, Debug)]
pub(crate) struct TemplateMember {
    /// The key, quoted, with its colon.
    pub(crate) key: String,
    pub(crate) value: Write,
    /// Whether this is the id: without it the entity is not written.
    pub(crate) is_id: bool,
}

/// The source of a value.
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
        event_type: &EventType,
        form: &CaliperForm,
    ) -> Result<Self, FormError> {
        let names = FieldNames {
            catalog,
            event_type,
        };
        let place = |field| names.body(field).map(|(index, _)| index);
        let find = |name| event_type.body.iter().position(|field| field.name == name);
        Ok(Self {
            event_type: *event_type,
            actor: match form.actor {
                ActorSource::MetadataUser => ActorPlace::Metadata,
                ActorSource::BodyAuthor(field) => ActorPlace::Author(place(field)?),
                ActorSource::BodyGrader(field) => ActorPlace::Grader(place(field)?),
            },
            by_user: form.by_user,
            course: match form.course {
                CourseSource::OfContext => {
                    CoursePlace::Context(find("context_type").zip(find("context_id")))
                }
                CourseSource::OfField(field) => CoursePlace::Field(place(field)?),
                CourseSource::Nowhere => CoursePlace::Nowhere,
            },
            section: form.section.map(place).transpose()?,
            asset: find("asset_type")
                .zip(find("asset_subtype"))
                .map(|(kind, list)| AssetPlace { kind, list }),
            compatible: names.program(&form.compatible)?,
            strict: names.program(&form.strict)?,
        })
    }
}

/// Resolves field names to indexes.
struct FieldNames<'a> {
    catalog: &'a Catalog,
    event_type: &'a EventType,
}

impl FieldNames<'_> {
    fn body(&self, name: &str) -> Result<(usize, value::ValueFormat), FormError> {
        self.find(self.event_type.body.iter(), name)
    }

    fn find<'f>(
        &self,
        fields: impl Iterator<Item = &'f Field>,
        name: &str,
    ) -> Result<(usize, value::ValueFormat), FormError> {
        let found = fields.enumerate().find(|(_, field)| field.name == name);
        let (index, field) = found.ok_or_else(|| FormError::Field {
            event_type: self.event_type.name.to_owned(),
            field: name.to_owned(),
        })?;
        Ok((index, value::ValueFormat::from_kind(&field.kind)))
    }

    fn program(&self, template: &Template) -> Result<Program, FormError> {
        Ok(Program {
            kind: template.kind,
            action: template.action,
            group: template.group,
            object: self.members(&template.object)?,
            generated: self.members(&template.generated)?,
        })
    }

    fn members(&self, properties: &[TemplateProperty]) -> Result<Vec<TemplateMember>, FormError> {
        let members = properties.iter().map(|property| {
            Ok(TemplateMember {
                key: format!("\"{}\":", property.key),
                value: self.write(&property.value)?,
                is_id: property.key == "id",
            })
        });
        members.collect()
    }

    fn write(&self, source: &ValueSource) -> Result<Write, FormError> {
        Ok(match source {
            ValueSource::Constant(text) => Write::Constant(text),
            ValueSource::OfBody(name) => {
                let (index, format) = self.body(name)?;
                Write::Body(index, format)
            }
            ValueSource::OfMetadata(name) => {
                let fields = self
                    .catalog
                    .metadata()
                    .iter()
                    .map(|metadata| &metadata.field);
                let (index, format) = self.find(fields, name)?;
                Write::Metadata(index, format)
            }
            ValueSource::Urn(parts) => Write::Urn(self.parts(parts)?),
            ValueSource::Entity(members) => Write::Entity(self.members(members)?),
            ValueSource::Array(members) => Write::Array(self.members(members)?),
            ValueSource::Extensions(members) => Write::Extensions(self.members(members)?),
            ValueSource::Computed(computed) => Write::Computed(*computed),
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
