//! The Caliper template of one event type, with its field names resolved to indexes.

use easel_catalog::{
    ActorSource, CaliperTemplate, Catalog, Computed, CourseSource, DialectTemplate, EventType,
    Field, Part, TemplateProperty, ValueSource,
};
use thiserror::Error;

use crate::value;

/// Why a translator cannot be created.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TranslatorError {
    /// The Caliper template of an event type names a field that the event type does not have.
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

/// The Caliper template of one event type, with indexes instead of field names.
#[derive(Clone, Debug)]
pub(crate) struct EventTemplate {
    pub(crate) event_type: EventType,
    pub(crate) actor: ResolvedActor,
    /// True if the actor is always a user, even if the user is unknown.
    pub(crate) by_user: bool,
    pub(crate) course: ResolvedCourse,
    /// The index of the body field with the section.
    pub(crate) section: Option<usize>,
    pub(crate) asset: Option<ResolvedAsset>,
    pub(crate) compatible: ResolvedTemplate,
    pub(crate) strict: ResolvedTemplate,
}

/// Where the actor comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResolvedActor {
    Metadata,
    /// The metadata or, if the actor is missing there, this field of the body.
    Author(usize),
    /// This field of the body.
    Grader(usize),
}

/// Where the course comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResolvedCourse {
    /// These fields of the body (type and id) or, if the course is missing there, the metadata.
    Context(Option<(usize, usize)>),
    Field(usize),
    Nowhere,
}

/// The indexes of the body fields that describe an accessed asset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResolvedAsset {
    pub(crate) kind: usize,
    pub(crate) list: usize,
}

/// The template of one dialect, with its members in output order.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedTemplate {
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
    pub(crate) value: ResolvedSource,
    /// True if this member is the id. An entity without an id is not written.
    pub(crate) is_id: bool,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum ResolvedSource {
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
        caliper: &CaliperTemplate,
    ) -> Result<Self, TranslatorError> {
        let resolver = FieldResolver {
            catalog,
            event_type,
        };
        let index = |field| resolver.body(field).map(|(index, _)| index);
        let find = |name| event_type.body.iter().position(|field| field.name == name);
        Ok(Self {
            event_type: *event_type,
            actor: match caliper.actor {
                ActorSource::MetadataUser => ResolvedActor::Metadata,
                ActorSource::BodyAuthor(field) => ResolvedActor::Author(index(field)?),
                ActorSource::BodyGrader(field) => ResolvedActor::Grader(index(field)?),
            },
            by_user: caliper.by_user,
            course: match caliper.course {
                CourseSource::OfContext => {
                    ResolvedCourse::Context(find("context_type").zip(find("context_id")))
                }
                CourseSource::OfField(field) => ResolvedCourse::Field(index(field)?),
                CourseSource::Nowhere => ResolvedCourse::Nowhere,
            },
            section: caliper.section.map(index).transpose()?,
            asset: find("asset_type")
                .zip(find("asset_subtype"))
                .map(|(kind, list)| ResolvedAsset { kind, list }),
            compatible: resolver.template(&caliper.compatible)?,
            strict: resolver.template(&caliper.strict)?,
        })
    }
}

/// Resolves field names to indexes.
struct FieldResolver<'a> {
    catalog: &'a Catalog,
    event_type: &'a EventType,
}

impl FieldResolver<'_> {
    fn body(&self, name: &str) -> Result<(usize, value::ValueFormat), TranslatorError> {
        self.find(self.event_type.body.iter(), name)
    }

    fn find<'f>(
        &self,
        fields: impl Iterator<Item = &'f Field>,
        name: &str,
    ) -> Result<(usize, value::ValueFormat), TranslatorError> {
        let found = fields.enumerate().find(|(_, field)| field.name == name);
        let (index, field) = found.ok_or_else(|| TranslatorError::Field {
            event_type: self.event_type.name.to_owned(),
            field: name.to_owned(),
        })?;
        Ok((index, value::ValueFormat::from_kind(&field.kind)))
    }

    fn template(&self, template: &DialectTemplate) -> Result<ResolvedTemplate, TranslatorError> {
        Ok(ResolvedTemplate {
            kind: template.kind,
            action: template.action,
            group: template.group,
            object: self.members(&template.object)?,
            generated: self.members(&template.generated)?,
        })
    }

    fn members(
        &self,
        properties: &[TemplateProperty],
    ) -> Result<Vec<TemplateMember>, TranslatorError> {
        let members = properties.iter().map(|property| {
            Ok(TemplateMember {
                key: format!("\"{}\":", property.key),
                value: self.source(&property.value)?,
                is_id: property.key == "id",
            })
        });
        members.collect()
    }

    fn source(&self, source: &ValueSource) -> Result<ResolvedSource, TranslatorError> {
        Ok(match source {
            ValueSource::Constant(text) => ResolvedSource::Constant(text),
            ValueSource::OfBody(name) => {
                let (index, format) = self.body(name)?;
                ResolvedSource::Body(index, format)
            }
            ValueSource::OfMetadata(name) => {
                let fields = self
                    .catalog
                    .metadata()
                    .iter()
                    .map(|metadata| &metadata.field);
                let (index, format) = self.find(fields, name)?;
                ResolvedSource::Metadata(index, format)
            }
            ValueSource::Urn(parts) => ResolvedSource::Urn(self.parts(parts)?),
            ValueSource::Entity(members) => ResolvedSource::Entity(self.members(members)?),
            ValueSource::Array(members) => ResolvedSource::Array(self.members(members)?),
            ValueSource::Extensions(members) => ResolvedSource::Extensions(self.members(members)?),
            ValueSource::Computed(computed) => ResolvedSource::Computed(*computed),
        })
    }

    fn parts(&self, parts: &[Part]) -> Result<Vec<UrnPart>, TranslatorError> {
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
