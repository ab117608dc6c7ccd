//! Translates Canvas events to Caliper events.
//!
//! The catalogue defines the object of each event type. The members that all Caliper events share
//! are written here. A translation reads the stored bytes once and writes directly to a buffer. It
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
use crate::event_template::{EventTemplate, FormError, Program, TemplateMember, UrnPart, Write};
use crate::iri;
use crate::options::{Secrets, TranslationOptions};
use crate::places::Places;
use crate::secrets;
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
    places: Places,
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
    pub fn new(catalog: Arc<Catalog>, options: TranslationOptions) -> Result<Self, FormError> {
        for role in &options.roles {
            role.check()?;
        }
        let mut templates = HashMap::new();
        for event_type in catalog.types() {
            if let Some(form) = &event_type.caliper {
                let template = EventTemplate::new(&catalog, event_type, form)?;
                templates.insert(event_type.name, template);
            }
        }
        let places = Places::new(&catalog)?;
        Ok(Self {
            catalog,
            templates,
            places,
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

    /// Translates `event`, the stored bytes of an admitted event of this type.
    pub fn translate(
        &self,
        event_type: &str,
        event: &[u8],
        id: Uuid,
        dialect: Dialect,
    ) -> Result<CaliperEvent, Untranslated> {
        let template = self.templates.get(event_type).ok_or(Untranslated::NoForm)?;
        let fields = self.catalog.fields(&template.event_type, event);
        let context = EventContext::new(fields, template, &self.places, &self.options);
        let program = match dialect {
            Dialect::Compatible => &template.compatible,
            Dialect::Strict => &template.strict,
        };
        let mut writer = EventWriter {
            translator: self,
            context: &context,
            program,
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
    program: &'a Program,
    dialect: Dialect,
    sensor: std::ops::Range<usize>,
    unreadable: Cell<u32>,
}

impl EventWriter<'_> {
    /// Writes the event and returns whether it has an object.
    fn write(&mut self, id: Uuid, out: &mut JsonWriter) -> bool {
        let mut has_object = false;
        out.object(|out| {
            out.plain("\"@context\":", CONTEXT);
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
            out.plain("\"type\":", self.program.kind);
            out.member("\"actor\":", |out| self.actor(out));
            out.plain("\"action\":", self.program.action);
            has_object = out.member("\"object\":", |out| self.entity(&self.program.object, out));
            out.member("\"eventTime\":", |out| self.event_time(out));
            out.member("\"generated\":", |out| {
                self.entity(&self.program.generated, out)
            });
            let has_referrer = out.member("\"referrer\":", |out| self.referrer(out));
            out.member("\"edApp\":", |out| {
                out.object(|out| {
                    let key = "\"id\":";
                    let start = out.mark() + key.len();
                    out.member(key, |out| self.base(out));
                    self.sensor = start..out.mark();
                    out.plain("\"type\":", "SoftwareApplication");
                })
            });
            if self.program.group {
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
                out.plain("\"type\":", "Person");
                out.member("\"extensions\":", |out| {
                    canvas(out, |out| {
                        for (key, place) in self.translator.places.actor_fields {
                            out.member(key, |out| {
                                self.metadata(place, value::ValueFormat::Text, out)
                            });
                        }
                        out.member("\"entity_id\":", |out| text(out, id));
                    })
                });
            }
            EventActor::Grader(id) => {
                out.member("\"id\":", |out| self.canvas_id(out, &[b"user:", id]));
                out.plain("\"type\":", "Person");
            }
            EventActor::SomeUser => {
                out.member("\"id\":", |out| self.canvas_id(out, &[b"user:0"]));
                out.plain("\"type\":", "Person");
            }
            // The standard requires a person as the actor of these events.
            EventActor::Application
                if self.dialect == Dialect::Strict
                    && !matches!(self.program.kind, "Event" | "GradeEvent") =>
            {
                out.plain("\"id\":", "_:anonymous");
                out.plain("\"type\":", "Person");
            }
            EventActor::Application => {
                out.member("\"id\":", |out| self.base(out));
                out.plain("\"type\":", "SoftwareApplication");
            }
        })
    }

    fn referrer(&self, out: &mut JsonWriter) -> bool {
        let mark = out.mark();
        let is_there = self.address(self.translator.places.referrer, out);
        if is_there && self.dialect == Dialect::Strict {
            // Strict form: `referrer` must be an IRI; anything else goes to `extensions`.
            let address = out.since(mark);
            let inner = address.get(1..address.len() - 1).unwrap_or_default();
            let encoded = iri::address(inner).into_owned();
            out.take_back(mark);
            return str::from_utf8(&encoded).is_ok_and(iri::is_iri) && text(out, &encoded);
        }
        is_there
    }

    fn event_time(&self, out: &mut JsonWriter) -> bool {
        let time = self
            .context
            .fields
            .metadata(self.translator.places.event_time);
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
            Dialect::Strict => iri::base(&self.context.base),
        };
        text(out, &base)
    }

    fn group(&self, out: &mut JsonWriter) -> bool {
        let Some(course) = self.context.course else {
            return false;
        };
        out.object(|out| {
            self.organization(course, out);
            out.member("\"extensions\":", |out| {
                canvas(out, |out| {
                    out.plain("\"context_type\":", "Course");
                    out.member("\"entity_id\":", |out| text(out, course));
                })
            });
        })
    }

    /// Writes the id and type of the course, or of the section.
    fn organization(&self, course: &[u8], out: &mut JsonWriter) {
        match self.context.section {
            None => {
                out.member("\"id\":", |out| self.canvas_id(out, &[b"course:", course]));
                out.plain("\"type\":", "CourseOffering");
            }
            Some(section) => {
                let name = [b"course:", course, b":section:", section];
                out.member("\"id\":", |out| self.canvas_id(out, &name));
                out.plain("\"type\":", "CourseSection");
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
            .metadata(self.translator.places.context_role);
        let role = role.and_then(decoded_text).and_then(|role| {
            let roles = &self.translator.options.roles;
            roles.iter().find(|known| known.canvas == role)
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
            out.plain("\"type\":", "Membership");
            out.member("\"member\":", |out| {
                out.object(|out| {
                    out.member("\"id\":", |out| self.canvas_id(out, &[b"user:", user]));
                    out.plain("\"type\":", "Person");
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
                                out.plain("\"type\":", "CourseOffering");
                            })
                        });
                    }
                })
            });
            let known = role.map(|role| role.roles.as_slice());
            let member = ["Member".to_owned()];
            let roles = match (known, self.dialect) {
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
            .metadata(self.translator.places.session_id);
        let Some(session) = session.and_then(text_of) else {
            return false;
        };
        out.object(|out| {
            out.member("\"id\":", |out| {
                self.canvas_id(out, &[b"session:", session])
            });
            out.plain("\"type\":", "Session");
        })
    }

    fn extensions(&self, has_referrer: bool, out: &mut JsonWriter) -> bool {
        let places = &self.translator.places;
        out.object(|out| {
            out.member("\"com.instructure.canvas\":", |out| {
                out.object(|out| {
                    for (key, place) in places.request_fields {
                        out.member(key, |out| {
                            self.metadata(place, value::ValueFormat::Text, out)
                        });
                    }
                    out.member("\"request_url\":", |out| self.address(places.url, out));
                    if self.dialect == Dialect::Strict && !has_referrer {
                        out.member("\"referrer\":", |out| self.address(places.referrer, out));
                    }
                    for (key, place) in places.job_fields {
                        out.member(key, |out| {
                            self.metadata(place, value::ValueFormat::Text, out)
                        });
                    }
                    out.plain("\"version\":", "1.0.0");
                })
            });
            if self.dialect == Dialect::Strict {
                out.member("\"easel\":", |out| {
                    out.object(|out| out.plain("\"mapper_version\":", MAPPER_VERSION))
                });
            }
        })
    }

    fn metadata(&self, place: usize, format: value::ValueFormat, out: &mut JsonWriter) -> bool {
        self.written(self.context.fields.metadata(place), format, out)
    }

    /// Writes a value. Counts a value that has content but cannot be written.
    fn written(
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

    fn address(&self, place: usize, out: &mut JsonWriter) -> bool {
        let value = self.context.fields.metadata(place).and_then(text_of);
        match (value, self.translator.options.secrets) {
            (None, _) => false,
            (Some(address), Secrets::Masked) => text(out, &secrets::mask(address)),
            (Some(address), Secrets::Sent) => text(out, address),
        }
    }

    /// Writes an entity, unless its id is missing or it has no members.
    fn entity(&self, members: &[TemplateMember], out: &mut JsonWriter) -> bool {
        let mark = out.mark();
        let mut has_id = true;
        let written = out.object(|out| {
            for member in members {
                let is_there = out.member(&member.key, |out| self.value(&member.value, out));
                if member.is_id && !is_there {
                    has_id = false;
                    return;
                }
            }
        });
        if !has_id {
            out.take_back(mark);
        }
        written && has_id
    }

    fn value(&self, write: &Write, out: &mut JsonWriter) -> bool {
        let fields = &self.context.fields;
        match write {
            Write::Constant(constant) => text(out, constant.as_bytes()),
            Write::Body(place, format) => self.written(fields.body(*place), *format, out),
            Write::Metadata(place, format) => self.metadata(*place, *format, out),
            Write::Urn(parts) => self.urn(parts, out),
            Write::Entity(members) => self.entity(members, out),
            Write::Array(members) => {
                out.raw(b"[");
                let is_there = self.entity(members, out);
                out.raw(b"]");
                is_there
            }
            Write::Extensions(members) => canvas(out, |out| {
                for member in members {
                    out.member(&member.key, |out| self.value(&member.value, out));
                }
            }),
            Write::Computed(computed) => self.computed(*computed, out),
        }
    }

    fn computed(&self, computed: Computed, out: &mut JsonWriter) -> bool {
        let asset = self.context.asset;
        match computed {
            Computed::Base => self.base(out),
            Computed::GraderName => match self.context.actor.id() {
                Some(grader) => self.canvas_id(out, &[b"user:", grader]),
                None => self.base(out),
            },
            Computed::AssetClass => text(out, asset.class().as_bytes()),
            Computed::AssetStrictClass => text(
                out,
                match asset.class() {
                    "Entity" => b"DigitalResource",
                    class => class.as_bytes(),
                },
            ),
            Computed::AssetName => asset.name().is_some_and(|name| text(out, name)),
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
            Dialect::Strict => out.raw(&iri::part(part)),
        }
    }

    fn urn(&self, parts: &[UrnPart], out: &mut JsonWriter) -> bool {
        let mark = out.mark();
        out.raw(URN);
        for part in parts {
            let id = match part {
                UrnPart::Literal(literal) => Some(literal.as_bytes()),
                UrnPart::Id(place) => self.context.fields.body(*place).and_then(text_of),
                UrnPart::ActorId => self.context.actor.id(),
                UrnPart::AssetKind => self.context.asset.name_kind(),
                UrnPart::AssetList => match self.context.asset.page() {
                    Some(page) => {
                        out.raw(b":");
                        Some(page)
                    }
                    None => Some(b"".as_slice()),
                },
            };
            let Some(id) = id else {
                out.take_back(mark);
                return false;
            };
            self.id_part(out, id);
        }
        out.raw(b"\"");
        true
    }
}

/// Writes a raw text with quotes around it.
fn text(out: &mut JsonWriter, text: &[u8]) -> bool {
    out.raw(b"\"");
    out.raw(text);
    out.raw(b"\"");
    true
}

/// Writes extensions in Canvas's own namespace, unless they are empty.
fn canvas(out: &mut JsonWriter, members: impl FnOnce(&mut JsonWriter)) -> bool {
    out.object(|out| {
        out.member("\"com.instructure.canvas\":", |out| out.object(members));
    })
}
