//! All event types and their fields.

use std::collections::HashMap;

use thiserror::Error;
use wildmatch::WildMatch;

use crate::built_in;
use crate::catalog_file::{CatalogFile, CatalogFileContent, DataFileError, MAX_FIELDS};
use crate::event_type::{EventType, MetadataField};
use crate::field::Field;
use crate::finding::Finding;

/// All event types and their fields: the built-in ones, and an operator's own over them.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// By name.
    types: Vec<EventType>,
    /// Where in `types` each is.
    index: HashMap<&'static str, usize>,
    metadata: Vec<MetadataField>,
    /// The fields of `metadata`, in the same order.
    metadata_fields: Vec<Field>,
    version: &'static str,
}

/// Why a catalogue cannot be made of the files given.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// A file is none.
    #[error(transparent)]
    File(#[from] DataFileError),
    /// What a file gives as an example is not what it declares.
    #[error("{path}: the example breaks `{rule}` at {pointer}: {what}")]
    Example {
        /// The file.
        path: String,
        /// The rule's code.
        rule: &'static str,
        /// Where in the example.
        pointer: String,
        /// What is wrong there.
        what: String,
    },
    /// Two files are about one event type.
    #[error("{path}: {other} is about this event type too")]
    Twice {
        /// The later file.
        path: String,
        /// The earlier one.
        other: String,
    },
    /// A Caliper form belongs to no event type.
    #[error("{path}: there is no event type of this name")]
    FormOfNothing {
        /// The file.
        path: String,
    },
    /// An event type has not what its Caliper form, one it had before, makes use of.
    #[error("{path}: the Caliper form makes use of the field {field:?}, which is not here")]
    FormWithoutField {
        /// The file of the event type.
        path: String,
        /// The field.
        field: String,
    },
    /// The metadata has more fields than can be told apart.
    #[error("{path}: the metadata has more than {MAX_FIELDS} fields")]
    TooManyFields {
        /// The file.
        path: String,
    },
}

impl Catalog {
    /// The built-in catalogue.
    pub fn built_in() -> Self {
        let mut catalog = Self {
            types: built_in::TYPES.to_vec(),
            index: HashMap::new(),
            metadata: built_in::METADATA.to_vec(),
            metadata_fields: Vec::new(),
            version: built_in::VERSION,
        };
        catalog.index();
        catalog
    }

    /// The built-in catalogue with these files over it: an event type takes the place of the one
    /// of its name, whose Caliper form it keeps until a file gives another, and so does a field of
    /// the metadata.
    ///
    /// What they say is kept for as long as the process lives.
    pub fn with_files(files: &[CatalogFile<'_>]) -> Result<Self, CatalogError> {
        let mut catalog = Self::built_in();
        let mut paths: HashMap<&'static str, &str> = HashMap::new();
        let mut forms = Vec::new();
        let mut has_metadata = None;
        for file in files {
            match file.read()? {
                CatalogFileContent::Type(mut it) => {
                    match catalog.types.iter_mut().find(|known| known.name == it.name) {
                        Some(known) => {
                            it.caliper = known.caliper;
                            *known = it;
                        }
                        None => catalog.types.push(it),
                    }
                    if let Some(other) = paths.insert(it.name, file.path) {
                        return Err(CatalogError::Twice {
                            path: file.path.to_owned(),
                            other: other.to_owned(),
                        });
                    }
                }
                CatalogFileContent::Caliper(of, form) => forms.push((file, of, form)),
                CatalogFileContent::Metadata(fields) => {
                    has_metadata = Some(file.path);
                    for it in fields {
                        let known = |known: &&mut MetadataField| known.field.name == it.field.name;
                        match catalog.metadata.iter_mut().find(known) {
                            Some(known) => *known = it,
                            None => catalog.metadata.push(it),
                        }
                    }
                    if catalog.metadata.len() > MAX_FIELDS {
                        let path = file.path.to_owned();
                        return Err(CatalogError::TooManyFields { path });
                    }
                }
                CatalogFileContent::Version(version) => catalog.version = version,
            }
        }
        for (file, of, form) in forms {
            let Some(it) = catalog.types.iter_mut().find(|it| it.name == of) else {
                let path = file.path.to_owned();
                return Err(CatalogError::FormOfNothing { path });
            };
            it.caliper = Some(form);
            if let Some(field) = missing_field(it, &catalog.metadata) {
                let fault = format!("{of} has no field {field:?}");
                return Err(file.error_at(field, fault).into());
            }
        }
        for it in &catalog.types {
            if let (Some(path), Some(field)) =
                (paths.get(it.name), missing_field(it, &catalog.metadata))
            {
                return Err(CatalogError::FormWithoutField {
                    path: (*path).to_owned(),
                    field: field.to_owned(),
                });
            }
        }
        catalog.types.sort_by_key(|it| it.name);
        catalog.index();
        // A file about the metadata has a part in every example.
        for it in catalog.types() {
            if let Some(path) = paths.get(it.name).copied().or(has_metadata) {
                catalog.check_example(path, it)?;
            }
        }
        Ok(catalog)
    }

    fn index(&mut self) {
        let names = self.types.iter().enumerate();
        self.index = names.map(|(index, it)| (it.name, index)).collect();
        self.metadata_fields = self.metadata.iter().map(|it| it.field).collect();
    }

    fn check_example(&self, path: &str, it: &EventType) -> Result<(), CatalogError> {
        let example = self.example(it, crate::EventOrigin::Request, jiff::Timestamp::UNIX_EPOCH);
        let mut first = None;
        self.check(it.name, example.as_bytes(), |finding: &Finding<'_>| {
            first.get_or_insert_with(|| CatalogError::Example {
                path: path.to_owned(),
                rule: finding.rule.code(),
                pointer: finding.pointer(),
                what: finding.to_string(),
            });
        });
        first.map_or(Ok(()), Err)
    }

    /// The version of the built-in data, or what the operator's own files call theirs.
    pub const fn version(&self) -> &'static str {
        self.version
    }

    /// Every event type, by name.
    pub fn types(&self) -> &[EventType] {
        &self.types
    }

    /// The event types whose name matches a glob: `*` stands for any text, `?` for a character.
    pub fn matching(&self, glob: &str) -> impl Iterator<Item = &EventType> {
        let glob = WildMatch::new(glob);
        self.types.iter().filter(move |it| glob.matches(it.name))
    }

    /// The event type of this name.
    pub fn get(&self, name: &str) -> Option<&EventType> {
        self.types.get(*self.index.get(name)?)
    }

    /// Every field that metadata can have.
    pub fn metadata(&self) -> &[MetadataField] {
        &self.metadata
    }

    pub(crate) fn metadata_fields(&self) -> &[Field] {
        &self.metadata_fields
    }

    /// Whether the field of the metadata is among those `seen`, a bit for each in order.
    pub(crate) fn has(&self, seen: u128, name: &str) -> bool {
        let index = self.metadata_fields.iter().position(|it| it.name == name);
        index.is_some_and(|index| seen & (1 << index) != 0)
    }
}

/// A field that the Caliper form of an event type names and that is not there.
fn missing_field(of: &EventType, metadata: &[MetadataField]) -> Option<&'static str> {
    let form = of.caliper?;
    let in_body = |name: &&str| of.body.iter().any(|it| it.name == *name);
    let in_metadata = |name: &&str| metadata.iter().any(|it| it.field.name == *name);
    let mut of_body = form.body_fields().into_iter();
    let mut of_metadata = form.metadata_fields().into_iter();
    of_body
        .find(|name| !in_body(name))
        .or_else(|| of_metadata.find(|name| !in_metadata(name)))
}
