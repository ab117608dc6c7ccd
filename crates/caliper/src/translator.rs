//! Canvas events as Caliper events.
//!
//! What an event type becomes is data, in the catalogue; what all have in common, the frame around
//! it, is written here. A translation reads the stored bytes once and writes straight to a buffer,
//! in the order in which Canvas publishes the members.

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
use crate::json_writer::JsonWriter;
use crate::options::{Secrets, TranslationOptions};
use crate::places::Places;
use crate::secrets;
use crate::value::{self, read, says_something, text_of, time_of, write_time};

/// The version of the mapping: it changes when the same event is translated in another way.
pub const MAPPER_VERSION: &str = "1.0";

/// The context, and the version of the data, that the standard asks for.
pub(crate) const CONTEXT: &str = "http://purl.imsglobal.org/ctx/caliper/v1p1";

/// What every name in Canvas's own namespace begins with.
const URN: &[u8] = b"\"urn:instructure:canvas:";

/// How close to the standard a translation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// As Canvas publishes it, faults included.
    Compatible,
    /// As the standard wants it.
    Strict,
}

/// Translates events.
#[derive(Clone, Debug)]
pub struct Translator {
    catalog: Arc<Catalog>,
    forms: HashMap<&'static str, EventTemplate>,
    places: Places,
    options: TranslationOptions,
}

/// A Caliper event, to be put into an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaliperEvent {
    /// Its JSON.
    pub json: Bytes,
    /// How many values of the event were left out because they are no values of their field's
    /// kind, such as a time that is none.
    pub unreadable: u32,
    /// Where in it the address of the installation is, quotes included: the sensor.
    pub(crate) sensor: std::ops::Range<usize>,
}

/// Why an event has no translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Untranslated {
    /// Its type has no Caliper form.
    #[error("its type has no Caliper form")]
    NoForm,
    /// It does not tell what was acted upon.
    #[error("it does not tell the id of what was acted upon")]
    NoObject,
}

impl Translator {
    /// A translator for all event types that have a Caliper form.
    pub fn new(catalog: Arc<Catalog>, options: TranslationOptions) -> Result<Self, FormError> {
        for role in &options.roles {
            role.check()?;
        }
        let mut forms = HashMap::new();
        for of in catalog.types() {
            if let Some(form) = &of.caliper {
                forms.insert(of.name, EventTemplate::new(&catalog, of, form)?);
            }
        }
        let places = Places::of(&catalog)?;
        Ok(Self {
            catalog,
            forms,
            places,
            options,
        })
    }

    /// Whether events of this type have a Caliper form.
    pub fn translates(&self, event_type: &str) -> bool {
        self.forms.contains_key(event_type)
    }

    /// The event types that have a Caliper form, by name.
    pub fn event_types(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.forms.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Translates `event`, an admitted event of the type named in its stored form.
    pub fn translate(
        &self,
        event_type: &str,
        event: &[u8],
        id: Uuid,
        dialect: Dialect,
    ) -> Result<CaliperEvent, Untranslated> {
        let form = self.forms.get(event_type).ok_or(Untranslated::NoForm)?;
        let fields = self.catalog.fields(&form.event_type, event);
        let scene = EventContext::new(fields, form, &self.places, &self.options);
        let program = match dialect {
            Dialect::Compatible => &form.compatible,
            Dialect::Strict => &form.strict,
        };
        let mut frame = EventWriter {
            translator: self,
            scene: &scene,
            program,
            dialect,
            sensor: 0..0,
            unreadable: Cell::new(0),
        };
        let mut out = JsonWriter::with_capacity(event.len() + 2048);
        let is_whole = frame.write(id, &mut out);
        if !is_whole {
            return Err(Untranslated::NoObject);
        }
        Ok(CaliperEvent {
            json: out.into_bytes().into(),
            unreadable: frame.unreadable.get(),
            sensor: frame.sensor,
        })
    }
}

/// What is around the object of an event, and it.
struct EventWriter<'a> {
    translator: &'a Translator,
    scene: &'a EventContext<'a>,
    program: &'a Program,
    dialect: Dialect,
    sensor: std::ops::Range<usize>,
    unreadable: Cell<u32>,
}

