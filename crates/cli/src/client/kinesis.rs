//! Sends events through the Kinesis door: `PutRecords`, signed with AWS Signature Version 4.

use anyhow::anyhow;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use easel_keys::{Secret, SigningKey};
use http::{HeaderValue, Method};
use http_body_util::Full;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Client;
use crate::exit_code::{Code, Failure, OrExit};

const OPERATION: &str = "Kinesis_20131202.PutRecords";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// The region for the signature. The door accepts any region.
const REGION: &str = "us-east-1";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// An AWS key pair.
#[derive(Clone, Debug)]
pub(crate) struct KeyPair {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordsAnswerJson {
    failed_record_count: u64,
}

impl Client {
    /// Puts events onto a stream. Fails unless the server stores all of them.
    pub(crate) async fn put_records(
        &self,
        stream: &str,
        events: &[Bytes],
        keys: Option<&KeyPair>,
    ) -> Result<(), Failure> {
        let records: Vec<_> = events
            .iter()
            .map(|event| json!({ "Data": BASE64_STANDARD.encode(event), "PartitionKey": "0" }))
            .collect();
        let body = json!({ "StreamName": stream, "Records": records }).to_string();
        let mut request = self.request(Method::POST, "/", None)?;
        let (host, path) = (host_of(request.uri()), request.uri().path().to_owned());
        let headers = request.headers_mut();
        headers.remove(http::header::AUTHORIZATION);
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(CONTENT_TYPE),
        );
        headers.insert("x-amz-target", HeaderValue::from_static(OPERATION));
        if let Some(keys) = keys {
            let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
            let authorization = keys.authorization((&host, &path), &time, body.as_bytes());
            headers.insert("x-amz-date", header(&time)?);
            headers.insert(http::header::AUTHORIZATION, header(&authorization)?);
        }
        *request.body_mut() = Full::new(body.into());
        let answer = self.send_and_read(request).await?;
        let PutRecordsAnswerJson {
            failed_record_count,
        } = super::read(&answer)?;
        match failed_record_count {
            0 => Ok(()),
            count => {
                let error = anyhow!(
                    "the server could not store {count} of {} records",
                    events.len()
                );
                Err(Failure::new(Code::Unavailable, error))
            }
        }
    }
}

/// Returns the value of the `host` header: without the port if it is the default of the scheme.
fn host_of(uri: &http::Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match (uri.port_u16(), uri.scheme_str()) {
        (None, _) | (Some(80), Some("http")) | (Some(443), Some("https")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    }
}

fn header(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).or_exit(Code::Usage)
}

impl KeyPair {
    /// Returns the value of the `authorization` header for a request at `time`.
    fn authorization(&self, (host, path): (&str, &str), time: &str, body: &[u8]) -> String {
        let signed_headers = "content-type;host;x-amz-date;x-amz-target";
        let digest = format!("{:x}", Sha256::digest(body));
        let canonical = format!(
            "POST\n{path}\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{time}\n\
             x-amz-target:{OPERATION}\n\n{signed_headers}\n{digest}"
        );
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{REGION}/kinesis/aws4_request");
        let canonical_digest = format!("{:x}", Sha256::digest(canonical.as_bytes()));
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{canonical_digest}");
        let scope_parts = [day, REGION, "kinesis", "aws4_request"];
        let key = SigningKey::derive(&self.secret_access_key, &scope_parts);
        let signature = key.sign(to_sign.as_bytes());
        let id = &self.access_key_id;
        format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
        )
    }
}
