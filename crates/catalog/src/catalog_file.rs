//! The data files of the catalogue.
//!
//! Each event type has a TOML file with its name, in a folder with the name of its category. The
//! file has `meaning`, `trigger`, optional keys such as `notes`, and a `[body]` with one line for
//! each field. Pages show the fields in this order. The Caliper form of an event type is in a file of
//! its own, beside the file of the event type.
//! `metadata.toml` has the fields of the metadata in `[metadata]`, and `catalog.toml` has the
//! version of the catalogue. CONTRIBUTING.md describes every key.
//!
//! The build script uses this code to generate tables from the built-in files. The server uses it at
//! start for the operator's own files. An error names file, line and column.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::Spanned;

use crate::caliper_file::{FormFault, FormToml};
use crate::caliper_template::CaliperTemplate;
use crate::column::Column;
use crate::event_type::{Context, EventType, MadeBy, MetadataField, MetadataUse, OPERATOR_PREFIX};
use crate::field::{Field, IdKind, IdScope, Kind, Precision, Privacy, Spelling, Values};
use crate::list::List;
use crate::toml_words::{toml_syntax_words, toml_words};

/// The largest number of fields of one object.
pub(crate) const MAX_FIELDS: usize = 128;
/// The largest length of an event type's name, in characters.
const MAX_NAME_CHARS: usize = 128;

/// Why a data file is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}:{line}:{column}: {fault}")]
pub struct DataFileError {
    /// The path of the file, as in [`CatalogFile::path`].
    pub path: String,
    /// The line of the error, counted from 1.
    pub line: usize,
    /// The column of the error in characters, counted from 1.
    pub column: usize,
    /// What is wrong at this place.
    pub fault: String,
}

/// A data file.
#[derive(Clone, Copy, Debug)]
pub struct CatalogFile<'a> {
    /// The path relative to the folder of all data files, with slashes: `grade/grade_change.toml`.
    pub path: &'a str,
    /// The content of the file.
    pub text: &'a str,
}

