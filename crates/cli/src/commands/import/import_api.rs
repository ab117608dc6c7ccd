//! The requests of an import, and their answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::import_file::FileToImport;
use super::record_reader::ImportPart;
use crate::client::{self, Client, Patience};
use crate::exit_code::Failure;

/// How long a run waits for a server that is away.
const MAX_WAIT: Duration = Duration::from_mins(2);

/// How far a file was imported.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ImportedFileJson {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) location: String,
    pub(super) size: Option<u64>,
    pub(super) finished: bool,
    pub(super) generation: u64,
    pub(super) position: u64,
    pub(super) checkpoint: String,
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
    pub(super) updated_at: jiff::Timestamp,
}

#[derive(Deserialize)]
struct FileListJson {
    files: Vec<ImportedFileJson>,
}

/// The answer to a part.
#[derive(Deserialize)]
pub(super) struct StoredPartJson {
    pub(super) file: ImportedFileJson,
    pub(super) faults: Vec<RecordFaultJson>,
}

/// A record that is not an event.
#[derive(Deserialize)]
pub(super) struct RecordFaultJson {
    pub(super) at: u64,
    pub(super) code: String,
    pub(super) detail: String,
}

/// The line before a record.
#[derive(Serialize)]
struct FrameHeadJson<'a> {
    at: u64,
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_length: Option<usize>,
}

/// Begins with files, or continues with them. Returns their states in order.
pub(super) async fn begin(
    client: &Client,
    name: Option<&str>,
    files: &[FileToImport],
) -> Result<Vec<ImportedFileJson>, Failure> {
    let file = |file: &FileToImport| json!({ "location": file.location, "size": file.size, "version": file.version });
    let files: Vec<_> = files.iter().map(file).collect();
    let body = match name {
        Some(name) => json!({ "name": name, "files": files }),
        None => json!({ "files": files }),
    };
    let patience = Patience::new(MAX_WAIT);
    let answer = client.post_patiently(
        "/v1/imports",
        "application/json",
        body.to_string().into(),
        patience,
    );
    let FileListJson { files } = client::read(&answer.await?)?;
    Ok(files)
}

/// Sends a part. Sends it again while the server is busy or away.
pub(super) async fn send_part(
    client: &Client,
    file: &ImportedFileJson,
    part: &ImportPart,
) -> Result<StoredPartJson, Failure> {
    let path = format!(
        "/v1/imports/{}/parts?generation={}&start={}&end={}&checkpoint={}&last={}",
        file.key,
        file.generation,
        part.start,
        part.end,
        client::escape(&part.checkpoint.to_string()),
        part.is_last,
    );
    let body = body_of(part)?.into();
    let patience = Patience::new(MAX_WAIT);
    let answer = client.post_patiently(&path, "application/octet-stream", body, patience);
    client::read(&answer.await?)
}

fn body_of(part: &ImportPart) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    for record in &part.records {
        let head = FrameHeadJson {
            at: record.at,
            length: record.bytes.len(),
            event_name: record.event_name.as_deref(),
            sent_at: record.sent_at,
            total_length: record.total_length,
        };
        serde_json::to_writer(&mut body, &head)
            .map_err(|error| Failure::new(crate::exit_code::Code::Bug, error))?;
        body.push(b'\n');
        body.extend_from_slice(&record.bytes);
        body.push(b'\n');
    }
    Ok(body)
}

/// Lists all imported files.
pub(super) async fn list(client: &Client) -> Result<Vec<ImportedFileJson>, Failure> {
    let mut all: Vec<ImportedFileJson> = Vec::new();
    loop {
        let after = all.last().map_or("", |last| last.key.as_str());
        let answer = client.get(&format!("/v1/imports?after={after}")).await?;
        let FileListJson { files } = client::read(&answer)?;
        if files.is_empty() {
            return Ok(all);
        }
        all.extend(files);
    }
}
