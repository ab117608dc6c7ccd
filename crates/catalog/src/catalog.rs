//! The catalogue: all event types and their fields.

use std::collections::HashMap;

use thiserror::Error;
use wildmatch::WildMatch;

use crate::built_in;
use crate::catalog_file::{CatalogFile, CatalogFileContent, DataFileError, MAX_FIELDS};
use crate::event_type::{EventType, MetadataField};
use crate::field::Field;
use crate::finding::Finding;

/// All event types and their fields. Data files of an operator can replace the built-in ones.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Sorted by name.
    types: Vec<EventType>,
    /// The index of each event type in `types`, by name.
    index: HashMap<&'static str, usize>,
    metadata: Vec<MetadataField>,
    /// The fields of `metadata`, in the same order.
    metadata_fields: Vec<Field>,
    version: &'static str,
}

/// Why data files are rejected.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// A file is invalid by itself.
    #[error(transparent)]
    File(#[from] DataFileError),
    /// The example of an event type breaks a rule of the catalogue.
    #[error("{path}: the example breaks `{rule}` at {pointer}: {what}")]
    Example {
        /// The file.
        path: String,
        /// The rule's code.
        rule: &'static str,
        /// The JSON pointer to the value in the example.
        pointer: String,
        /// What is wrong at this place.
        what: String,
    },
    /// Two files describe the same event type.
    #[error("{path}: {other} describes the same event type")]
    DuplicateEventType {
        /// The later file.
        path: String,
        /// The earlier file.
        other: String,
    },
    /// A Caliper form has no event type.
    #[error("{path}: no file describes the event type of this Caliper form")]
    FormWithoutEventType {
        /// The file.
        path: String,
    },
    /// An operator's event type lacks a field that its built-in Caliper form uses.
    #[error(
        "{path}: the Caliper form uses the field {field:?}, which the event type does not have"
    )]
    FormWithoutField {
        /// The file of the event type.
        path: String,
        /// The field.
        field: String,
    },
    /// The metadata has too many fields.
    #[error("{path}: the metadata must not have more than {MAX_FIELDS} fields")]
    TooManyFields {
        /// The file.
        path: String,
    },
}

impl Catalog {
    /// Returns the built-in catalogue.
    pub fn built_in() -> Self {
        let mut catalog = Self {
            types: built_in::TYPES.to_vec(),
            index: HashMap::new(),
            metadata: built_in::METADATA.to_vec(),
            metadata_fields: Vec::new(),
            version: built_in::VERSION,
        };
        catalog.build_index();
        catalog
    }

