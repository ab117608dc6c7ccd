//! Appends one part of a file, and saves the position after it.

use std::sync::Arc;

use axum::http::StatusCode;
use easel_access::Problem;
use easel_log::{AppendError, Appended, run_blocking};
use easel_sources::{ImportCounts, ImportKey, ImportState, Imports, SavedPart, SourceStoreError};
use tracing::debug;

use super::part_parser::PartPlaces;
use super::recovery::{self, RecoveryError, heads};
use crate::Intake;
use crate::budget::Reservation;
use crate::door::Door;
use crate::intake::{NotStored, Parsed};
use crate::metrics;

/// What a client says about a part.
#[derive(Clone, Debug)]
pub(super) struct PartHead {
    pub(super) key: ImportKey,
    pub(super) generation: u64,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) checkpoint: String,
    pub(super) is_last: bool,
}

/// A part with its records.
pub(super) struct FilePart {
    pub(super) head: PartHead,
    pub(super) parsed: Parsed<PartPlaces>,
    /// The room of the request. It is reserved until the part is stored.
    pub(super) room: Reservation,
}

/// A part that is stored.
#[derive(Debug)]
pub(super) struct StoredPart {
    pub(super) state: ImportState,
    pub(super) places: PartPlaces,
    pub(super) room: Reservation,
}

/// The records of a part that are not in the logs yet, and what is known about the others.
struct Rest {
    events: Vec<easel_log::NewRecord>,
    invalid_records: Vec<easel_quarantine::NewQuarantined>,
    /// Records that an interrupted run had stored without saving their counts.
    counts: ImportCounts,
}

/// Stores a part. A part that is stored already is not stored again.
///
/// The caller must run it to its end, also if the client has gone: the append may succeed later.
pub(super) async fn store(
    intake: &Intake,
    imports: &Arc<Imports>,
    part: FilePart,
) -> Result<StoredPart, Problem> {
    let FilePart { head, parsed, room } = part;
    let _lock = imports.lock(&head.key).await;
    let mut state = load(imports, &head.key).await?;
    if state.generation != head.generation {
        return Err(taken_over());
    }
    if state.is_pending {
        settle(intake, imports, &state).await?;
        state = load(imports, &head.key).await?;
    }
    let places = &parsed.answer;
    let is_stored = places.last <= state.through && head.end <= state.position;
    if head.start < state.position && is_stored {
        let places = parsed.answer;
        return Ok(StoredPart {
            state,
            places,
            room,
        });
    }
    if head.start != state.position {
        return Err(wrong_position(state.position));
    }
    let heads_before = heads(intake.log(), intake.quarantine());
    let (shared, key) = (Arc::clone(imports), head.key.clone());
    run_blocking(move || shared.mark_pending(&key, heads_before))
        .await
        .map_err(|error| store_failed(&error))?;

    let Parsed {
        events,
        invalid_records,
        answer: places,
    } = parsed;
    let rest = Rest::new(&state, &places, events, invalid_records);
    let counts = append(intake, rest).await.map_err(|error| {
        debug!(%error, "a part was not stored");
        Problem::from(NotStored::from(error))
    })?;
    let saved = SavedPart {
        position: head.end,
        checkpoint: head.checkpoint,
        is_last: head.is_last,
        through: places.last,
        counts,
        heads: heads(intake.log(), intake.quarantine()),
    };
    let (shared, key, now) = (Arc::clone(imports), head.key.clone(), intake.now());
    run_blocking(move || shared.save(&key, &saved, now))
        .await
        .map_err(|error| store_failed(&error))?;
    let state = load(imports, &head.key).await?;
    Ok(StoredPart {
        state,
        places,
        room,
    })
}

impl Rest {
    /// Leaves out the records that are in the logs. They are the ones up to `stored_through` and
    /// `quarantined_through`, because each of the two appends is stored whole or not at all.
    fn new(
        state: &ImportState,
        places: &PartPlaces,
        events: Vec<easel_log::NewRecord>,
        invalid_records: Vec<easel_quarantine::NewQuarantined>,
    ) -> Self {
        let is_unsaved = |at: u64| Some(at) > state.through;
        let mut counts = ImportCounts::default();
        let events = events.into_iter().zip(&places.events);
        let events = events.filter(|(_, at)| {
            let is_new = Some(**at) > state.stored_through;
            counts.accepted += u64::from(!is_new && is_unsaved(**at));
            is_new
        });
        let events = events.map(|(event, _at)| event).collect();
        let invalid_records = invalid_records.into_iter().zip(&places.faults);
        let invalid_records = invalid_records.filter(|(_, fault)| {
            let is_new = Some(fault.at) > state.quarantined_through;
            counts.rejected += u64::from(!is_new && is_unsaved(fault.at));
            is_new
        });
        let invalid_records = invalid_records.map(|(record, _fault)| record).collect();
        Self {
            events,
            invalid_records,
            counts,
        }
    }
}

/// Appends the records. The invalid ones come first, so events in the log mean that the whole part is stored.
async fn append(intake: &Intake, rest: Rest) -> Result<ImportCounts, AppendError> {
    let Rest {
        events,
        invalid_records,
        mut counts,
    } = rest;
    if !invalid_records.is_empty() {
        let count = invalid_records.len();
        intake.quarantine().put(invalid_records).await?;
        metrics::quarantined(Door::Import, count);
        counts.rejected += count as u64;
    }
    if !events.is_empty() {
        let appended = intake.log().append(events).await?;
        let is_stored = |result: &&Appended| matches!(result, Appended::Stored(_));
        let stored = appended.iter().filter(is_stored).count();
        metrics::accepted(Door::Import, stored);
        metrics::duplicates(Door::Import, appended.len() - stored);
        counts.accepted += stored as u64;
        counts.duplicates += (appended.len() - stored) as u64;
    }
    Ok(counts)
}

/// Finds what an interrupted part has left in the logs.
pub(super) async fn settle(
    intake: &Intake,
    imports: &Arc<Imports>,
    state: &ImportState,
) -> Result<(), Problem> {
    let settled = recovery::settle(imports, intake.log(), intake.quarantine(), state).await;
    settled.map_err(|error| match error {
        RecoveryError::Read(error) => {
            let reason = error.to_string();
            Problem::from(NotStored::from(AppendError::Failed { reason }))
        }
        RecoveryError::Store(error) => store_failed(&error),
    })
}

/// Reads how far a file was imported.
pub(super) async fn load(imports: &Arc<Imports>, key: &ImportKey) -> Result<ImportState, Problem> {
    let (shared, wanted) = (Arc::clone(imports), key.clone());
    let state = run_blocking(move || shared.get(&wanted)).await;
    state
        .map_err(|error| store_failed(&error))?
        .ok_or_else(unknown)
}

pub(super) fn unknown() -> Problem {
    let detail = "No file with this key was imported.";
    Problem::new(StatusCode::NOT_FOUND, "no_such_import", detail)
}

pub(super) fn store_failed(error: &SourceStoreError) -> Problem {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "the state of an import cannot be used");
    let detail = "The state of imports cannot be read or saved now.";
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "imports_unavailable",
        detail,
    );
    problem.retry_after(super::LATER)
}

fn taken_over() -> Problem {
    let detail = "Another client has begun to import this file; only the latest one may continue.";
    Problem::new(StatusCode::CONFLICT, "import_taken_over", detail)
}

fn wrong_position(position: u64) -> Problem {
    let detail = format!("The part does not begin at byte {position}, the end of the last one.");
    Problem::new(StatusCode::CONFLICT, "wrong_position", detail).with("position", position)
}
