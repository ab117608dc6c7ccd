//! A row of the table `entries`, exactly as it is in the file, and the message that its MAC covers.
//!
//! Somebody may have changed the row, so a value is bytes until it is shown. The message has the length of
//! each value before the value. So two different rows never have the same message.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::audit_entry::AuditEntry;
use crate::chain_key::{ChainKey, MacUse};
use crate::{EntryMac, NewAuditEntry};

/// The most bytes of an object. A longer one is cut.
const MAX_OBJECT_BYTES: usize = 1024;

/// The columns in the order of [`StoredEntry::from_row`].
pub(crate) const COLUMNS: &str =
    "number, commit_first, at, actor, address, reach, action, object, details, previous, mac";

/// A row as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredEntry {
    pub(crate) number: i64,
    /// The number of the first entry of the same commit.
    pub(crate) commit_first: i64,
    /// Microseconds since 1970.
    pub(crate) at: i64,
    /// Actor, address, reach, action, object and details.
    pub(crate) texts: [Vec<u8>; 6],
    /// The MAC of the entry before this one.
    pub(crate) previous: Vec<u8>,
    pub(crate) mac: Vec<u8>,
}

impl StoredEntry {
    /// Creates the row of a new entry.
    pub(crate) fn new(
        key: &ChainKey,
        (number, commit_first): (i64, i64),
        entry: &NewAuditEntry,
        previous: &EntryMac,
    ) -> Self {
        let actor = &entry.actor;
        let address = actor.address.map(|address| address.to_string());
        let mut row = Self {
            number,
            commit_first,
            at: entry.at.as_microsecond(),
            texts: [
                actor.name.clone(),
                address.unwrap_or_default(),
                actor.reach.to_string(),
                entry.action.clone(),
                cut(&entry.object).to_owned(),
                Value::Object(entry.details.clone()).to_string(),
            ]
            .map(String::into_bytes),
            previous: previous.as_bytes().to_vec(),
            mac: Vec::new(),
        };
        row.mac = row.computed_mac(key, number).as_bytes().to_vec();
        row
    }

    /// Reads a row. A value of an unexpected type becomes bytes that no MAC covers.
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let bytes = |column| row.get_ref(column).map(bytes_of);
        Ok(Self {
            number: row.get(0)?,
            commit_first: row.get(1)?,
            at: row.get(2)?,
            texts: [
                bytes(3)?,
                bytes(4)?,
                bytes(5)?,
                bytes(6)?,
                bytes(7)?,
                bytes(8)?,
            ],
            previous: bytes(9)?,
            mac: bytes(10)?,
        })
    }

    /// Returns the MAC that this row must have if its number is `number`.
    pub(crate) fn computed_mac(&self, key: &ChainKey, number: i64) -> EntryMac {
        let mut message = Vec::with_capacity(256);
        for value in [number, self.commit_first, self.at] {
            message.extend_from_slice(&value.to_be_bytes());
        }
        for bytes in self.texts.iter().chain([&self.previous]) {
            message.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            message.extend_from_slice(bytes);
        }
        key.mac(MacUse::Entry, &message)
    }

    /// Returns the time; `None` if the value is out of range.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.at).ok()
    }

    pub(crate) fn text(&self, column: TextColumn) -> String {
        let [actor, address, reach, action, object, details] = &self.texts;
        let bytes = match column {
            TextColumn::Actor => actor,
            TextColumn::Address => address,
            TextColumn::Reach => reach,
            TextColumn::Action => action,
            TextColumn::Object => object,
            TextColumn::Details => details,
        };
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Returns the entry for readers. Invalid values are shown as well as possible.
    pub(crate) fn to_entry(&self) -> AuditEntry {
        let details = self.text(TextColumn::Details);
        let address = self.text(TextColumn::Address);
        AuditEntry {
            number: self.number.unsigned_abs(),
            at: self.time().unwrap_or(Timestamp::UNIX_EPOCH),
            actor: self.text(TextColumn::Actor),
            address: Some(address).filter(|address| !address.is_empty()),
            reach: self.text(TextColumn::Reach),
            action: self.text(TextColumn::Action),
            object: self.text(TextColumn::Object),
            details: serde_json::from_str(&details).unwrap_or(Value::String(details)),
            mac: mac_of(&self.mac).unwrap_or(EntryMac::NONE),
        }
    }
}

/// A column with text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextColumn {
    Actor,
    Address,
    Reach,
    Action,
    Object,
    Details,
}

/// Returns bytes as a MAC; `None` if their number is wrong.
pub(crate) fn mac_of(bytes: &[u8]) -> Option<EntryMac> {
    bytes.try_into().ok().map(EntryMac::new)
}

fn bytes_of(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Null => b"\0null".to_vec(),
        ValueRef::Integer(number) => format!("\0{number}").into_bytes(),
        ValueRef::Real(number) => format!("\0{number}").into_bytes(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
    }
}

fn cut(text: &str) -> &str {
    let mut end = std::cmp::min(text.len(), MAX_OBJECT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
