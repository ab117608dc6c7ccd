//! The two columns of a spec: `spec` without secrets, for people, and `sealed`, the whole spec encrypted.

use easel_keys::{SealError, SealedPlace, Sealer, Secret};
use rusqlite::{Connection, params};
use thiserror::Error;
use tracing::warn;

use super::columns::json_fault;
use crate::state_store::StateStoreError;
use crate::{Spec, SpecJson};

/// Why a sealed spec could not be opened.
#[derive(Debug, Error)]
pub(super) enum SealedSpecError {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("parse the spec: {0}")]
    Json(#[from] serde_json::Error),
}

/// The two columns of a spec.
pub(super) struct SpecColumns {
    pub(super) spec: String,
    pub(super) sealed: Vec<u8>,
}

impl SpecColumns {
    /// Seals the spec of a subscription for one revision.
    pub(super) fn new(
        sealer: &Sealer,
        id: i64,
        revision: u64,
        spec: &Spec,
    ) -> Result<Self, StateStoreError> {
        let fault = |what: String| StateStoreError::Row {
            name: spec.name.to_string(),
            what,
        };
        let with_secrets = serde_json::to_vec(&SpecJson::with_secrets(spec));
        let with_secrets = Secret::new(with_secrets.map_err(|error| json_fault(&error))?);
        let sealed = sealer.seal(place(&id.to_string(), revision), with_secrets.expose());
        Ok(Self {
            spec: serde_json::to_string(&SpecJson::without_secrets(spec))
                .map_err(|error| json_fault(&error))?,
            sealed: sealed.map_err(|error| fault(error.to_string()))?,
        })
    }
}

/// Opens the sealed spec of a subscription.
pub(super) fn open(
    sealer: &Sealer,
    id: i64,
    revision: u64,
    sealed: &[u8],
) -> Result<Spec, SealedSpecError> {
    let opened = sealer.open(place(&id.to_string(), revision), sealed)?;
    Ok(serde_json::from_slice(opened.expose())?)
}

/// Seals the specs of a file of format 4 or earlier, which has them as plain text, and erases the plain
/// text.
pub(super) fn seal_plain_specs(
    connection: &mut Connection,
    sealer: &Sealer,
) -> Result<(), StateStoreError> {
    let transaction = connection.transaction()?;
    let plain = {
        let sql = "SELECT id, revision, spec FROM subscriptions WHERE sealed IS NULL";
        let mut statement = transaction.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let spec: String = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, Secret::new(spec)))
        })?;
        rows.collect::<Result<Vec<(i64, i64, Secret<String>)>, _>>()?
    };
    for (id, revision, spec) in plain {
        let spec: Spec =
            serde_json::from_str(spec.expose()).map_err(|error| StateStoreError::Row {
                name: format!("with id {id}"),
                what: error.to_string(),
            })?;
        let columns = SpecColumns::new(sealer, id, revision.unsigned_abs(), &spec)?;
        transaction.execute(
            "UPDATE subscriptions SET spec = ?2, sealed = ?3 WHERE id = ?1",
            params![id, columns.spec, columns.sealed],
        )?;
    }
    transaction.commit()?;
    erase_plain_text(connection)
}

/// Removes the plain text of older formats from the free parts of the file and from its WAL. If this does
/// not end, the next start repeats it.
fn erase_plain_text(connection: &Connection) -> Result<(), StateStoreError> {
    let sql = "SELECT count(*) FROM pending_erasure";
    let pending: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    if pending == 0 {
        return Ok(());
    }
    connection.execute_batch("VACUUM")?;
    // The WAL has the old pages until it is truncated.
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let is_busy: bool = connection.query_row(sql, [], |row| row.get(0))?;
    if is_busy {
        warn!("another process reads state.db; the next start erases old plain text in its WAL");
        return Ok(());
    }
    connection.execute("DELETE FROM pending_erasure", [])?;
    Ok(())
}

/// Seals those specs again that an older data key sealed. Returns how many specs it sealed.
pub(super) fn reseal(
    connection: &mut Connection,
    sealer: &Sealer,
) -> Result<usize, StateStoreError> {
    let transaction = connection.transaction()?;
    let rows = {
        let mut statement =
            transaction.prepare("SELECT id, revision, sealed FROM subscriptions")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<Result<Vec<(i64, i64, Vec<u8>)>, _>>()?
    };
    let mut count = 0;
    for (id, revision, sealed) in rows {
        if sealer.is_current(&sealed) {
            continue;
        }
        let row = id.to_string();
        let place = place(&row, revision.unsigned_abs());
        let opened = sealer.open(place, &sealed);
        let resealed = opened.and_then(|opened| sealer.seal(place, opened.expose()));
        let resealed = resealed.map_err(|error| StateStoreError::Row {
            name: format!("with id {id}"),
            what: error.to_string(),
        })?;
        transaction.execute(
            "UPDATE subscriptions SET sealed = ?2 WHERE id = ?1",
            params![id, resealed],
        )?;
        count += 1;
    }
    transaction.commit()?;
    Ok(count)
}

/// Returns the number of specs that cannot be opened.
pub(super) fn lost_count(
    connection: &Connection,
    sealer: &Sealer,
) -> Result<usize, StateStoreError> {
    let sql = "SELECT id, revision, sealed FROM subscriptions";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (id, revision, sealed): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let opened = open(sealer, id, revision.unsigned_abs(), &sealed);
        count += usize::from(opened.is_err());
    }
    Ok(count)
}

/// Replaces each sealed spec that cannot be opened by the spec in the column `spec`, which has no secrets.
/// Pauses the subscriptions that had secrets, and returns their names.
pub(super) fn forget_lost(
    connection: &mut Connection,
    sealer: &Sealer,
) -> Result<Vec<String>, StateStoreError> {
    let transaction = connection.transaction()?;
    let rows = {
        let sql = "SELECT id, revision, sealed, spec FROM subscriptions ORDER BY name";
        let mut statement = transaction.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        rows.collect::<Result<Vec<(i64, i64, Vec<u8>, String)>, _>>()?
    };
    let mut names = Vec::new();
    for (id, revision, sealed, shown) in rows {
        let revision = revision.unsigned_abs();
        if open(sealer, id, revision, &sealed).is_ok() {
            continue;
        }
        let spec: Spec = serde_json::from_str(&shown).map_err(|error| json_fault(&error))?;
        let columns = SpecColumns::new(sealer, id, revision, &spec)?;
        transaction.execute(
            "UPDATE subscriptions SET sealed = ?2 WHERE id = ?1",
            params![id, columns.sealed],
        )?;
        if spec.lacks_secrets() {
            transaction.execute(
                "UPDATE subscriptions SET state = 'paused', reason = ?2
                 WHERE id = ?1 AND state = 'active'",
                params![
                    id,
                    "its secrets were lost with the master key; set them again"
                ],
            )?;
            names.push(spec.name.to_string());
        }
    }
    transaction.commit()?;
    Ok(names)
}

const fn place(row: &str, version: u64) -> SealedPlace<'_> {
    SealedPlace {
        table: "state.db/subscriptions",
        row,
        version,
    }
}
