//! The signing keys in `keys.db`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::KeyStoreError;
use crate::private_key::PrivateKey;
use crate::sealer::{SealedPlace, Sealer};
use crate::signing_keys::SigningKeySet;
use crate::{Secret, SigningAlgorithm};

/// A row of the table `signing_keys`, with the key opened.
struct SigningRow {
    algorithm: SigningAlgorithm,
    role: String,
    since: Timestamp,
    key: Arc<PrivateKey>,
}

/// Reads all signing keys.
pub(super) fn read(
    file: &Connection,
    sealer: &Sealer,
) -> Result<BTreeMap<SigningAlgorithm, SigningKeySet>, KeyStoreError> {
    let mut by_role = BTreeMap::new();
    let mut statement = file.prepare("SELECT * FROM signing_keys")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let row = read_row(row, sealer)?;
        by_role.insert((row.algorithm, row.role.clone()), row);
    }
    let mut sets = BTreeMap::new();
    for algorithm in SigningAlgorithm::ALL {
        let mut take = |role: &str| by_role.remove(&(algorithm, role.to_owned()));
        let (previous, current, next) = (take("previous"), take("current"), take("next"));
        match (current, next) {
            (None, None) => (),
            (Some(current), Some(next)) => {
                let set = SigningKeySet {
                    previous: previous.map(|row| row.key),
                    since: current.since,
                    current: current.key,
                    next: next.key,
                };
                sets.insert(algorithm, set);
            }
            (Some(only), None) | (None, Some(only)) => {
                return Err(KeyStoreError::SigningKey {
                    kid: only.key.kid().to_owned(),
                    what: "there must be a current and a next key".to_owned(),
                });
            }
        }
    }
    Ok(sets)
}

fn read_row(row: &Row<'_>, sealer: &Sealer) -> Result<SigningRow, KeyStoreError> {
    let kid: String = row.get("kid")?;
    let fault = |what: String| KeyStoreError::SigningKey {
        kid: kid.clone(),
        what,
    };
    let algorithm: String = row.get("algorithm")?;
    let algorithm = algorithm.parse();
    let algorithm: SigningAlgorithm = algorithm.map_err(|error| fault(format!("{error}")))?;
    let sealed: Vec<u8> = row.get("sealed")?;
    let pkcs8 = sealer.open(place(&kid), &sealed)?;
    let key = PrivateKey::from_pkcs8(algorithm, kid.clone(), pkcs8.expose());
    let since = Timestamp::from_millisecond(row.get("since")?);
    Ok(SigningRow {
        algorithm,
        role: row.get("role")?,
        since: since.map_err(|error| fault(error.to_string()))?,
        key: Arc::new(key.map_err(|error| fault(error.to_string()))?),
    })
}

/// Replaces the keys of an algorithm in one transaction.
pub(super) fn save(
    file: &mut Connection,
    sealer: &Sealer,
    algorithm: SigningAlgorithm,
    set: &SigningKeySet,
) -> Result<(), KeyStoreError> {
    let transaction = file.transaction()?;
    let sql = "DELETE FROM signing_keys WHERE algorithm = ?1";
    transaction.execute(sql, [algorithm.as_str()])?;
    let previous = set.previous.as_ref().map(|key| ("previous", key));
    let roles = [("current", &set.current), ("next", &set.next)];
    for (role, key) in previous.into_iter().chain(roles) {
        let pkcs8: Secret<Vec<u8>> = key.to_pkcs8().map_err(|error| KeyStoreError::SigningKey {
            kid: key.kid().to_owned(),
            what: error.to_string(),
        })?;
        transaction.execute(
            "INSERT INTO signing_keys (kid, algorithm, role, since, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                key.kid(),
                algorithm.as_str(),
                role,
                set.since.as_millisecond(),
                sealer.seal(place(key.kid()), pkcs8.expose())?,
            ],
        )?;
    }
    transaction.commit()?;
    Ok(())
}

/// Seals those signing keys again that an older data key sealed.
pub(super) fn reseal(file: &mut Connection, sealer: &Sealer) -> Result<(), KeyStoreError> {
    let transaction = file.transaction()?;
    let rows = {
        let mut statement = transaction.prepare("SELECT kid, sealed FROM signing_keys")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<Vec<(String, Vec<u8>)>, _>>()?
    };
    for (kid, sealed) in rows {
        if !sealer.is_current(&sealed) {
            let opened = sealer.open(place(&kid), &sealed)?;
            let sealed = sealer.seal(place(&kid), opened.expose())?;
            let sql = "UPDATE signing_keys SET sealed = ?2 WHERE kid = ?1";
            transaction.execute(sql, params![kid, sealed])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Returns the greatest id of all signing keys.
pub(super) fn latest_kid(file: &Connection) -> Result<Option<String>, KeyStoreError> {
    let sql = "SELECT kid FROM signing_keys ORDER BY kid DESC LIMIT 1";
    Ok(file.query_row(sql, [], |row| row.get(0)).optional()?)
}

const fn place(kid: &str) -> SealedPlace<'_> {
    SealedPlace {
        table: "keys.db/signing_keys",
        row: kid,
        version: 1,
    }
}
