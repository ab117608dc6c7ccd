//! The two logs of a data folder: the accepted events, and the quarantine.

use std::sync::Arc;

use easel_ingest::event_facts;
use easel_log::{Clock, ExtractFacts, LogName, LogOptions, RecordFacts, SharedLog};
use easel_log_sqlite::{OpenLogError, SqliteLog};

use crate::data_folder::{DataFolder, LOG, QUARANTINE};

/// The logs of a data folder.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    /// The accepted events.
    pub(crate) events: Arc<SqliteLog>,
    /// The records that doors accepted although they are not valid events.
    pub(crate) quarantine: Arc<SqliteLog>,
}

impl Logs {
    /// Opens both logs of `folder`.
    pub(crate) fn open(
        folder: &DataFolder,
        duplicate_window: usize,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, OpenLogError> {
        let options = LogOptions {
            duplicate_window,
            ..LogOptions::default()
        };
        let quarantine_options = LogOptions {
            name: LogName::Quarantine,
            duplicate_window: 0,
            recent_bytes: 0,
            ..options
        };
        Ok(Self {
            events: open_log(folder, LOG, options, clock)?,
            quarantine: open_log(folder, QUARANTINE, quarantine_options, clock)?,
        })
    }

    /// Returns the log of accepted events, for rooms that do not depend on a backend.
    pub(crate) fn shared_events(&self) -> SharedLog {
        Arc::<SqliteLog>::clone(&self.events)
    }

    /// Returns the log of the quarantine, for rooms that do not depend on a backend.
    pub(crate) fn shared_quarantine(&self) -> SharedLog {
        Arc::<SqliteLog>::clone(&self.quarantine)
    }
}

fn open_log(
    folder: &DataFolder,
    name: &str,
    options: LogOptions,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<SqliteLog>, OpenLogError> {
    // Blocks of format 1 lack these facts, so they are read from the events.
    let extract_facts: ExtractFacts = match options.name {
        LogName::Events => event_facts,
        LogName::Quarantine => RecordFacts::none,
    };
    let path = folder.file(name);
    SqliteLog::open(&path, options, Arc::clone(clock), extract_facts).map(Arc::new)
}
