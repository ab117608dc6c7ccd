//! Which entries a reader wants, and the query that finds them.

use easel_catalog::Reach;
use jiff::Timestamp;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};

use crate::audit_entry::AuditEntry;
use crate::stored_entry::{COLUMNS, StoredEntry};

/// Which entries a reader wants. All conditions must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only entries with this number or a higher one.
    pub from: u64,
    /// The most entries.
    pub limit: usize,
    /// Only entries of actors with this reach. With [`Reach::Everything`], all entries.
    pub reach: Reach,
    /// Only entries of this actor.
    pub actor: Option<String>,
    /// Only entries whose action matches this pattern: `*` is any text, `?` is one character.
    pub action: Option<String>,
    /// Only entries with this object.
    pub object: Option<String>,
    /// Only entries of this time or later.
    pub since: Option<Timestamp>,
    /// Only entries before this time.
    pub until: Option<Timestamp>,
}

/// Returns the entries, oldest first, and the number from which the next query continues.
pub(crate) fn find(
    connection: &Connection,
    query: &AuditQuery,
) -> rusqlite::Result<(Vec<AuditEntry>, u64)> {
    let mut conditions = vec!["number >= ?".to_owned()];
    let mut values = vec![SqlValue::from(to_signed(query.from))];
    let mut add = |condition: &str, value: SqlValue| {
        conditions.push(condition.to_owned());
        values.push(value);
    };
    match &query.reach {
        Reach::Everything => (),
        confined @ Reach::RootAccount(_) => add("reach = ?", confined.to_string().into()),
    }
    if let Some(actor) = &query.actor {
        add("actor = ?", actor.clone().into());
    }
    if let Some(action) = &query.action {
        add("action GLOB ?", as_glob(action).into());
    }
    if let Some(object) = &query.object {
        add("object = ?", object.clone().into());
    }
    if let Some(since) = query.since {
        add("at >= ?", since.as_microsecond().into());
    }
    if let Some(until) = query.until {
        add("at < ?", until.as_microsecond().into());
    }
    values.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
    let conditions = conditions.join(" AND ");
    let sql = format!("SELECT {COLUMNS} FROM entries WHERE {conditions} ORDER BY number LIMIT ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok(StoredEntry::from_row(row)?.to_entry())
    })?;
    let entries = rows.collect::<Result<Vec<_>, _>>()?;
    let next = entries.last().map_or(query.from, |last| last.number + 1);
    Ok((entries, next))
}

/// Returns a pattern in which `[` has no special meaning.
fn as_glob(pattern: &str) -> String {
    pattern.replace('[', "[[]")
}

fn to_signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
