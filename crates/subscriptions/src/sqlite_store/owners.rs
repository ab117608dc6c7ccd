//! The documents of owners: of subscriptions, and of removed ones in the table `tombstones`.
//!
//! As with specs, one column has the document without secrets, for people, and one has the whole document,
//! encrypted.

use std::sync::Arc;

use easel_keys::{SealError, SealedPlace, Sealer, Secret};
use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use crate::state_store::StateStoreError;
use crate::{Owner, OwnerSystem, Tombstone};

/// The columns of an owner. All are null for a subscription without an owner.
#[derive(Default)]
pub(super) struct OwnerColumns<'a> {
    pub(super) owner: Option<&'static str>,
    pub(super) owner_id: Option<&'a str>,
    pub(super) document: Option<&'a str>,
    pub(super) sealed_document: Option<Vec<u8>>,
}

/// The rows whose documents are sealed.
#[derive(Clone, Copy)]
enum DocumentTable {
    Subscriptions,
    Tombstones,
}

impl DocumentTable {
    const ALL: [Self; 2] = [Self::Subscriptions, Self::Tombstones];

    const fn name(self) -> &'static str {
        match self {
            Self::Subscriptions => "subscriptions",
            Self::Tombstones => "tombstones",
        }
    }

    /// Returns the columns of the row and the version in the place of a sealed document.
    const fn place_columns(self) -> &'static str {
        match self {
            Self::Subscriptions => "CAST(id AS TEXT), revision",
            Self::Tombstones => "owner_id, removed_at",
        }
    }

    const fn place(self, row: &str, version: i64) -> SealedPlace<'_> {
        SealedPlace {
            table: match self {
                Self::Subscriptions => "state.db/documents",
                Self::Tombstones => "state.db/tombstones",
            },
            row,
            version: version.unsigned_abs(),
        }
    }
}

impl<'a> OwnerColumns<'a> {
    /// Seals the document of a subscription for one revision.
    pub(super) fn of_subscription(
        sealer: &Sealer,
        (id, revision): (i64, i64),
        owner: Option<&'a Owner>,
    ) -> Result<Self, StateStoreError> {
        let Some(owner) = owner else {
            return Ok(Self::default());
        };
        Self::new(
            sealer,
            DocumentTable::Subscriptions.place(&id.to_string(), revision),
            owner,
        )
    }

    fn new(
        sealer: &Sealer,
        place: SealedPlace<'_>,
        owner: &'a Owner,
    ) -> Result<Self, StateStoreError> {
        let sealed = sealer.seal(place, owner.document.expose().as_bytes());
        Ok(Self {
            owner: Some(owner.system.as_str()),
            owner_id: Some(&owner.id),
            document: Some(&owner.shown_document),
            sealed_document: Some(sealed.map_err(|error| fault(&owner.id, &error))?),
        })
    }
}

/// Reads the owner of a subscription.
pub(super) fn read_owner(
    row: &Row<'_>,
    sealer: &Sealer,
) -> Result<Option<Arc<Owner>>, StateStoreError> {
    let Some(system) = row.get::<_, Option<String>>("owner")? else {
        return Ok(None);
    };
    let (id, revision): (i64, i64) = (row.get("id")?, row.get("revision")?);
    let id = id.to_string();
    let place = DocumentTable::Subscriptions.place(&id, revision);
    read(row, sealer, (&system, place)).map(|owner| Some(Arc::new(owner)))
}

fn read(
    row: &Row<'_>,
    sealer: &Sealer,
    (system, place): (&str, SealedPlace<'_>),
) -> Result<Owner, StateStoreError> {
    let id: String = row.get("owner_id")?;
    let system = OwnerSystem::from_name(system)
        .ok_or_else(|| fault(&id, &format_args!("unknown owner {system:?}")))?;
    let sealed: Vec<u8> = row.get("sealed_document")?;
    let opened = sealer.open(place, &sealed);
    let opened = opened.map_err(|error| fault(&id, &error))?;
    let document = str::from_utf8(opened.expose()).map_err(|error| fault(&id, &error))?;
    Ok(Owner {
        system,
        document: Secret::new(document.to_owned()),
        shown_document: row.get("document")?,
        id,
    })
}

/// Returns all tombstones, by id.
pub(super) fn tombstones(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
) -> Result<Vec<Tombstone>, StateStoreError> {
    let mut statement = transaction.prepare("SELECT * FROM tombstones ORDER BY owner_id")?;
    let mut rows = statement.query([])?;
    let mut tombstones = Vec::new();
    while let Some(row) = rows.next()? {
        let (system, id): (String, String) = (row.get("owner")?, row.get("owner_id")?);
        let millis: i64 = row.get("removed_at")?;
        let place = DocumentTable::Tombstones.place(&id, millis);
        tombstones.push(Tombstone {
            owner: read(row, sealer, (&system, place))?,
            removed_at: Timestamp::from_millisecond(millis).map_err(|error| fault(&id, &error))?,
        });
    }
    Ok(tombstones)
}

/// Adds a tombstone.
pub(super) fn insert_tombstone(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
    tombstone: &Tombstone,
) -> Result<(), StateStoreError> {
    let (owner, millis) = (&tombstone.owner, tombstone.removed_at.as_millisecond());
    let place = DocumentTable::Tombstones.place(&owner.id, millis);
    let columns = OwnerColumns::new(sealer, place, owner)?;
    transaction.execute(
        "INSERT OR REPLACE INTO tombstones (owner, owner_id, removed_at, document, sealed_document)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            columns.owner,
            columns.owner_id,
            millis,
            columns.document,
            columns.sealed_document,
        ],
    )?;
    Ok(())
}

