//! The files the catalogue is written in.
//!
//! An event type is a TOML file named for it, in a folder named for its category: `meaning`,
//! `trigger`, perhaps `notes` and more, and a `[body]` with a line for each field in the order in
//! which they are shown; its Caliper form is beside it. `metadata.toml` has the fields of the metadata in `[metadata]`, and
//! `catalog.toml` the version of them all. What a key means is said in CONTRIBUTING.md.
//!
//! This is read twice: by the build, which makes tables of the built-in files, and at start for an
//! operator's own. A fault names file, line and column.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::Spanned;

use crate::caliper_file::{FormFault, FormToml};
use crate::caliper_form::CaliperForm;
use crate::column::Column;
use crate::event_type::{Context, EventType, MadeBy, MetadataField, MetadataUse, OPERATOR_PREFIX};
use crate::field::{Field, IdKind, IdScope, Kind, Precision, Privacy, Spelling, Values};
use crate::list::List;
use crate::toml_words::{toml_syntax_words, toml_words};

/// The most fields of one object.
pub(crate) const MAX_FIELDS: usize = 128;
/// The most characters of an event type's name.
const MAX_NAME_CHARS: usize = 128;

/// Why a data file is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}:{line}:{column}: {fault}")]
pub struct DataFileError {
    /// The file, as it was named.
    pub path: String,
    /// The line of the fault, counted from 1.
    pub line: usize,
    /// The column of the fault, counted from 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub fault: String,
}

/// A data file.
#[derive(Clone, Copy, Debug)]
pub struct CatalogFile<'a> {
    /// Its path below the folder of all data files, with slashes: `grade/grade_change.toml`.
    pub path: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// What a data file holds.
#[derive(Debug)]
pub(crate) enum CatalogFileContent {
    Type(EventType),
    /// The Caliper form of the event type of this name.
    Caliper(&'static str, CaliperForm),
    Metadata(Vec<MetadataField>),
    Version(&'static str),
}

/// Turns what a parser says at a place of the text into plain words.
type PlainWords = fn(&str, &str, Option<std::ops::Range<usize>>) -> String;

/// A fault at a byte of the text.
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
    #[serde(default = "yes")]
    published: bool,
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
    r#in: Option<Spanned<Vec<SentToml>>>,
    #[serde(default)]
    null: bool,
    when: Option<String>,
    #[serde(default = "yes")]
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
enum SentToml {
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
    /// Reads the file. What it holds is kept for as long as the process lives.
    pub(crate) fn read(&self) -> Result<CatalogFileContent, DataFileError> {
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", self.path));
        let name = file.strip_suffix(".toml").unwrap_or(file);
        let content = match (folder, name) {
            ("", "metadata") => self.metadata().map(CatalogFileContent::Metadata),
            ("", "catalog") => {
                self.parse(|it: VersionToml| Ok(CatalogFileContent::Version(kept(it.version))))
            }
            _ => match name.strip_suffix(".caliper") {
                Some(name) => self.caliper(name),
                None => self.event_type(folder, name).map(CatalogFileContent::Type),
            },
        };
        content.map_err(|fault| self.error(fault))
    }

    /// Says what is wrong with the file by itself, without regard to others.
    pub fn check(&self) -> Result<(), DataFileError> {
        self.read().map(drop)
    }

    /// The line and column, counted from 1, where a word stands first; 1 and 1 where it does not.
    pub fn place_of(&self, word: &str) -> (usize, usize) {
        let DataFileError { line, column, .. } = self.error_at(word, String::new());
        (line, column)
    }

    /// That something is wrong with a word, where that word stands first.
    pub(crate) fn error_at(&self, word: &str, fault: String) -> DataFileError {
        self.error(self.fault_at(word, fault))
    }

    fn fault_at(&self, word: &str, fault: String) -> FileFault {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let stands_alone = |&(byte, _): &(usize, &str)| {
            let before = self.text.get(..byte).unwrap_or_default();
            let after = self.text.get(byte + word.len()..).unwrap_or_default();
            !before.ends_with(is_part) && !after.starts_with(is_part)
        };
        let found = self.text.match_indices(word).find(stands_alone);
        FileFault(found.map_or(0, |(byte, _)| byte), fault)
    }

    fn error(&self, FileFault(byte, fault): FileFault) -> DataFileError {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        DataFileError {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |it| it.chars().count()) + 1,
            fault,
        }
    }

    fn parse<T: for<'de> Deserialize<'de>, U>(
        &self,
        make: impl FnOnce(T) -> Result<U, FileFault>,
    ) -> Result<U, FileFault> {
        let fault = |error: &toml::de::Error, words: PlainWords| {
            let byte = error.span().map_or(0, |span| span.start);
            FileFault(byte, words(self.text, error.message(), error.span()))
        };
        let parsed = toml::de::Deserializer::parse(self.text)
            .map_err(|error| fault(&error, toml_syntax_words))?;
        make(T::deserialize(parsed).map_err(|error| fault(&error, toml_words))?)
    }

    fn metadata(&self) -> Result<Vec<MetadataField>, FileFault> {
        self.parse(|it: MetadataToml| it.metadata.0.into_iter().map(metadata_field).collect())
    }

    fn caliper(&self, name: &str) -> Result<CatalogFileContent, FileFault> {
        self.parse(|it: FormToml| {
            let form = it
                .form()
                .map_err(|FormFault { word, fault }| self.fault_at(&word, fault))?;
            Ok(CatalogFileContent::Caliper(kept(name.to_owned()), form))
        })
    }

    fn event_type(&self, folder: &str, name: &str) -> Result<EventType, FileFault> {
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
            let fault = format!("an event type's name has 1 to {MAX_NAME_CHARS} characters");
            return Err(FileFault(0, fault));
        }
        if name.starts_with(OPERATOR_PREFIX) {
            let fault = "an event type's name must not begin with `easel.`".to_owned();
            return Err(FileFault(0, fault));
        }
        self.parse(|it: TypeToml| {
            Ok(EventType {
                name: kept(name.to_owned()),
                category: kept(if folder.is_empty() { "own" } else { folder }.to_owned()),
                meaning: kept(it.meaning),
                trigger: kept(it.trigger),
                notes: List::kept(it.notes.into_iter().map(kept).collect()),
                known_from: it.known_from.map(kept),
                published: it.published,
                made_by: match (it.record, it.action) {
                    (Some(record), _) => Some(MadeBy::ByRecord(kept(record))),
                    (None, Some(action)) => Some(MadeBy::ByAction(kept(action))),
                    (None, None) => None,
                },
                context: match it.context {
                    ContextToml::Ambient => Context::Ambient,
                    ContextToml::Record => Context::Record,
                    ContextToml::Login => Context::Login,
                },
                open: it.open,
                further: it.further.map(|rule| further(&rule, it.open)).transpose()?,
                body: fields(it.body)?,
                caliper: None,
            })
        })
    }
}