/// The content of a data file, parsed.
#[derive(Debug)]
pub(crate) enum CatalogFileContent {
    Type(EventType),
    /// The Caliper form of the event type with this name.
    Caliper(&'static str, CaliperTemplate),
    Metadata(Vec<MetadataField>),
    Version(&'static str),
}

/// Translates a parser's message about a range of the text into plain words.
type TranslateMessage = fn(&str, &str, Option<std::ops::Range<usize>>) -> String;

/// An error at a byte of the text.
struct FileFault(usize, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeToml {
    meaning: String,
    trigger: String,
    #[serde(default)]
    notes: Vec<String>,
    known_from: Option<String>,
    record: Option<String>,
    action: Option<String>,
    #[serde(default = "default_true")]
    published: bool,
    columns_only: Option<Spanned<bool>>,
    #[serde(default)]
    context: ContextToml,
    #[serde(default)]
    open: bool,
    further: Option<Spanned<String>>,
    #[serde(default)]
    body: FieldsToml,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetadataToml {
    metadata: FieldsToml,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionToml {
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ContextToml {
    #[default]
    Ambient,
    Record,
    Login,
}

/// Fields in the order of the file.
#[derive(Default)]
struct FieldsToml(Vec<(Spanned<String>, FieldToml)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldToml {
    r#type: Spanned<String>,
    scope: Option<Spanned<ScopeToml>>,
    r#in: Option<Spanned<Vec<UseToml>>>,
    #[serde(default)]
    null: bool,
    when: Option<String>,
    #[serde(default = "default_true")]
    published: bool,
    values: Option<Spanned<Vec<String>>>,
    open: Option<Spanned<bool>>,
    numbered: Option<Spanned<String>>,
    separator: Option<Spanned<char>>,
    max_chars: Option<Spanned<usize>>,
    date_only: Option<Spanned<bool>>,
    empty: Option<Spanned<bool>>,
    old: Option<Spanned<String>>,
    #[serde(default)]
    privacy: PrivacyToml,
    from: Option<Spanned<String>>,
    about: Spanned<String>,
    example: Option<Spanned<toml::Value>>,
    fields: Option<Spanned<FieldsToml>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ScopeToml {
    Global,
    Local,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum UseToml {
    Request,
    Job,
    Neither,
    Record,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PrivacyToml {
    #[default]
    None,
    Content,
    Quasi,
    Direct,
}

impl CatalogFile<'_> {
    /// Reads the file. Leaks its content, so that it lives as long as the process.
    pub(crate) fn read(&self) -> Result<CatalogFileContent, DataFileError> {
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", self.path));
        let name = file.strip_suffix(".toml").unwrap_or(file);
        let content = match (folder, name) {
            ("", "metadata") => self.metadata().map(CatalogFileContent::Metadata),
            ("", "catalog") => {
                self.parse(|toml: VersionToml| Ok(CatalogFileContent::Version(leak(toml.version))))
            }
            _ => match name.strip_suffix(".caliper") {
                Some(name) => self.caliper(name),
                None => self.event_type(folder, name).map(CatalogFileContent::Type),
            },
        };
        content.map_err(|fault| self.error(fault))
    }

    /// Validates the file by itself, without the other files.
    pub fn check(&self) -> Result<(), DataFileError> {
        self.read().map(drop)
    }

    /// Returns line and column, counted from 1, of the first occurrence of `word`. Returns 1 and 1 if the file
    /// does not have the word.
    pub fn locate(&self, word: &str) -> (usize, usize) {
        let DataFileError { line, column, .. } = self.error_at(word, String::new());
        (line, column)
    }

    /// Returns an error at the first occurrence of `word`.
    pub(crate) fn error_at(&self, word: &str, fault: String) -> DataFileError {
        self.error(self.fault_at(word, fault))
    }

    fn fault_at(&self, word: &str, fault: String) -> FileFault {
        let is_word_char = |letter: char| letter.is_alphanumeric() || letter == '_';
        let is_whole_word = |&(byte, _): &(usize, &str)| {
            let before = self.text.get(..byte).unwrap_or_default();
            let after = self.text.get(byte + word.len()..).unwrap_or_default();
            !before.ends_with(is_word_char) && !after.starts_with(is_word_char)
        };
        let found = self.text.match_indices(word).find(is_whole_word);
        FileFault(found.map_or(0, |(byte, _)| byte), fault)
    }

    fn error(&self, FileFault(byte, fault): FileFault) -> DataFileError {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        DataFileError {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before
                .get(line_start..)
                .map_or(0, |line| line.chars().count())
                + 1,
            fault,
        }
    }

    fn parse<T: for<'de> Deserialize<'de>, U>(
        &self,
        convert: impl FnOnce(T) -> Result<U, FileFault>,
    ) -> Result<U, FileFault> {
        let fault = |error: &toml::de::Error, words: TranslateMessage| {
            let byte = error.span().map_or(0, |span| span.start);
            FileFault(byte, words(self.text, error.message(), error.span()))
        };
        let parsed = toml::de::Deserializer::parse(self.text)
            .map_err(|error| fault(&error, toml_syntax_words))?;
        convert(T::deserialize(parsed).map_err(|error| fault(&error, toml_words))?)
    }

    fn metadata(&self) -> Result<Vec<MetadataField>, FileFault> {
        self.parse(|toml: MetadataToml| toml.metadata.0.into_iter().map(metadata_field).collect())
    }

    fn caliper(&self, name: &str) -> Result<CatalogFileContent, FileFault> {
        self.parse(|toml: FormToml| {
            let form = toml
                .template()
                .map_err(|FormFault { word, fault }| self.fault_at(&word, fault))?;
            Ok(CatalogFileContent::Caliper(leak(name.to_owned()), form))
        })
    }

    fn event_type(&self, folder: &str, name: &str) -> Result<EventType, FileFault> {
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
            let fault = format!("an event type's name must have 1 to {MAX_NAME_CHARS} characters");
            return Err(FileFault(0, fault));
        }
        if name.starts_with(OPERATOR_PREFIX) {
            let fault = "an event type's name must not begin with `easel.`".to_owned();
            return Err(FileFault(0, fault));
        }
        self.parse(|toml: TypeToml| {
            let columns_only = columns_only(&toml)?;
            Ok(EventType {
                name: leak(name.to_owned()),
                category: leak(if folder.is_empty() { "own" } else { folder }.to_owned()),
                meaning: leak(toml.meaning),
                trigger: leak(toml.trigger),
                notes: List::leak(toml.notes.into_iter().map(leak).collect()),
                known_from: toml.known_from.map(leak),
                published: toml.published,
                columns_only,
                made_by: match (toml.record, toml.action) {
                    (Some(record), _) => Some(MadeBy::ByRecord(leak(record))),
                    (None, Some(action)) => Some(MadeBy::ByAction(leak(action))),
                    (None, None) => None,
                },
                context: match toml.context {
                    ContextToml::Ambient => Context::Ambient,
                    ContextToml::Record => Context::Row,
                    ContextToml::Login => Context::Login,
                },
                open: toml.open,
                further: toml
                    .further
                    .map(|rule| further(&rule, toml.open))
                    .transpose()?,
                body: fields(toml.body)?,
                caliper: None,
            })
        })
    }
}

/// Returns the mark `columns_only`. Rejects it beside keys that say more than the columns of a table do.
fn columns_only(toml: &TypeToml) -> Result<bool, FileFault> {
    let Some(mark) = toml.columns_only.as_ref().filter(|mark| *mark.get_ref()) else {
        return Ok(false);
    };
    let made_by_change = toml.record.is_some() || toml.action.is_some();
    if toml.published || !toml.open || made_by_change {
        let fault = "`columns_only` needs `published = false` and `open = true`, and allows neither \
                     `record` nor `action`";
        return Err(FileFault(mark.span().start, fault.to_owned()));
    }
    Ok(true)
}

/// Parses the rule that computes the unlisted members of an open body.
fn further(rule: &Spanned<String>, is_open: bool) -> Result<Column, FileFault> {
    let fault = |what: &str| Err(FileFault(rule.span().start, what.to_owned()));
    if !is_open {
        return fault("`further` needs `open = true`");
    }
    match Column::parse_list(rule.get_ref()).as_deref() {
        Ok([column @ Column::ComputedBy(_)]) => Ok(*column),
        Ok(_) | Err(_) => fault("`further` must be a rule, such as `@row`"),
    }
}

fn metadata_field(
    (name, mut toml): (Spanned<String>, FieldToml),
) -> Result<MetadataField, FileFault> {
    let Some(uses) = toml.r#in.take() else {
        let fault = "`in` is missing; it names the events that have the field".to_owned();
        return Err(FileFault(name.span().start, fault));
    };
    let uses = uses
        .into_inner()
        .into_iter()
        .map(|toml_use| match toml_use {
            UseToml::Request => MetadataUse::InRequest,
            UseToml::Job => MetadataUse::InJob,
            UseToml::Neither => MetadataUse::InNeither,
            UseToml::Record => MetadataUse::OfRow,
        });
    Ok(MetadataField {
        used_in: List::leak(uses.collect()),
        field: field(name, toml)?,
    })
}

fn fields(FieldsToml(tomls): FieldsToml) -> Result<List<Field>, FileFault> {
    if let Some((name, _one_too_many)) = tomls.get(MAX_FIELDS) {
        let fault = format!("an object must not have more than {MAX_FIELDS} fields");
        return Err(FileFault(name.span().start, fault));
    }
    let names: Vec<_> = tomls
        .iter()
        .map(|(name, _)| name.get_ref().clone())
        .collect();
    let mut fields = Vec::new();
    for (name, toml) in tomls {
        if let Some(old) = &toml.old
            && !names.contains(old.get_ref())
        {
            let fault = format!("the field `{}` is unknown in this object", old.get_ref());
            return Err(FileFault(old.span().start, fault));
        }
        fields.push(field(name, toml)?);
    }
    Ok(List::leak(fields))
}

fn field(name: Spanned<String>, mut toml: FieldToml) -> Result<Field, FileFault> {
    let kind = kind(&mut toml)?;
    toml.reject_unused_keys()?;
    if toml.about.get_ref().is_empty() {
        return Err(FileFault(
            toml.about.span().start,
            "`about` must not be empty".to_owned(),
        ));
    }
    let from = toml.from.take().map(|text| {
        Column::parse_list(text.get_ref()).map_err(|fault| FileFault(text.span().start, fault))
    });
    let from = from.transpose()?;
    Ok(Field {
        name: leak(name.into_inner()),
        kind,
        can_be_null: toml.null,
        when: toml.when.map(leak),
        published: toml.published,
        values: values(&mut toml.values, toml.open, toml.numbered, toml.separator),
        max_chars: toml.max_chars.map(Spanned::into_inner),
        privacy: match toml.privacy {
            PrivacyToml::None => Privacy::Nothing,
            PrivacyToml::Content => Privacy::Content,
            PrivacyToml::Quasi => Privacy::QuasiIdentifier,
            PrivacyToml::Direct => Privacy::DirectIdentifier,
        },
        old_value_of: toml.old.map(|old| leak(old.into_inner())),
        from: from.unwrap_or(List(&[])),
        about: leak(toml.about.into_inner()),
        example: toml
            .example
            .map(|value| example(&value, &kind))
            .transpose()?,
    })
}

/// Returns the kind of a field. Removes from `toml` the keys that only some kinds have.
fn kind(toml: &mut FieldToml) -> Result<Kind, FileFault> {
    Ok(match toml.r#type.get_ref().as_str() {
        "string" => Kind::Text,
        "id" => Kind::Id(id(toml, Spelling::Digits)?),
        "integer" if toml.scope.is_some() => Kind::Id(id(toml, Spelling::Numeral)?),
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "timestamp" => Kind::Timestamp(match toml.date_only.take().map(Spanned::into_inner) {
            Some(true) => Precision::Day,
            Some(false) | None => Precision::Moment,
        }),
        "object" => Kind::Object(inner_fields(toml)?),
        "array<string>" => Kind::Texts,
        "array<id>" => Kind::Ids(id(toml, Spelling::Digits)?),
        "array<object>" => Kind::Objects(inner_fields(toml)?),
        unknown => {
            let fault = format!(
                "the type {unknown:?} is unknown; the types are string, id, integer, number, boolean, \
                 timestamp, object, array<string>, array<id> and array<object>"
            );
            return Err(FileFault(toml.r#type.span().start, fault));
        }
    })
}

fn id(toml: &mut FieldToml, spelling: Spelling) -> Result<IdKind, FileFault> {
    let scope = match toml.scope.take().map(Spanned::into_inner) {
        Some(ScopeToml::Global) => IdScope::Global,
        Some(ScopeToml::Local) => IdScope::Local,
        None => {
            return Err(FileFault(
                toml.r#type.span().start,
                "`scope` is missing; an id requires it".to_owned(),
            ));
        }
    };
    Ok(IdKind {
        scope,
        spelling,
        can_be_empty: toml.empty.take().is_some_and(Spanned::into_inner),
    })
}

fn inner_fields(toml: &mut FieldToml) -> Result<List<Field>, FileFault> {
    let inner = toml.fields.take();
    inner.map_or(Ok(List(&[])), |inner| fields(inner.into_inner()))
}

impl FieldToml {
    /// Rejects keys that the type does not allow. Call `kind` first: it removes the keys that the type
    /// allows.
    fn reject_unused_keys(&self) -> Result<(), FileFault> {
        let is_text = self.r#type.get_ref() == "string";
        let start = |span: std::ops::Range<usize>| span.start;
        let misplaced = [
            ("scope", self.scope.as_ref().map(|key| start(key.span()))),
            ("in", self.r#in.as_ref().map(|key| start(key.span()))),
            ("fields", self.fields.as_ref().map(|key| start(key.span()))),
            (
                "date_only",
                self.date_only.as_ref().map(|key| start(key.span())),
            ),
            ("empty", self.empty.as_ref().map(|key| start(key.span()))),
            (
                "values",
                self.values
                    .as_ref()
                    .map(|key| start(key.span()))
                    .filter(|_| !is_text),
            ),
            (
                "max_chars",
                self.max_chars
                    .as_ref()
                    .map(|key| start(key.span()))
                    .filter(|_| !is_text),
            ),
        ];
        let need_values = [
            ("open", self.open.as_ref().map(|key| start(key.span()))),
            (
                "numbered",
                self.numbered.as_ref().map(|key| start(key.span())),
            ),
            (
                "separator",
                self.separator.as_ref().map(|key| start(key.span())),
            ),
        ];
        let without_values = need_values.into_iter().filter(|_| self.values.is_none());
        match misplaced
            .into_iter()
            .chain(without_values)
            .find_map(|(key, at)| Some((key, at?)))
        {
            Some((key, at)) => Err(FileFault(at, format!("`{key}` is not allowed here"))),
            None => Ok(()),
        }
    }
}

fn values(
    listed: &mut Option<Spanned<Vec<String>>>,
    open: Option<Spanned<bool>>,
    numbered: Option<Spanned<String>>,
    separator: Option<Spanned<char>>,
) -> Option<Values> {
    let listed = listed.take()?.into_inner();
    Some(Values {
        listed: List::leak(listed.into_iter().map(leak).collect()),
        open: open.is_some_and(Spanned::into_inner),
        numbered: numbered.map(|text| leak(text.into_inner())),
        separator: separator.map(Spanned::into_inner),
    })
}

/// Returns the example as JSON. Rejects a value of another kind.
fn example(toml: &Spanned<toml::Value>, kind: &Kind) -> Result<&'static str, FileFault> {
    use toml::Value::{Array, Boolean, Float, Integer, String, Table};
    let value = toml.get_ref();
    let fits = match (kind, value) {
        (Kind::Text | Kind::Id(_) | Kind::Timestamp(_), String(_))
        | (Kind::Integer, Integer(_))
        | (Kind::Number, Integer(_) | Float(_))
        | (Kind::Boolean, Boolean(_))
        | (Kind::Object(_), Table(_)) => true,
        (Kind::Texts | Kind::Ids(_), Array(elements)) => elements.iter().all(toml::Value::is_str),
        (Kind::Objects(_), Array(elements)) => elements.iter().all(toml::Value::is_table),
        _ => false,
    };
    let at = toml.span().start;
    if !fits {
        return Err(FileFault(
            at,
            format!("the example must be of type {}", kind.name()),
        ));
    }
    match serde_json::to_string(value) {
        Ok(json) => Ok(leak(json)),
        Err(error) => Err(FileFault(at, error.to_string())),
    }
}

fn leak(text: String) -> &'static str {
    String::leak(text)
}

const fn default_true() -> bool {
    true
}

impl<'de> Deserialize<'de> for FieldsToml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = FieldsToml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(FieldsToml(fields))
    }
}