/// Removes the tombstone of a subscription that exists again.
pub(super) fn remove_tombstone(
    transaction: &Transaction<'_>,
    owner: &Owner,
) -> Result<(), StateStoreError> {
    transaction.execute(
        "DELETE FROM tombstones WHERE owner = ?1 AND owner_id = ?2",
        params![owner.system.as_str(), owner.id],
    )?;
    Ok(())
}

/// Removes the tombstones from before `time`.
pub(super) fn remove_tombstones(
    transaction: &Transaction<'_>,
    time: Timestamp,
) -> Result<(), StateStoreError> {
    let sql = "DELETE FROM tombstones WHERE removed_at < ?1";
    transaction.execute(sql, [time.as_millisecond()])?;
    Ok(())
}

/// A sealed document of the file.
struct SealedDocument {
    rowid: i64,
    row: String,
    version: i64,
    sealed: Vec<u8>,
    shown: String,
}

fn sealed_documents(
    connection: &Connection,
    table: DocumentTable,
) -> rusqlite::Result<Vec<SealedDocument>> {
    let sql = format!(
        "SELECT rowid, {}, sealed_document, document FROM {} WHERE sealed_document IS NOT NULL",
        table.place_columns(),
        table.name()
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(SealedDocument {
            rowid: row.get(0)?,
            row: row.get(1)?,
            version: row.get(2)?,
            sealed: row.get(3)?,
            shown: row.get(4)?,
        })
    })?;
    rows.collect()
}

/// Replaces the sealed documents for which `replacement` returns one. Returns their number.
fn replace(
    connection: &mut Connection,
    mut replacement: impl FnMut(SealedPlace<'_>, &SealedDocument) -> Option<Result<Vec<u8>, SealError>>,
) -> Result<usize, StateStoreError> {
    let transaction = connection.transaction()?;
    let mut count = 0;
    for table in DocumentTable::ALL {
        for found in sealed_documents(&transaction, table)? {
            let place = table.place(&found.row, found.version);
            let Some(replaced) = replacement(place, &found) else {
                continue;
            };
            let sealed = replaced.map_err(|error| fault(&found.row, &error))?;
            let sql = format!(
                "UPDATE {} SET sealed_document = ?2 WHERE rowid = ?1",
                table.name()
            );
            transaction.execute(&sql, params![found.rowid, sealed])?;
            count += 1;
        }
    }
    transaction.commit()?;
    Ok(count)
}

/// Seals those documents again that an older data key sealed. Returns how many documents it sealed.
pub(super) fn reseal(
    connection: &mut Connection,
    sealer: &Sealer,
) -> Result<usize, StateStoreError> {
    replace(connection, |place, found| {
        if sealer.is_current(&found.sealed) {
            return None;
        }
        let opened = sealer.open(place, &found.sealed);
        Some(opened.and_then(|opened| sealer.seal(place, opened.expose())))
    })
}

/// Returns the number of documents that cannot be opened.
pub(super) fn lost_count(
    connection: &Connection,
    sealer: &Sealer,
) -> Result<usize, StateStoreError> {
    let mut count = 0;
    for table in DocumentTable::ALL {
        for found in sealed_documents(connection, table)? {
            let opened = sealer.open(table.place(&found.row, found.version), &found.sealed);
            count += usize::from(opened.is_err());
        }
    }
    Ok(count)
}

/// Replaces each document that cannot be opened by the document without secrets.
pub(super) fn forget_lost(
    connection: &mut Connection,
    sealer: &Sealer,
) -> Result<(), StateStoreError> {
    let replaced = replace(connection, |place, found| {
        if sealer.open(place, &found.sealed).is_ok() {
            return None;
        }
        Some(sealer.seal(place, found.shown.as_bytes()))
    });
    replaced.map(drop)
}

/// Returns the sealed documents of the file.
pub(super) fn sealed(connection: &Connection) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for table in DocumentTable::ALL {
        let documents = sealed_documents(connection, table)?;
        all.extend(documents.into_iter().map(|found| found.sealed));
    }
    Ok(all)
}

fn fault(id: &str, what: &dyn std::fmt::Display) -> StateStoreError {
    StateStoreError::Row {
        name: format!("of the owner's id {id}"),
        what: what.to_string(),
    }
}