impl EventWriter<'_> {
    /// Writes the event; `false` when it has no object.
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
        let scene = self.scene;
        out.object(|out| match scene.actor {
            EventActor::User(id) => {
                out.member("\"id\":", |out| self.name(out, &[b"user:", id]));
                out.plain("\"type\":", "Person");
                out.member("\"extensions\":", |out| {
                    canvas(out, |out| {
                        for (key, place) in self.translator.places.of_actor {
                            out.member(key, |out| {
                                self.metadata(place, value::ValueFormat::Text, out)
                            });
                        }
                        out.member("\"entity_id\":", |out| text(out, id));
                    })
                });
            }
            EventActor::Grader(id) => {
                out.member("\"id\":", |out| self.name(out, &[b"user:", id]));
                out.plain("\"type\":", "Person");
            }
            EventActor::SomeUser => {
                out.member("\"id\":", |out| self.name(out, &[b"user:0"]));
                out.plain("\"type\":", "Person");
            }
            // Of these events the standard says that a person acts.
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
            // An entity is told by a name, and what is none is left to the extensions.
            let address = out.since(mark);
            let inner = address.get(1..address.len() - 1).unwrap_or_default();
            let name = iri::address(inner).into_owned();
            out.take_back(mark);
            return str::from_utf8(&name).is_ok_and(iri::is_iri) && text(out, &name);
        }
        is_there
    }

    fn event_time(&self, out: &mut JsonWriter) -> bool {
        let time = self
            .scene
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
            Dialect::Compatible => Cow::Borrowed(&*self.scene.base),
            Dialect::Strict => iri::base(&self.scene.base),
        };
        text(out, &base)
    }

    fn group(&self, out: &mut JsonWriter) -> bool {
        let Some(course) = self.scene.course else {
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

    /// Name and type of the course, or of the section.
    fn organization(&self, course: &[u8], out: &mut JsonWriter) {
        match self.scene.section {
            None => {
                out.member("\"id\":", |out| self.name(out, &[b"course:", course]));
                out.plain("\"type\":", "CourseOffering");
            }
            Some(section) => {
                let name = [b"course:", course, b":section:", section];
                out.member("\"id\":", |out| self.name(out, &name));
                out.plain("\"type\":", "CourseSection");
            }
        }
    }

    fn membership(&self, out: &mut JsonWriter) -> bool {
        let (Some(course), Some(user)) = (self.scene.course, self.scene.actor.id()) else {
            return false;
        };
        let role = self
            .scene
            .fields
            .metadata(self.translator.places.context_role);
        let role = role.and_then(read).and_then(|role| {
            let roles = &self.translator.options.roles;
            roles.iter().find(|it| it.canvas == role)
        });
        let segment = role.map_or("user", |role| &role.segment).as_bytes();
        out.object(|out| {
            out.member("\"id\":", |out| match self.scene.section {
                None => self.name(out, &[b"course:", course, b":", segment, b":", user]),
                Some(section) => self.name(
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
                    out.member("\"id\":", |out| self.name(out, &[b"user:", user]));
                    out.plain("\"type\":", "Person");
                })
            });
            out.member("\"organization\":", |out| {
                out.object(|out| {
                    self.organization(course, out);
                    if self.scene.section.is_some() {
                        out.member("\"subOrganizationOf\":", |out| {
                            out.object(|out| {
                                out.member("\"id\":", |out| self.name(out, &[b"course:", course]));
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
            .scene
            .fields
            .metadata(self.translator.places.session_id);
        let Some(session) = session.and_then(text_of) else {
            return false;
        };
        out.object(|out| {
            out.member("\"id\":", |out| self.name(out, &[b"session:", session]));
            out.plain("\"type\":", "Session");
        })
    }

    fn extensions(&self, has_referrer: bool, out: &mut JsonWriter) -> bool {
        let places = &self.translator.places;
        out.object(|out| {
            out.member("\"com.instructure.canvas\":", |out| {
                out.object(|out| {
                    for (key, place) in places.of_request {
                        out.member(key, |out| {
                            self.metadata(place, value::ValueFormat::Text, out)
                        });
                    }
                    out.member("\"request_url\":", |out| self.address(places.url, out));
                    if self.dialect == Dialect::Strict && !has_referrer {
                        out.member("\"referrer\":", |out| self.address(places.referrer, out));
                    }
                    for (key, place) in places.of_job {
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

    fn metadata(&self, place: usize, form: value::ValueFormat, out: &mut JsonWriter) -> bool {
        self.written(self.scene.fields.metadata(place), form, out)
    }

    /// Writes a value; counts one that cannot be.
    fn written(
        &self,
        value: Option<&[u8]>,
        form: value::ValueFormat,
        out: &mut JsonWriter,
    ) -> bool {
        let Some(value) = value else {
            return false;
        };
        let is_written = form.write(value, out);
        if !is_written && form != value::ValueFormat::Nothing && says_something(value) {
            self.unreadable.set(self.unreadable.get() + 1);
        }
        is_written
    }

    fn address(&self, place: usize, out: &mut JsonWriter) -> bool {
        let value = self.scene.fields.metadata(place).and_then(text_of);
        match (value, self.translator.options.secrets) {
            (None, _) => false,
            (Some(address), Secrets::Masked) => text(out, &secrets::mask(address)),
            (Some(address), Secrets::Sent) => text(out, address),
        }
    }

    /// Writes an entity, unless it has no name or nothing is listed for it.
    fn entity(&self, steps: &[TemplateMember], out: &mut JsonWriter) -> bool {
        let mark = out.mark();
        let mut has_name = true;
        let written = out.object(|out| {
            for step in steps {
                let is_there = out.member(&step.key, |out| self.value(&step.value, out));
                if step.is_id && !is_there {
                    has_name = false;
                    return;
                }
            }
        });
        if !has_name {
            out.take_back(mark);
        }
        written && has_name
    }

    fn value(&self, write: &Write, out: &mut JsonWriter) -> bool {
        let scene = self.scene;
        match write {
            Write::Constant(constant) => text(out, constant.as_bytes()),
            Write::Body(place, form) => self.written(scene.fields.body(*place), *form, out),
            Write::Metadata(place, form) => self.metadata(*place, *form, out),
            Write::Urn(parts) => self.urn(parts, out),
            Write::Entity(steps) => self.entity(steps, out),
            Write::Array(steps) => {
                out.raw(b"[");
                let is_there = self.entity(steps, out);
                out.raw(b"]");
                is_there
            }
            Write::Extensions(steps) => canvas(out, |out| {
                for step in steps {
                    out.member(&step.key, |out| self.value(&step.value, out));
                }
            }),
            Write::Computed(it) => self.computed(*it, out),
        }
    }

    fn computed(&self, it: Computed, out: &mut JsonWriter) -> bool {
        let asset = self.scene.asset;
        match it {
            Computed::Base => self.base(out),
            Computed::GraderName => match self.scene.actor.id() {
                Some(grader) => self.name(out, &[b"user:", grader]),
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

    /// Writes a name in Canvas's own namespace.
    fn name(&self, out: &mut JsonWriter, parts: &[&[u8]]) -> bool {
        out.raw(URN);
        for part in parts {
            self.name_part(out, part);
        }
        out.raw(b"\"");
        true
    }

    /// Writes a part of a name: as it is, or so that the whole is a name by the standard.
    fn name_part(&self, out: &mut JsonWriter, part: &[u8]) {
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
                UrnPart::Id(place) => self.scene.fields.body(*place).and_then(text_of),
                UrnPart::ActorId => self.scene.actor.id(),
                UrnPart::AssetKind => self.scene.asset.name_kind(),
                UrnPart::AssetList => match self.scene.asset.page() {
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
            self.name_part(out, id);
        }
        out.raw(b"\"");
        true
    }
}

/// Writes a text as it stands between quotes.
fn text(out: &mut JsonWriter, text: &[u8]) -> bool {
    out.raw(b"\"");
    out.raw(text);
    out.raw(b"\"");
    true
}

/// Writes extensions in Canvas's own namespace, unless there are none.
fn canvas(out: &mut JsonWriter, members: impl FnOnce(&mut JsonWriter)) -> bool {
    out.object(|out| {
        out.member("\"com.instructure.canvas\":", |out| out.object(members));
    })
}