/// The rule that gives the members of an open body that are not listed.
fn further(rule: &Spanned<String>, is_open: bool) -> Result<Column, FileFault> {
    let fault = |what: &str| Err(FileFault(rule.span().start, what.to_owned()));
    if !is_open {
        return fault("`further` needs `open = true`");
    }
    match Column::all(rule.get_ref()).as_deref() {
        Ok([column @ Column::ComputedBy(_)]) => Ok(*column),
        Ok(_) | Err(_) => fault("`further` must be a rule, such as `@row`"),
    }
}

fn metadata_field(
    (name, mut toml): (Spanned<String>, FieldToml),
) -> Result<MetadataField, FileFault> {
    let Some(sent) = toml.r#in.take() else {
        let fault = "a field of the metadata says in which events it is: `in`".to_owned();
        return Err(FileFault(name.span().start, fault));
    };
    let sent = sent.into_inner().into_iter().map(|it| match it {
        SentToml::Request => MetadataUse::InRequest,
        SentToml::Job => MetadataUse::InJob,
        SentToml::Neither => MetadataUse::InNeither,
        SentToml::Record => MetadataUse::OfRecord,
    });
    Ok(MetadataField {
        sent: List::kept(sent.collect()),
        field: field(name, toml)?,
    })
}

fn fields(FieldsToml(them): FieldsToml) -> Result<List<Field>, FileFault> {
    if let Some((name, _one_too_many)) = them.get(MAX_FIELDS) {
        let fault = format!("there are more than {MAX_FIELDS} fields");
        return Err(FileFault(name.span().start, fault));
    }
    let names: Vec<_> = them
        .iter()
        .map(|(name, _)| name.get_ref().clone())
        .collect();
    let mut fields = Vec::new();
    for (name, toml) in them {
        if let Some(old) = &toml.old
            && !names.contains(old.get_ref())
        {
            let fault = format!("there is no field `{}` beside this one", old.get_ref());
            return Err(FileFault(old.span().start, fault));
        }
        fields.push(field(name, toml)?);
    }
    Ok(List::kept(fields))
}

