//! A quarantined record and its encoding.
//!
//! A record is a JSON object: `door`, `code` and `detail` (why it is invalid), `received_at`, and
//! `data` (the received bytes in base64).

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
    /// The received bytes, unchanged.
    pub bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
struct StoredRecordJson<'a> {
    door: Cow<'a, str>,
    code: Cow<'a, str>,
    detail: Cow<'a, str>,
    received_at: Timestamp,
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
        bytes: bytes.into(),
    })
}
