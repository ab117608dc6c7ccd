//! A quarantined record and its encoding.
//!
//! A record is a JSON object: `door`, `code` and `detail` (why it is invalid), `received_at`, and
//! `data` (the received bytes in base64). A record of a confined sender has the sender's `reach`. A record
//! of a source has its name in `source`, and in `event_name` the event type that came beside the bytes, if there was one. A message of a queue has its id in
//! `message_id`.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use easel_log::{NewRecord, Offset, ReadError, Record};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Builder;

/// An invalid record to be put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewQuarantined {
    /// The door that received it.
    pub door: &'static str,
    /// Why it is invalid, as a stable code.
    pub code: String,
    /// Why it is invalid, as a sentence.
    pub detail: String,
    /// The name of the source, if it came from one.
    pub source: Option<Arc<str>>,
    /// What its sender may send, as text; `None` if the sender may send everything.
    pub reach: Option<Arc<str>>,
    /// The event type that came beside the bytes, as in an attribute of a message.
    pub event_name: Option<Arc<str>>,
    /// The id that a queue gave the message with these bytes.
    pub message_id: Option<Arc<str>>,
    /// The received bytes, unchanged.
    pub bytes: Bytes,
}

/// A record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its offset in the quarantine.
    pub offset: Offset,
    /// The door that received it.
    pub door: Arc<str>,
    /// Why it is invalid, as a stable code.
    pub code: String,
    /// Why it is invalid, as a sentence.
    pub detail: String,
    /// When the door received it.
    pub received_at: Timestamp,
    /// The name of the source, if it came from one.
    pub source: Option<Arc<str>>,
    /// What its sender may send, as text; `None` if the sender may send everything.
    pub reach: Option<Arc<str>>,
    /// The event type that came beside the bytes, as in an attribute of a message.
    pub event_name: Option<Arc<str>>,
    /// The source's own id of the message that contained the bytes.
    pub message_id: Option<Arc<str>>,
    /// The received bytes, unchanged.
    pub bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
struct StoredRecordJson<'a> {
    door: Cow<'a, str>,
    code: Cow<'a, str>,
    detail: Cow<'a, str>,
    received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reach: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_id: Option<Cow<'a, str>>,
    data: String,
}

/// Converts an invalid record into a record for the log.
#[expect(clippy::expect_used, reason = "strings always become JSON")]
pub(crate) fn to_record(item: &NewQuarantined, received_at: Timestamp) -> NewRecord {
    let json = StoredRecordJson {
        door: item.door.into(),
        code: (&item.code).into(),
        detail: (&item.detail).into(),
        received_at,
        source: item.source.as_deref().map(Cow::Borrowed),
        reach: item.reach.as_deref().map(Cow::Borrowed),
        event_name: item.event_name.as_deref().map(Cow::Borrowed),
        message_id: item.message_id.as_deref().map(Cow::Borrowed),
        data: BASE64.encode(&item.bytes),
    };
    let bytes = serde_json::to_vec(&json).expect("strings become JSON");
    new_record(item.door, bytes)
}

/// Creates a record with these bytes. Its id is the first 128 bits of their BLAKE3 hash.
pub(crate) fn new_record(event_type: &str, bytes: Vec<u8>) -> NewRecord {
    let mut bits = [0; 16];
    blake3::Hasher::new()
        .update(&bytes)
        .finalize_xof()
        .fill(&mut bits);
    NewRecord::new(
        Builder::from_random_bytes(bits).into_uuid(),
        event_type,
        bytes,
    )
}

/// Returns the id of the message that a record was; `None` if it was no message.
pub(crate) fn message_id(record: &Record) -> Result<Option<String>, ReadError> {
    let json: StoredRecordJson<'_> =
        serde_json::from_slice(&record.bytes).map_err(|error| ReadError::Failed {
            reason: error.to_string(),
        })?;
    Ok(json.message_id.map(Cow::into_owned))
}

/// Returns the reach of the sender of a record; `None` if the sender may send everything. Marks have none.
pub(crate) fn reach_of(record: &Record) -> Result<Option<String>, ReadError> {
    #[derive(Deserialize)]
    struct ReachJson {
        reach: Option<String>,
    }
    let json: ReachJson =
        serde_json::from_slice(&record.bytes).map_err(|error| ReadError::Failed {
            reason: error.to_string(),
        })?;
    Ok(json.reach)
}

/// Parses a record of the log.
pub(crate) fn from_record(record: &Record) -> Result<Quarantined, ReadError> {
    let failed = |reason: String| ReadError::Failed { reason };
    let json: StoredRecordJson<'_> =
        serde_json::from_slice(&record.bytes).map_err(|error| failed(error.to_string()))?;
    let bytes = BASE64
        .decode(&json.data)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Quarantined {
        offset: record.offset,
        door: Arc::clone(&record.event_type),
        code: json.code.into_owned(),
        detail: json.detail.into_owned(),
        received_at: json.received_at,
        source: json.source.map(Arc::from),
        reach: json.reach.map(Arc::from),
        event_name: json.event_name.map(Arc::from),
        message_id: json.message_id.map(Arc::from),
        bytes: bytes.into(),
    })
}
