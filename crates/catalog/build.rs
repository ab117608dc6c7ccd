//! Generates Rust tables from the data files in `events`, so that the program parses no data file when
//! it starts.
//!
//! An invalid file fails the build. The error names the line.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/caliper_file.rs"]
mod caliper_file;
#[path = "src/caliper_template.rs"]
#[expect(dead_code, unreachable_pub, reason = "the crate uses the rest")]
mod caliper_template;
#[path = "src/catalog_file.rs"]
#[expect(dead_code, unreachable_pub, reason = "the crate uses the rest")]
mod catalog_file;
#[path = "src/column.rs"]
#[expect(unreachable_pub, reason = "the crate uses the rest")]
mod column;
#[path = "src/event_type.rs"]
#[expect(dead_code, unreachable_pub, reason = "the crate uses the rest")]
mod event_type;
#[path = "src/field.rs"]
#[expect(dead_code, unreachable_pub, reason = "the crate uses the rest")]
mod field;
#[path = "src/list.rs"]
#[expect(unreachable_pub, reason = "the crate uses the rest")]
mod list;
#[path = "src/toml_words.rs"]
#[expect(unreachable_pub, reason = "the crate uses the rest")]
mod toml_words;

use catalog_file::{CatalogFile, CatalogFileContent};
use list::List;

#[expect(
    clippy::disallowed_methods,
    reason = "a build script reads and writes files"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=events");
    let folder = Path::new("events");
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    let (mut types, mut forms) = (Vec::new(), HashMap::new());
    let (mut metadata, mut version) = (Vec::new(), "");
    for path in paths {
        let text = fs::read_to_string(&path)?;
        let relative_path = path
            .strip_prefix(folder)?
            .to_str()
            .ok_or("a path must be UTF-8")?;
        match (CatalogFile {
            path: relative_path,
            text: &text,
        })
        .read()?
        {
            CatalogFileContent::Type(event_type) => types.push(event_type),
            CatalogFileContent::Caliper(name, form) => drop(forms.insert(name, form)),
            CatalogFileContent::Metadata(fields) => metadata.extend(fields),
            CatalogFileContent::Version(text) => version = text,
        }
    }
    for event_type in &mut types {
        event_type.caliper = forms.remove(event_type.name);
    }
    if let Some(name) = forms.keys().next() {
        return Err(format!("events: the event type {name} of a Caliper form is unknown").into());
    }
    types.sort_by_key(|event_type| event_type.name);
    let tables = format!(
        "/// The version of the built-in catalogue.\n\
         pub(crate) const VERSION: &str = {version:?};\n\
         /// The event types, by name.\n\
         pub(crate) static TYPES: List<EventType> = {:?};\n\
         /// The fields of the metadata.\n\
         pub(crate) static METADATA: List<MetadataField> = {:?};\n",
        List::leak(types),
        List::leak(metadata),
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is missing")?);
    fs::write(out.join("built_in.rs"), tables)?;
    Ok(())
}

/// Collects the TOML files below `folder`, in a fixed order.
#[expect(clippy::disallowed_methods, reason = "a build script reads files")]
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    Ok(())
}