fn field(name: Spanned<String>, mut toml: FieldToml) -> Result<Field, FileFault> {
    let kind = kind(&mut toml)?;
    toml.refuse_rest()?;
    if toml.about.get_ref().is_empty() {
        return Err(FileFault(
            toml.about.span().start,
            "this says nothing".to_owned(),
        ));
    }
    let from = toml.from.take().map(|text| {
        Column::all(text.get_ref()).map_err(|fault| FileFault(text.span().start, fault))
    });
    let from = from.transpose()?;
    Ok(Field {
        name: kept(name.into_inner()),
        kind,
        null: toml.null,
        when: toml.when.map(kept),
        published: toml.published,
        values: values(&mut toml.values, toml.open, toml.numbered, toml.separator),
        max_chars: toml.max_chars.map(Spanned::into_inner),
        privacy: match toml.privacy {
            PrivacyToml::None => Privacy::Nothing,
            PrivacyToml::Content => Privacy::Content,
            PrivacyToml::Quasi => Privacy::QuasiIdentifier,
            PrivacyToml::Direct => Privacy::DirectIdentifier,
        },
        old: toml.old.map(|it| kept(it.into_inner())),
        from: from.unwrap_or(List(&[])),
        about: kept(toml.about.into_inner()),
        example: toml.example.map(|it| example(&it, &kind)).transpose()?,
    })
}

/// The kind that the keys of a field make; takes those that only some kinds have.
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
        "object" => Kind::Object(inner(toml)?),
        "array<string>" => Kind::Texts,
        "array<id>" => Kind::Ids(id(toml, Spelling::Digits)?),
        "array<object>" => Kind::Objects(inner(toml)?),
        unknown => {
            let fault = format!(
                "there is no type {unknown:?}; there are string, id, integer, number, boolean, \
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
                "an id has a `scope`".to_owned(),
            ));
        }
    };
    Ok(IdKind {
        scope,
        spelling,
        can_be_empty: toml.empty.take().is_some_and(Spanned::into_inner),
    })
}

fn inner(toml: &mut FieldToml) -> Result<List<Field>, FileFault> {
    let them = toml.fields.take();
    them.map_or(Ok(List(&[])), |it| fields(it.into_inner()))
}

impl FieldToml {
    /// Refuses keys that do not go with the type, which has taken those that do.
    fn refuse_rest(&self) -> Result<(), FileFault> {
        let is_text = self.r#type.get_ref() == "string";
        let start = |span: std::ops::Range<usize>| span.start;
        let misplaced = [
            ("scope", self.scope.as_ref().map(|it| start(it.span()))),
            ("in", self.r#in.as_ref().map(|it| start(it.span()))),
            ("fields", self.fields.as_ref().map(|it| start(it.span()))),
            (
                "date_only",
                self.date_only.as_ref().map(|it| start(it.span())),
            ),
            ("empty", self.empty.as_ref().map(|it| start(it.span()))),
            (
                "values",
                self.values
                    .as_ref()
                    .map(|it| start(it.span()))
                    .filter(|_| !is_text),
            ),
            (
                "max_chars",
                self.max_chars
                    .as_ref()
                    .map(|it| start(it.span()))
                    .filter(|_| !is_text),
            ),
        ];
        let without_values = [
            ("open", self.open.as_ref().map(|it| start(it.span()))),
            (
                "numbered",
                self.numbered.as_ref().map(|it| start(it.span())),
            ),
            (
                "separator",
                self.separator.as_ref().map(|it| start(it.span())),
            ),
        ];
        let alone = without_values.into_iter().filter(|_| self.values.is_none());
        match misplaced
            .into_iter()
            .chain(alone)
            .find_map(|(key, at)| Some((key, at?)))
        {
            Some((key, at)) => Err(FileFault(at, format!("`{key}` does not belong here"))),
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
        listed: List::kept(listed.into_iter().map(kept).collect()),
        open: open.is_some_and(Spanned::into_inner),
        numbered: numbered.map(|it| kept(it.into_inner())),
        separator: separator.map(Spanned::into_inner),
    })
}

/// The example as JSON, if it is a value of this kind.
fn example(toml: &Spanned<toml::Value>, kind: &Kind) -> Result<&'static str, FileFault> {
    use toml::Value::{Array, Boolean, Float, Integer, String, Table};
    let value = toml.get_ref();
    let fits = match (kind, value) {
        (Kind::Text | Kind::Id(_) | Kind::Timestamp(_), String(_))
        | (Kind::Integer, Integer(_))
        | (Kind::Number, Integer(_) | Float(_))
        | (Kind::Boolean, Boolean(_))
        | (Kind::Object(_), Table(_)) => true,
        (Kind::Texts | Kind::Ids(_), Array(them)) => them.iter().all(toml::Value::is_str),
        (Kind::Objects(_), Array(them)) => them.iter().all(toml::Value::is_table),
        _ => false,
    };
    let at = toml.span().start;
    if !fits {
        return Err(FileFault(at, format!("the example is no {}", kind.name())));
    }
    match serde_json::to_string(value) {
        Ok(json) => Ok(kept(json)),
        Err(error) => Err(FileFault(at, error.to_string())),
    }
}

fn kept(text: String) -> &'static str {
    String::leak(text)
}

const fn yes() -> bool {
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
