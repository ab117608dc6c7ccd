//! Finds the parts that are in the logs although they are not saved.
//!
//! A part is appended before its position is saved, so a crash between them leaves records in the logs. Every
//! imported record has its place in the file. So the records after the saved heads say which part was appended.

use std::sync::Arc;

use easel_log::{Found, Offset, ReadError, Reader, SharedLog, run_blocking};
use easel_quarantine::Quarantine;
use easel_sources::{ImportKey, ImportState, Imports, PendingPart, RecordPlace, SourceStoreError};
use thiserror::Error;
use tracing::{info, warn};

use super::source_of;

/// The records that one look into the quarantine reads.
const PAGE: usize = 1000;

/// Why an import could not be read or saved.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// The log or the quarantine could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file of sources failed.
    #[error(transparent)]
    Store(#[from] SourceStoreError),
}

/// Completes the imports that were interrupted between append and save. A server calls it at its start, before the
/// log is trimmed.
pub async fn recover_imports(
    imports: &Arc<Imports>,
    log: &SharedLog,
    quarantine: &Quarantine,
) -> Result<(), RecoveryError> {
    let shared = Arc::clone(imports);
    for state in run_blocking(move || shared.pending()).await? {
        info!(file = %state.key, "looking for an interrupted import in the log");
        settle(imports, log, quarantine, &state).await?;
    }
    Ok(())
}

/// Finds the last records of a file in both logs, and saves their places.
pub(super) async fn settle(
    imports: &Arc<Imports>,
    log: &SharedLog,
    quarantine: &Quarantine,
    state: &ImportState,
) -> Result<(), RecoveryError> {
    let heads = heads(log, quarantine);
    let stored = last_stored(log, state, heads.log).await?;
    let quarantined = last_quarantined(quarantine, state).await?;
    let through = (
        std::cmp::max(stored, state.stored_through),
        std::cmp::max(quarantined, state.quarantined_through),
    );
    let (imports, key) = (Arc::clone(imports), state.key.clone());
    Ok(run_blocking(move || imports.settle(&key, through, heads)).await?)
}

/// Returns the heads of both logs.
pub(super) fn heads(log: &SharedLog, quarantine: &Quarantine) -> PendingPart {
    PendingPart {
        log: log.bounds().borrow().head.get(),
        quarantine: quarantine.head().get(),
    }
}

async fn last_stored(
    log: &SharedLog,
    state: &ImportState,
    head: u64,
) -> Result<Option<u64>, ReadError> {
    let source = source_of(&state.file.name);
    let mut last = None;
    let mut reader = Reader::new(Arc::clone(log), Offset::new(state.heads.log));
    while reader.position().get() < head
        && let Some(found) = reader.try_next().await?
    {
        match found {
            Found::Block { block, from } => {
                let records = block.records_from(from);
                let of_import =
                    records.filter(|record| record.provenance.source.as_deref() == Some(&*source));
                let places = of_import.filter_map(|record| {
                    place_of(
                        record.arrival.as_deref()?.message_id.as_deref()?,
                        &state.key,
                    )
                });
                last = std::cmp::max(last, places.max());
            }
            Found::Skipped(_) => (),
            Found::Trimmed(range) | Found::Damaged(range) => warn!(
                from = range.start.get(),
                to = range.end.get(),
                "records are missing that could belong to an interrupted import; it may repeat them"
            ),
        }
    }
    Ok(last)
}

fn place_of(message_id: &str, key: &ImportKey) -> Option<u64> {
    let place: RecordPlace = message_id.parse().ok()?;
    (place.key == *key).then_some(place.at)
}

async fn last_quarantined(
    quarantine: &Quarantine,
    state: &ImportState,
) -> Result<Option<u64>, ReadError> {
    let source = source_of(&state.file.name);
    let (mut last, mut from) = (None, Offset::new(state.heads.quarantine));
    loop {
        let page = quarantine.list(from, PAGE).await?;
        let Some(end) = page.last() else {
            return Ok(last);
        };
        from = end.offset.next();
        let of_import = page
            .iter()
            .filter(|record| record.source.as_deref() == Some(&*source));
        let places =
            of_import.filter_map(|record| place_of(record.message_id.as_deref()?, &state.key));
        last = std::cmp::max(last, places.max());
    }
}
