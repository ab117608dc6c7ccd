//! Translates Canvas events to Caliper events.
//!
//! The catalogue has the template of each event type's object. This file writes the members that all
//! Caliper events share. A translation reads the stored bytes once and writes directly to a buffer. It
//! writes the members in the order in which Canvas publishes them.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use easel_catalog::{Catalog, Computed, Precision};
use thiserror::Error;
use uuid::Uuid;

use crate::event_context::{EventActor, EventContext};
use crate::event_template::{
    EventTemplate, ResolvedSource, ResolvedTemplate, TemplateMember, TranslatorError, UrnPart,
};
use crate::iri;
use crate::metadata_indexes::MetadataIndexes;
use crate::options::TranslationOptions;
use crate::value::{self, decoded_text, has_content, text_of, time_of, write_time};
use easel_catalog::JsonWriter;

/// The version of the mapping. It changes when the translation of an event changes.
pub const MAPPER_VERSION: &str = "1.0";

/// The context and data version of Caliper 1.1.
pub(crate) const CONTEXT: &str = "http://purl.imsglobal.org/ctx/caliper/v1p1";

/// The prefix of every id in Canvas's own namespace, with the opening quote.
const URN: &[u8] = b"\"urn:instructure:canvas:";

/// How closely a translation follows the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Events as Canvas publishes them, including its deviations from the standard.
    Compatible,
    /// Events as the standard requires them.
    Strict,
}

/// Translates Canvas events to Caliper events.
#[derive(Clone, Debug)]
pub struct Translator {
    catalog: Arc<Catalog>,
    templates: HashMap<&'static str, EventTemplate>,
    indexes: MetadataIndexes,
    options: TranslationOptions,
}

/// A Caliper event, ready for an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaliperEvent {
    /// The JSON of the event.
    pub json: Bytes,
    /// The number of values that were left out because they are invalid for their field, such as an
    /// invalid time.
    pub unreadable: u32,
    /// The range of the installation address in `json`, with its quotes. It is the sensor.
    pub(crate) sensor: std::ops::Range<usize>,
}

/// Why an event has no translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Untranslated {
    /// The event type has no Caliper form.
    #[error("the event type has no Caliper form")]
    NoForm,
    /// The id of the object is missing in the event.
    #[error("the id of the object is missing")]
    NoObject,
}

impl Translator {
    /// Creates a translator for all event types that have a Caliper form.
    pub fn new(
        catalog: Arc<Catalog>,
        options: TranslationOptions,
    ) -> Result<Self, TranslatorError> {
        for role in &options.roles {
            role.check()?;
        }
        let mut templates = HashMap::new();
        for event_type in catalog.types() {
            if let Some(caliper) = &event_type.caliper {
                let template = EventTemplate::new(&catalog, event_type, caliper)?;
                templates.insert(event_type.name, template);
            }
        }
        let indexes = MetadataIndexes::new(&catalog)?;
        Ok(Self {
            catalog,
            templates,
            indexes,
            options,
        })
    }

    /// Returns whether events of this type have a Caliper form.
    pub fn translates(&self, event_type: &str) -> bool {
        self.templates.contains_key(event_type)
    }

    /// Returns the names of the event types that have a Caliper form, sorted.
    pub fn event_types(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.templates.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Translates `event`, the stored bytes of an admitted event of this type, with `id`, the id of the
    /// stored bytes. The translation masks no URLs, so mask the event first.
    pub fn translate(
        &self,
        event_type: &str,
        event: &[u8],
        id: Uuid,
        dialect: Dialect,
    ) -> Result<CaliperEvent, Untranslated> {
        let event_template = self.templates.get(event_type).ok_or(Untranslated::NoForm)?;
        let fields = self.catalog.fields(&event_template.event_type, event);
        let context = EventContext::new(fields, event_template, &self.indexes, &self.options);
        let template = match dialect {
            Dialect::Compatible => &event_template.compatible,
            Dialect::Strict => &event_template.strict,
        };
        let mut writer = EventWriter {
            translator: self,
            context: &context,
            template,
            dialect,
            sensor: 0..0,
            unreadable: Cell::new(0),
        };
        let mut out = JsonWriter::with_capacity(event.len() + 2048);
        let has_object = writer.write(id, &mut out);
        if !has_object {
            return Err(Untranslated::NoObject);
        }
        Ok(CaliperEvent {
            json: out.into_bytes().into(),
            unreadable: writer.unreadable.get(),
            sensor: writer.sensor,
        })
    }
}

/// Writes one Caliper event.
struct EventWriter<'a> {
    translator: &'a Translator,
    context: &'a EventContext<'a>,
    template: &'a ResolvedTemplate,
    dialect: Dialect,
    sensor: std::ops::Range<usize>,
    unreadable: Cell<u32>,
}

