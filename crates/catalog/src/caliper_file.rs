//! The files the Caliper forms are written in.
//!
//! The form of `grade_change` is in `grade_change.caliper.toml`, beside its other file: `type`,
//! `action`, and an `[object]` with its properties in the order in which they are written. A value
//! is the name of a field of the body, `metadata.` and one of the metadata, a name with fields in
//! braces, a constant in quotes of its own, something worked out, or a table. `[strict]` has what
//! differs in the form that keeps to the standard.

use serde::Deserialize;
use toml::{Table, Value};

use crate::caliper_form::{
    ActorSource, CaliperForm, Computed, CourseSource, Part, Template, TemplateProperty, ValueSource,
};
use crate::list::List;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FormToml {
    r#type: String,
    action: String,
    author: Option<String>,
    grader: Option<String>,
    #[serde(default)]
    by_user: bool,
    course: Option<String>,
    section: Option<String>,
    #[serde(default = "yes")]
    group: bool,
    object: Table,
    #[serde(default)]
    generated: Table,
    #[serde(default)]
    strict: StrictToml,
}

/// What differs in the strict form.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictToml {
    r#type: Option<String>,
    group: Option<bool>,
    object: Option<Table>,
    generated: Option<Table>,
}

/// What is wrong with a form, and the word of the file it is about.
pub(crate) struct FormFault {
    pub(crate) word: String,
    pub(crate) fault: String,
}

impl FormFault {
    fn new(word: &str, fault: String) -> Self {
        Self {
            word: word.to_owned(),
            fault,
        }
    }
}

impl FormToml {
    /// The form that the file describes, or what is wrong with it.
    pub(crate) fn form(self) -> Result<CaliperForm, FormFault> {
        let terms = [
            Some(&self.r#type),
            Some(&self.action),
            self.strict.r#type.as_ref(),
        ];
        terms.into_iter().flatten().try_for_each(|it| plain(it))?;
        let compatible = Template {
            kind: String::leak(self.r#type),
            action: String::leak(self.action),
            group: self.group,
            object: members(&self.object)?,
            generated: members(&self.generated)?,
        };
        let strict = Template {
            kind: self
                .strict
                .r#type
                .map_or(compatible.kind, |it| String::leak(it)),
            action: compatible.action,
            group: self.strict.group.unwrap_or(compatible.group),
            object: self
                .strict
                .object
                .map_or(Ok(compatible.object), |it| members(&it))?,
            generated: self
                .strict
                .generated
                .map_or(Ok(compatible.generated), |it| members(&it))?,
        };
        let actor = match (self.author, self.grader) {
            (None, None) => ActorSource::MetadataUser,
            (Some(field), None) => ActorSource::BodyAuthor(String::leak(field)),
            (None, Some(field)) => ActorSource::BodyGrader(String::leak(field)),
            (Some(_), Some(_)) => {
                let fault = "there is an `author` or a `grader`, not both".to_owned();
                return Err(FormFault::new("grader", fault));
            }
        };
        Ok(CaliperForm {
            actor,
            by_user: self.by_user,
            course: match self.course {
                None => CourseSource::OfContext,
                Some(field) if field == "none" => CourseSource::Nowhere,
                Some(field) => CourseSource::OfField(String::leak(field)),
            },
            section: self.section.map(|it| &*String::leak(it)),
            compatible,
            strict,
        })
    }
}

/// Refuses what does not stand between the quotes of JSON as it is.
fn plain(text: &str) -> Result<(), FormFault> {
    if text.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\')) {
        let fault = format!("{text:?} has a quote, a backslash or a control character in it");
        return Err(FormFault::new(text, fault));
    }
    Ok(())
}

fn members(table: &Table) -> Result<List<TemplateProperty>, FormFault> {
    let members = table.iter().map(|(key, value)| {
        plain(key)?;
        Ok(TemplateProperty {
            key: String::leak(key.clone()),
            value: source(key, value)?,
        })
    });
    Ok(List::kept(members.collect::<Result<_, _>>()?))
}

fn source(key: &str, value: &Value) -> Result<ValueSource, FormFault> {
    let fault = |fault: &str| Err(FormFault::new(key, format!("`{key}` {fault}")));
    match value {
        Value::String(text) => text_source(key, text),
        Value::Table(table) if key == "extensions" => Ok(ValueSource::Extensions(members(table)?)),
        Value::Table(table) => Ok(ValueSource::Entity(members(table)?)),
        Value::Array(them) => match them.as_slice() {
            [Value::Table(table)] => Ok(ValueSource::Array(members(table)?)),
            _ => fault("is an array of something else than one table"),
        },
        _ => fault("is no text, table or array"),
    }
}

fn text_source(key: &str, text: &str) -> Result<ValueSource, FormFault> {
    plain(text)?;
    let kept = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    if let Some(constant) = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')) {
        return Ok(ValueSource::Constant(kept(constant)));
    }
    if text.contains('{') {
        return Ok(ValueSource::Urn(List::kept(parts(text)?)));
    }
    if text.starts_with('@') {
        let known = Computed::ALL.into_iter().find(|it| it.name() == text);
        let unknown = || FormFault::new(text, format!("nothing is worked out as {text}"));
        return known.map(ValueSource::Computed).ok_or_else(unknown);
    }
    // The type of an entity is a term, and a capital tells it from a field.
    if key == "type" && text.starts_with(|letter: char| letter.is_ascii_uppercase()) {
        return Ok(ValueSource::Constant(kept(text)));
    }
    Ok(match text.strip_prefix("metadata.") {
        Some(field) => ValueSource::OfMetadata(kept(field)),
        None => ValueSource::OfBody(kept(text)),
    })
}

fn parts(text: &str) -> Result<Vec<Part>, FormFault> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        if !literal.is_empty() {
            parts.push(Part::Literal(String::leak(literal.to_owned())));
        }
        let Some((field, after)) = after.split_once('}') else {
            let fault = format!("{text:?} has a brace that is not closed");
            return Err(FormFault::new(text, fault));
        };
        parts.push(match field {
            "actor" => Part::ActorId,
            "@asset_kind" => Part::AssetKind,
            "@asset_list" => Part::AssetList,
            _ => Part::IdOf(String::leak(field.to_owned())),
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(String::leak(rest.to_owned())));
    }
    Ok(parts)
}

const fn yes() -> bool {
    true
}