    /// Returns the built-in catalogue with changes from `files`.
    ///
    /// An event type replaces the built-in one with the same name. It keeps the built-in Caliper form,
    /// unless a file has another form. A field of the metadata replaces the one with the same name.
    ///
    /// The content of the files is leaked, so that it lives as long as the process.
    pub fn with_files(files: &[CatalogFile<'_>]) -> Result<Self, CatalogError> {
        let mut catalog = Self::built_in();
        let mut paths: HashMap<&'static str, &str> = HashMap::new();
        let mut forms = Vec::new();
        let mut metadata_path = None;
        for file in files {
            match file.read()? {
                CatalogFileContent::Type(mut event_type) => {
                    let name = event_type.name;
                    match catalog.types.iter_mut().find(|old| old.name == name) {
                        Some(old) => {
                            event_type.caliper = old.caliper;
                            *old = event_type;
                        }
                        None => catalog.types.push(event_type),
                    }
                    if let Some(other) = paths.insert(name, file.path) {
                        return Err(CatalogError::DuplicateEventType {
                            path: file.path.to_owned(),
                            other: other.to_owned(),
                        });
                    }
                }
                CatalogFileContent::Caliper(name, form) => forms.push((file, name, form)),
                CatalogFileContent::Metadata(fields) => {
                    metadata_path = Some(file.path);
                    for new in fields {
                        let has_name = |old: &&mut MetadataField| old.field.name == new.field.name;
                        match catalog.metadata.iter_mut().find(has_name) {
                            Some(old) => *old = new,
                            None => catalog.metadata.push(new),
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
        for (file, name, form) in forms {
            let mut types = catalog.types.iter_mut();
            let Some(event_type) = types.find(|event_type| event_type.name == name) else {
                let path = file.path.to_owned();
                return Err(CatalogError::FormWithoutEventType { path });
            };
            event_type.caliper = Some(form);
            if let Some(field) = missing_field(event_type, &catalog.metadata) {
                let fault = format!("the field {field:?} of {name} is unknown");
                return Err(file.error_at(field, fault).into());
            }
        }
        for event_type in &catalog.types {
            if let (Some(path), Some(field)) = (
                paths.get(event_type.name),
                missing_field(event_type, &catalog.metadata),
            ) {
                return Err(CatalogError::FormWithoutField {
                    path: (*path).to_owned(),
                    field: field.to_owned(),
                });
            }
        }
        catalog.types.sort_by_key(|event_type| event_type.name);
        catalog.build_index();
        // Fields of the metadata are part of every example.
        for event_type in catalog.types() {
            if let Some(path) = paths.get(event_type.name).copied().or(metadata_path) {
                catalog.check_example(path, event_type)?;
            }
        }
        Ok(catalog)
    }

    fn build_index(&mut self) {
        let names = self.types.iter().enumerate();
        self.index = names
            .map(|(index, event_type)| (event_type.name, index))
            .collect();
        self.metadata_fields = self
            .metadata
            .iter()
            .map(|metadata| metadata.field)
            .collect();
    }

    fn check_example(&self, path: &str, event_type: &EventType) -> Result<(), CatalogError> {
        let epoch = jiff::Timestamp::UNIX_EPOCH;
        let example = self.example(event_type, crate::EventOrigin::Request, epoch);
        let mut first = None;
        self.check(
            event_type.name,
            example.as_bytes(),
            |finding: &Finding<'_>| {
                first.get_or_insert_with(|| CatalogError::Example {
                    path: path.to_owned(),
                    rule: finding.rule.code(),
                    pointer: finding.pointer(),
                    what: finding.to_string(),
                });
            },
        );
        first.map_or(Ok(()), Err)
    }

    /// Returns the version of the operator's own files if they have one, else that of the built-in data.
    pub const fn version(&self) -> &'static str {
        self.version
    }

    /// Returns every event type, sorted by name.
    pub fn types(&self) -> &[EventType] {
        &self.types
    }

    /// Returns the event types whose name matches a glob: `*` matches any text, `?` one character.
    pub fn matching(&self, glob: &str) -> impl Iterator<Item = &EventType> {
        let glob = WildMatch::new(glob);
        self.types
            .iter()
            .filter(move |event_type| glob.matches(event_type.name))
    }

    /// Returns the event type with this name.
    pub fn get(&self, name: &str) -> Option<&EventType> {
        self.types.get(*self.index.get(name)?)
    }

    /// Returns every field that metadata can have.
    pub fn metadata(&self) -> &[MetadataField] {
        &self.metadata
    }

    pub(crate) fn metadata_fields(&self) -> &[Field] {
        &self.metadata_fields
    }

    /// Returns true if the metadata field with this name is in the bit set `seen`.
    pub(crate) fn is_seen(&self, seen: u128, name: &str) -> bool {
        let index = self
            .metadata_fields
            .iter()
            .position(|field| field.name == name);
        index.is_some_and(|index| seen & (1 << index) != 0)
    }
}

/// Returns a field that the Caliper form of an event type uses and that does not exist.
fn missing_field(event_type: &EventType, metadata: &[MetadataField]) -> Option<&'static str> {
    let form = event_type.caliper?;
    let in_body = |name: &&str| event_type.body.iter().any(|field| field.name == *name);
    let in_metadata = |name: &&str| metadata.iter().any(|field| field.field.name == *name);
    let mut body_fields = form.body_fields().into_iter();
    let mut metadata_fields = form.metadata_fields().into_iter();
    body_fields
        .find(|name| !in_body(name))
        .or_else(|| metadata_fields.find(|name| !in_metadata(name)))
}
