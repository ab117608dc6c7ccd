//! The data files of the Caliper templates.
//!
//! The template of `grade_change` is in `grade_change.caliper.toml`, beside the file of the event type.
//! It has `type`, `action`, and an `[object]` with its properties in output order. `[strict]` has
//! the differences of the template that follows the standard. A value is one of these:
//!
//! - the name of a field of the body, or `metadata.` and the name of a field of the metadata;
//! - a URN with fields in braces;
//! - a constant in single quotes;
//! - the name of a computed value, such as `@base`;
//! - a table.

use serde::Deserialize;
use toml::{Table, Value};

use crate::caliper_template::{
    ActorSource, CaliperTemplate, Computed, CourseSource, DialectTemplate, Part, TemplateProperty,
    ValueSource,
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
    #[serde(default = "default_true")]
    group: bool,
    object: Table,
    #[serde(default)]
    generated: Table,
    #[serde(default)]
    strict: StrictToml,
}

/// The differences of the strict template.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictToml {
    r#type: Option<String>,
    group: Option<bool>,
    object: Option<Table>,
    generated: Option<Table>,
}

/// An error in a template, with the word of the file where the error is.
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
    /// Returns the template that the file describes. Returns an error if the file is invalid.
    pub(crate) fn template(self) -> Result<CaliperTemplate, FormFault> {
        let terms = [
            Some(&self.r#type),
            Some(&self.action),
            self.strict.r#type.as_ref(),
        ];
        terms
            .into_iter()
            .flatten()
            .try_for_each(|term| reject_escapes(term))?;
        let compatible = DialectTemplate {
            kind: String::leak(self.r#type),
            action: String::leak(self.action),
            group: self.group,
            object: members(&self.object)?,
            generated: members(&self.generated)?,
        };
        let strict = DialectTemplate {
            kind: self
                .strict
                .r#type
                .map_or(compatible.kind, |kind| String::leak(kind)),
            action: compatible.action,
            group: self.strict.group.unwrap_or(compatible.group),
            object: self
                .strict
                .object
                .map_or(Ok(compatible.object), |table| members(&table))?,
            generated: self
                .strict
                .generated
                .map_or(Ok(compatible.generated), |table| members(&table))?,
        };
        let actor = match (self.author, self.grader) {
            (None, None) => ActorSource::MetadataUser,
            (Some(field), None) => ActorSource::BodyAuthor(String::leak(field)),
            (None, Some(field)) => ActorSource::BodyGrader(String::leak(field)),
            (Some(_), Some(_)) => {
                let fault = "a form must not have both `author` and `grader`".to_owned();
                return Err(FormFault::new("grader", fault));
            }
        };
        Ok(CaliperTemplate {
            actor,
            by_user: self.by_user,
            course: match self.course {
                None => CourseSource::OfContext,
                Some(field) if field == "none" => CourseSource::Nowhere,
                Some(field) => CourseSource::OfField(String::leak(field)),
            },
            section: self.section.map(|field| &*String::leak(field)),
            compatible,
            strict,
        })
    }
}

/// Rejects a text that JSON would have to escape.
fn reject_escapes(text: &str) -> Result<(), FormFault> {
    if text.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\')) {
        let fault = format!("{text:?} must not have a quote, a backslash or a control character");
        return Err(FormFault::new(text, fault));
    }
    Ok(())
}

fn members(table: &Table) -> Result<List<TemplateProperty>, FormFault> {
    let members = table.iter().map(|(key, value)| {
        reject_escapes(key)?;
        Ok(TemplateProperty {
            key: String::leak(key.clone()),
            value: source(key, value)?,
        })
    });
    Ok(List::leak(members.collect::<Result<_, _>>()?))
}

fn source(key: &str, value: &Value) -> Result<ValueSource, FormFault> {
    let fault = |requirement: &str| Err(FormFault::new(key, format!("`{key}` {requirement}")));
    match value {
        Value::String(text) => text_source(key, text),
        Value::Table(table) if key == "extensions" => Ok(ValueSource::Extensions(members(table)?)),
        Value::Table(table) => Ok(ValueSource::Entity(members(table)?)),
        Value::Array(elements) => match elements.as_slice() {
            [Value::Table(table)] => Ok(ValueSource::Array(members(table)?)),
            _ => fault("must be an array of exactly one table"),
        },
        _ => fault("must be a string, a table or an array"),
    }
}

fn text_source(key: &str, text: &str) -> Result<ValueSource, FormFault> {
    reject_escapes(text)?;
    let leak = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    if let Some(constant) = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
    {
        return Ok(ValueSource::Constant(leak(constant)));
    }
    if text.contains('{') {
        return Ok(ValueSource::Urn(List::leak(parts(text)?)));
    }
    if text.starts_with('@') {
        let found = Computed::ALL
            .into_iter()
            .find(|computed| computed.name() == text);
        let unknown = || FormFault::new(text, format!("the computed value {text} is unknown"));
        return found.map(ValueSource::Computed).ok_or_else(unknown);
    }
    // The type of an entity is a term of the standard, which begins with a capital letter. The name of
    // a field does not.
    if key == "type" && text.starts_with(|letter: char| letter.is_ascii_uppercase()) {
        return Ok(ValueSource::Constant(leak(text)));
    }
    Ok(match text.strip_prefix("metadata.") {
        Some(field) => ValueSource::OfMetadata(leak(field)),
        None => ValueSource::OfBody(leak(text)),
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
            let fault = format!("{text:?} has an unclosed brace");
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

const fn default_true() -> bool {
    true
}