impl EventWriter<'_> {
    /// Writes the event and returns whether it has an object.
    fn write(&mut self, id: Uuid, out: &mut JsonWriter) -> bool {
        let mut has_object = false;
        out.object(|out| {
            out.plain_member("\"@context\":", CONTEXT);
            out.member("\"id\":", |out| {
                out.raw(b"\"urn:uuid:");
                out.raw(
                    id.hyphenated()
                        .encode_lower(&mut Uuid::encode_buffer())
                        .as_bytes(),
                );
                out.raw(b"\"");
                true
            });
            out.plain_member("\"type\":", self.template.kind);
            out.member("\"actor\":", |out| self.actor(out));
            out.plain_member("\"action\":", self.template.action);
            has_object = out.member("\"object\":", |out| self.entity(&self.template.object, out));
            out.member("\"eventTime\":", |out| self.event_time(out));
            out.member("\"generated\":", |out| {
                self.entity(&self.template.generated, out)
            });
            let has_referrer = out.member("\"referrer\":", |out| self.referrer(out));
            out.member("\"edApp\":", |out| {
                out.object(|out| {
                    let key = "\"id\":";
                    let start = out.position() + key.len();
                    out.member(key, |out| self.base(out));
                    self.sensor = start..out.position();
                    out.plain_member("\"type\":", "SoftwareApplication");
                })
            });
            if self.template.group {
                out.member("\"group\":", |out| self.group(out));
            }
            out.member("\"membership\":", |out| self.membership(out));
            out.member("\"session\":", |out| self.session(out));
            out.member("\"extensions\":", |out| self.extensions(has_referrer, out));
        });
        has_object
    }

    fn actor(&self, out: &mut JsonWriter) -> bool {
        let context = self.context;
        out.object(|out| match context.actor {
            EventActor::User(id) => {
                out.member("\"id\":", |out| self.canvas_id(out, &[b"user:", id]));
                out.plain_member("\"type\":", "Person");
                out.member("\"extensions\":", |out| {
                    canvas_extensions(out, |out| {
                        for (key, index) in self.translator.indexes.actor_fields {
                            out.member(key, |out| {
                                self.metadata(index, value::ValueFormat::Text, out)
                            });
                        }
                        out.member("\"entity_id\":", |out| write_text(out, id));
                    })
                });
            }
            EventActor::Grader(id) => {
                out.member("\"id\":", |out| self.canvas_id(out, &[b"user:", id]));
                out.plain_member("\"type\":", "Person");
            }
            EventActor::UnknownUser => {
                out.member("\"id\":", |out| self.canvas_id(out, &[b"user:0"]));
                out.plain_member("\"type\":", "Person");
            }
            // The standard requires a person as the actor of these events.
            EventActor::Application
                if self.dialect == Dialect::Strict
                    && !matches!(self.template.kind, "Event" | "GradeEvent") =>
            {
                out.plain_member("\"id\":", "_:anonymous");
                out.plain_member("\"type\":", "Person");
            }
            EventActor::Application => {
                out.member("\"id\":", |out| self.base(out));
                out.plain_member("\"type\":", "SoftwareApplication");
            }
        })
    }

    fn referrer(&self, out: &mut JsonWriter) -> bool {
        let start = out.position();
        let is_written = self.url(self.translator.indexes.referrer, out);
        if is_written && self.dialect == Dialect::Strict {
            // In the strict dialect, `referrer` must be an IRI. Any other URL goes to `extensions`.
            let url = out.since(start);
            let inner = url.get(1..url.len() - 1).unwrap_or_default();
            let encoded = iri::encode_address(inner).into_owned();
            out.truncate(start);
            return str::from_utf8(&encoded).is_ok_and(iri::is_iri) && write_text(out, &encoded);
        }
        is_written
    }

    fn event_time(&self, out: &mut JsonWriter) -> bool {
        let time = self
            .context
            .fields
            .metadata(self.translator.indexes.event_time);
        match time.and_then(|time| time_of(time, Precision::Moment)) {
            Some(time) => {
                write_time(time, out);
                true
            }
            None => false,
        }
    }

    fn base(&self, out: &mut JsonWriter) -> bool {
        let base = match self.dialect {
            Dialect::Compatible => Cow::Borrowed(&*self.context.base),
            Dialect::Strict => iri::encode_base(&self.context.base),
        };
        write_text(out, &base)
    }

    fn group(&self, out: &mut JsonWriter) -> bool {
        let Some(course) = self.context.course else {
            return false;
        };
        out.object(|out| {
            self.organization(course, out);
            out.member("\"extensions\":", |out| {
                canvas_extensions(out, |out| {
                    out.plain_member("\"context_type\":", "Course");
                    out.member("\"entity_id\":", |out| write_text(out, course));
                })
            });
        })
    }

    /// Writes the id and type of the course, or of the section.
    fn organization(&self, course: &[u8], out: &mut JsonWriter) {
        match self.context.section {
            None => {
                out.member("\"id\":", |out| self.canvas_id(out, &[b"course:", course]));
                out.plain_member("\"type\":", "CourseOffering");
            }
            Some(section) => {
                let name = [b"course:", course, b":section:", section];
                out.member("\"id\":", |out| self.canvas_id(out, &name));
                out.plain_member("\"type\":", "CourseSection");
            }
        }
    }

    fn membership(&self, out: &mut JsonWriter) -> bool {
        let (Some(course), Some(user)) = (self.context.course, self.context.actor.id()) else {
            return false;
        };
        let role = self
            .context
            .fields
            .metadata(self.translator.indexes.context_role);
        let role = role.and_then(decoded_text).and_then(|role| {
            let roles = &self.translator.options.roles;
            roles.iter().find(|mapping| mapping.canvas == role)
        });
        let segment = role.map_or("user", |role| &role.segment).as_bytes();
        out.object(|out| {
            out.member("\"id\":", |out| match self.context.section {
                None => self.canvas_id(out, &[b"course:", course, b":", segment, b":", user]),
                Some(section) => self.canvas_id(
                    out,
                    &[
                        b"course:",
                        course,
                        b":section:",
                        section,
                        b":",
                        segment,
                        b":",
                        user,
                    ],
                ),
            });
            out.plain_member("\"type\":", "Membership");
            out.member("\"member\":", |out| {
                out.object(|out| {
                    out.member("\"id\":", |out| self.canvas_id(out, &[b"user:", user]));
                    out.plain_member("\"type\":", "Person");
                })
            });
            out.member("\"organization\":", |out| {
                out.object(|out| {
                    self.organization(course, out);
                    if self.context.section.is_some() {
                        out.member("\"subOrganizationOf\":", |out| {
                            out.object(|out| {
                                out.member("\"id\":", |out| {
                                    self.canvas_id(out, &[b"course:", course])
                                });
                                out.plain_member("\"type\":", "CourseOffering");
                            })
                        });
                    }
                })
            });
            let mapped = role.map(|role| role.roles.as_slice());
            let member = ["Member".to_owned()];
            let roles = match (mapped, self.dialect) {
                (Some(roles), _) => roles,
                (None, Dialect::Strict) => &member,
                (None, Dialect::Compatible) => &[],
            };
            out.member("\"roles\":", |out| {
                for (index, role) in roles.iter().enumerate() {
                    out.raw(if index == 0 { b"[\"" } else { b"\",\"" });
                    out.raw(role.as_bytes());
                }
                out.raw(b"\"]");
                !roles.is_empty()
            });
        })
    }

    fn session(&self, out: &mut JsonWriter) -> bool {
        let session = self
            .context
            .fields
            .metadata(self.translator.indexes.session_id);
        let Some(session) = session.and_then(text_of) else {
            return false;
        };
        out.object(|out| {
            out.member("\"id\":", |out| {
                self.canvas_id(out, &[b"session:", session])
            });
            out.plain_member("\"type\":", "Session");
        })
    }

    fn extensions(&self, has_referrer: bool, out: &mut JsonWriter) -> bool {
        let indexes = &self.translator.indexes;
        out.object(|out| {
            out.member("\"com.instructure.canvas\":", |out| {
                out.object(|out| {
                    for (key, index) in indexes.request_fields {
                        out.member(key, |out| {
                            self.metadata(index, value::ValueFormat::Text, out)
                        });
                    }
                    out.member("\"request_url\":", |out| self.url(indexes.url, out));
                    if self.dialect == Dialect::Strict && !has_referrer {
                        out.member("\"referrer\":", |out| self.url(indexes.referrer, out));
                    }
                    for (key, index) in indexes.job_fields {
                        out.member(key, |out| {
                            self.metadata(index, value::ValueFormat::Text, out)
                        });
                    }
                    out.plain_member("\"version\":", "1.0.0");
                })
            });
            if self.dialect == Dialect::Strict {
                out.member("\"easel\":", |out| {
                    out.object(|out| out.plain_member("\"mapper_version\":", MAPPER_VERSION))
                });
            }
        })
    }

    fn metadata(&self, index: usize, format: value::ValueFormat, out: &mut JsonWriter) -> bool {
        self.write_value(self.context.fields.metadata(index), format, out)
    }

    /// Writes a value. Counts a value that has content but cannot be written.
    fn write_value(
        &self,
        value: Option<&[u8]>,
        format: value::ValueFormat,
        out: &mut JsonWriter,
    ) -> bool {
        let Some(value) = value else {
            return false;
        };
        let is_written = format.write(value, out);
        if !is_written && format != value::ValueFormat::Nothing && has_content(value) {
            self.unreadable.set(self.unreadable.get() + 1);
        }
        is_written
    }

    fn url(&self, index: usize, out: &mut JsonWriter) -> bool {
        let value = self.context.fields.metadata(index).and_then(text_of);
        value.is_some_and(|url| write_text(out, url))
    }

    /// Writes an entity, unless its id is missing or it has no members.
    fn entity(&self, members: &[TemplateMember], out: &mut JsonWriter) -> bool {
        let start = out.position();
        let mut has_id = true;
        let has_members = out.object(|out| {
            for member in members {
                let is_written = out.member(&member.key, |out| self.value(&member.value, out));
                if member.is_id && !is_written {
                    has_id = false;
                    return;
                }
            }
        });
        if !has_id {
            out.truncate(start);
        }
        has_members && has_id
    }

    fn value(&self, source: &ResolvedSource, out: &mut JsonWriter) -> bool {
        let fields = &self.context.fields;
        match source {
            ResolvedSource::Constant(constant) => write_text(out, constant.as_bytes()),
            ResolvedSource::Body(index, format) => {
                self.write_value(fields.body(*index), *format, out)
            }
            ResolvedSource::Metadata(index, format) => self.metadata(*index, *format, out),
            ResolvedSource::Urn(parts) => self.urn(parts, out),
            ResolvedSource::Entity(members) => self.entity(members, out),
            ResolvedSource::Array(members) => {
                out.raw(b"[");
                let is_written = self.entity(members, out);
                out.raw(b"]");
                is_written
            }
            ResolvedSource::Extensions(members) => canvas_extensions(out, |out| {
                for member in members {
                    out.member(&member.key, |out| self.value(&member.value, out));
                }
            }),
            ResolvedSource::Computed(computed) => self.computed(*computed, out),
        }
    }

    fn computed(&self, computed: Computed, out: &mut JsonWriter) -> bool {
        let asset = self.context.asset;
        match computed {
            Computed::Base => self.base(out),
            Computed::GraderUrn => match self.context.actor.id() {
                Some(grader) => self.canvas_id(out, &[b"user:", grader]),
                None => self.base(out),
            },
            Computed::AssetClass => write_text(out, asset.caliper_type().as_bytes()),
            Computed::AssetStrictClass => write_text(
                out,
                match asset.caliper_type() {
                    "Entity" => b"DigitalResource",
                    caliper_type => caliper_type.as_bytes(),
                },
            ),
            Computed::AssetName => asset.name().is_some_and(|name| write_text(out, name)),
        }
    }

    /// Writes an id in Canvas's own namespace.
    fn canvas_id(&self, out: &mut JsonWriter, parts: &[&[u8]]) -> bool {
        out.raw(URN);
        for part in parts {
            self.id_part(out, part);
        }
        out.raw(b"\"");
        true
    }

    /// Writes a part of an id. The strict dialect encodes it so that the id is a valid URN.
    fn id_part(&self, out: &mut JsonWriter, part: &[u8]) {
        match self.dialect {
            Dialect::Compatible => out.raw(part),
            Dialect::Strict => out.raw(&iri::encode_part(part)),
        }
    }

    fn urn(&self, parts: &[UrnPart], out: &mut JsonWriter) -> bool {
        let start = out.position();
        out.raw(URN);
        for part in parts {
            let id = match part {
                UrnPart::Literal(literal) => Some(literal.as_bytes()),
                UrnPart::Id(index) => self.context.fields.body(*index).and_then(text_of),
                UrnPart::ActorId => self.context.actor.id(),
                UrnPart::AssetKind => self.context.asset.urn_kind(),
                UrnPart::AssetList => match self.context.asset.urn_suffix() {
                    Some(suffix) => {
                        out.raw(b":");
                        Some(suffix)
                    }
                    None => Some(b"".as_slice()),
                },
            };
            let Some(id) = id else {
                out.truncate(start);
                return false;
            };
            self.id_part(out, id);
        }
        out.raw(b"\"");
        true
    }
}

/// Writes a raw text with quotes around it. Always returns true.
fn write_text(out: &mut JsonWriter, text: &[u8]) -> bool {
    out.raw(b"\"");
    out.raw(text);
    out.raw(b"\"");
    true
}

/// Writes extensions in Canvas's own namespace, unless they are empty.
fn canvas_extensions(out: &mut JsonWriter, members: impl FnOnce(&mut JsonWriter)) -> bool {
    out.object(|out| {
        out.member("\"com.instructure.canvas\":", |out| out.object(members));
    })
}
