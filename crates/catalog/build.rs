//! Makes tables of the data files in `events`, so that nothing is parsed at start.
//!
//! A file that is wrong fails the build with its line.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/caliper_file.rs"]
mod caliper_file;
#[path = "src/caliper_form.rs"]
#[expect(dead_code, unreachable_pub, reason = "the crate uses the rest")]
mod caliper_form;
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
        let name = path
            .strip_prefix(folder)?
            .to_str()
            .ok_or("a path is not text")?;
        match (CatalogFile {
            path: name,
            text: &text,
        })
        .read()?
        {
            CatalogFileContent::Type(it) => types.push(it),
            CatalogFileContent::Caliper(of, form) => drop(forms.insert(of, form)),
            CatalogFileContent::Metadata(it) => metadata.extend(it),
            CatalogFileContent::Version(it) => version = it,
        }
    }
    for it in &mut types {
        it.caliper = forms.remove(it.name);
    }
    if let Some(of) = forms.keys().next() {
        return Err(format!("events: {of} has a Caliper form and is no event type").into());
    }
    types.sort_by_key(|it| it.name);
    let tables = format!(
        "/// The version of the built-in catalogue.\n\
         pub(crate) const VERSION: &str = {version:?};\n\
         /// The event types, by name.\n\
         pub(crate) static TYPES: List<EventType> = {:?};\n\
         /// The fields of the metadata.\n\
         pub(crate) static METADATA: List<MetadataField> = {:?};\n",
        List::kept(types),
        List::kept(metadata),
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    fs::write(out.join("built_in.rs"), tables)?;
    Ok(())
}

/// Collects the files below `folder`, in an order that is always the same.
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
