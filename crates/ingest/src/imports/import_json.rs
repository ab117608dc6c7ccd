//! The JSON of imports.

use easel_sources::{ImportFile, ImportState, SourceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::part_parser::PlacedFault;

/// The name of an import without a name.
const DEFAULT_NAME: &str = "default";

/// The files that a client wants to import.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BeginImport)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginJson {
    /// The name of the import. Its events get the source `import:` and this name. Under another name, a file is
    /// imported again.
    #[serde(default)]
    #[schema(example = "default")]
    name: Option<String>,
    /// The files, up to 1,000.
    #[schema(max_items = 1000)]
    files: Vec<FileJson>,
}

/// A file to import.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = FileToImport)]
#[serde(deny_unknown_fields)]
struct FileJson {
    /// Where the file is. Name and location say which file it is.
    #[schema(example = "/archive/2026/events.json.gz", max_length = 4096)]
    location: String,
    /// Its size in bytes.
    size: Option<u64>,
    /// A text that changes when the file changes, such as its time of modification.
    #[schema(max_length = 256)]
    version: Option<String>,
}

impl BeginJson {
    /// Validates the files.
    pub(super) fn files(
        self,
        max_files: usize,
        max_location: usize,
        max_text: usize,
    ) -> Result<Vec<ImportFile>, String> {
        let name = self.name.as_deref().unwrap_or(DEFAULT_NAME);
        let name: SourceName = name.parse().map_err(|error| format!("The {error}."))?;
        if self.files.len() > max_files {
            return Err(format!("`files` must have at most {max_files} files."));
        }
        let file = |file: FileJson| {
            if file.location.is_empty() || file.location.len() > max_location {
                return Err(format!("`location` must have 1 to {max_location} bytes."));
            }
            if file
                .version
                .as_ref()
                .is_some_and(|version| version.len() > max_text)
            {
                return Err(format!("`version` must have at most {max_text} bytes."));
            }
            if file.size.is_some_and(|size| i64::try_from(size).is_err()) {
                return Err("`size` is too large.".to_owned());
            }
            Ok(ImportFile {
                name: name.clone(),
                location: file.location,
                size: file.size,
                version: file.version,
            })
        };
        self.files.into_iter().map(file).collect()
    }
}

/// Imported files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportList)]
pub(super) struct ImportListJson {
    files: Vec<ImportJson>,
}

impl ImportListJson {
    pub(super) fn from_states(states: Vec<ImportState>) -> Self {
        Self {
            files: states.into_iter().map(ImportJson::from).collect(),
        }
    }
}

/// An imported file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(super) struct ImportJson {
    /// The key of the file: 16 hexadecimal digits.
    key: String,
    /// The name of the import.
    name: String,
    location: String,
    size: Option<u64>,
    version: Option<String>,
    /// Whether the end of the file was imported.
    finished: bool,
    /// Only the client that got this generation may send parts.
    generation: u64,
    /// Where to continue, in bytes of the uncompressed text.
    position: u64,
    /// The text that the client sent with its last part.
    checkpoint: String,
    /// Events that this import stored.
    accepted: u64,
    /// Events that the log had already.
    duplicates: u64,
    /// Records that are not events. They are in quarantine.
    rejected: u64,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<ImportState> for ImportJson {
    fn from(state: ImportState) -> Self {
        Self {
            key: state.key.to_string(),
            name: state.file.name.to_string(),
            location: state.file.location,
            size: state.file.size,
            version: state.file.version,
            finished: state.is_finished,
            generation: state.generation,
            position: state.position,
            checkpoint: state.checkpoint,
            accepted: state.counts.accepted,
            duplicates: state.counts.duplicates,
            rejected: state.counts.rejected,
            updated_at: state.updated_at,
        }
    }
}

/// A part that is stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoredPart)]
pub(super) struct StoredPartJson {
    /// The file after the part.
    file: ImportJson,
    /// The records of the part that are not events. They are in quarantine.
    faults: Vec<RecordFaultJson>,
}

/// A record that is not an event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordFault)]
struct RecordFaultJson {
    /// The first byte of the record in the file.
    at: u64,
    code: &'static str,
    detail: String,
}

impl StoredPartJson {
    pub(super) fn new(state: ImportState, faults: Vec<PlacedFault>) -> Self {
        let fault = |fault: PlacedFault| RecordFaultJson {
            at: fault.at,
            code: fault.code,
            detail: fault.detail,
        };
        Self {
            file: state.into(),
            faults: faults.into_iter().map(fault).collect(),
        }
    }
}
