//! The input events: payloads from files, or the examples of the catalogue.

use std::path::{Path, PathBuf};

use anyhow::Context;
use easel_catalog::{Catalog, Event, EventOrigin, Limits, admit};
use jiff::Timestamp;
use serde_json::value::RawValue;

/// The source of the events.
#[derive(clap::Args)]
pub(crate) struct EventsArgs {
    /// Folders of JSON files with one event or an array of events [default: an example of every
    /// event type]
    folders: Vec<PathBuf>,
}

impl EventsArgs {
    /// Loads the events.
    pub(crate) fn load(&self) -> anyhow::Result<Vec<Event>> {
        let mut texts = Vec::new();
        for folder in &self.folders {
            read(folder, &mut texts).with_context(|| folder.display().to_string())?;
        }
        if self.folders.is_empty() {
            let catalog = Catalog::built_in();
            let example = |event_type| {
                catalog.example(event_type, EventOrigin::Request, Timestamp::UNIX_EPOCH)
            };
            texts.extend(catalog.types().iter().map(example));
        }
        let admit = |text: &String| Ok(admit(text.as_bytes(), &Limits::default())?);
        texts.iter().map(admit).collect()
    }
}

fn read(folder: &Path, texts: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in folder.read_dir()? {
        let text = std::fs::read_to_string(entry?.path())?;
        if text.trim_start().starts_with('[') {
            let events: Vec<&RawValue> = serde_json::from_str(&text)?;
            texts.extend(events.into_iter().map(|event| event.get().to_owned()));
        } else {
            texts.push(text);
        }
    }
    Ok(())
}
