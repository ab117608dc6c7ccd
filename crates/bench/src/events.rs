//! The events that are worked on: payloads from files, or the catalogue's own examples.

use std::path::{Path, PathBuf};

use anyhow::Context;
use easel_catalog::{Catalog, Event, EventOrigin, Limits, admit};
use jiff::Timestamp;
use serde_json::value::RawValue;

/// Where the events come from.
#[derive(clap::Args)]
pub(crate) struct EventsArgs {
    /// Folders of JSON files, an event or an array of events each; without any, an example of
    /// every event type
    folders: Vec<PathBuf>,
}

impl EventsArgs {
    /// The events, each once.
    pub(crate) fn load(&self) -> anyhow::Result<Vec<Event>> {
        let mut texts = Vec::new();
        for folder in &self.folders {
            read(folder, &mut texts).with_context(|| folder.display().to_string())?;
        }
        if self.folders.is_empty() {
            let catalog = Catalog::built_in();
            let example = |it| catalog.example(it, EventOrigin::Request, Timestamp::UNIX_EPOCH);
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
            let them: Vec<&RawValue> = serde_json::from_str(&text)?;
            texts.extend(them.into_iter().map(|it| it.get().to_owned()));
        } else {
            texts.push(text);
        }
    }
    Ok(())
}
