//! The Kinesis door: enough of the protocol of Amazon Kinesis Data Streams for what producers
//! and their tools ask, over `POST /`, JSON 1.1.
//!
//! It is kind to producers that give up easily: any stream name leads to the one log, a request
//! may bring far more than the original allows, one that finds no room is held, a record that is
//! no event is accepted into quarantine, and what could not be stored is answered record by
//! record with `InternalFailure`, which is what producers try again. There is one shard, whose
//! sequence numbers are the log's offsets. CBOR is not spoken.

mod describe;
mod error;
mod iterator;
mod operation;
pub(crate) mod put;
mod records;
mod sequence;
mod stream;
mod tally;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use easel_access::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tracing::instrument;
use uuid::Uuid;

use crate::Intake;
use crate::body::{BodyError, Coding, Held, Unread};
use crate::sigv4::Signed;
use crate::work::on_cpu;

use error::KinesisError;
use operation::Operation;
use stream::Streams;
use tally::Tally;

const CONTENT: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// How many calls may read records at once; others wait for their turn.
const CONCURRENT_READS: usize = 4;

/// The settings of the Kinesis door.
#[derive(Debug)]
pub struct Kinesis {
    auth: KinesisAuth,
    stream: String,
}

impl Kinesis {
    /// A door that lets in whom `auth` says, with the stream that producers of live events are
    /// used to.
    pub fn new(auth: KinesisAuth) -> Self {
        Self {
            auth,
            stream: "live-events".to_owned(),
        }
    }

    /// Names the stream that is listed before anything was sent.
    #[must_use]
    pub fn with_stream(self, stream: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            ..self
        }
    }
}

/// Whom the Kinesis door lets in.
#[derive(Debug)]
pub enum KinesisAuth {
    /// Whoever signs with one of these keys, to send and to read.
    Keys(KinesisKeys),
    /// Everyone, for a listener nobody else reaches.
    Open,
    /// Nobody, and the answer says which setting is missing.
    Off,
}

/// Secrets by access key id.
#[derive(Debug, Default)]
pub struct KinesisKeys(HashMap<String, Secret<String>>);

impl FromIterator<(String, Secret<String>)> for KinesisKeys {
    fn from_iter<I: IntoIterator<Item = (String, Secret<String>)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl KinesisAuth {
    /// Checks the head of a request; the signature, if one is asked for, waits for the body.
    fn check(&self, head: &Parts, now: Timestamp) -> Result<Option<Signed>, KinesisError> {
        match self {
            Self::Keys(keys) => Ok(Some(Signed::read(
                head,
                "kinesis",
                |id| keys.0.get(id),
                now,
            )?)),
            Self::Open => Ok(None),
            Self::Off => Err(KinesisError::no_keys()),
        }
    }
}

/// What the operations work with.
struct KinesisDoor {
    intake: Arc<Intake>,
    auth: KinesisAuth,
    streams: Streams,
    opened_at: Timestamp,
    reads: Semaphore,
}

pub(crate) fn routes(intake: Arc<Intake>, kinesis: Kinesis) -> Router {
    let door = KinesisDoor {
        opened_at: intake.now(),
        intake,
        auth: kinesis.auth,
        streams: Streams::new(kinesis.stream),
        reads: Semaphore::new(CONCURRENT_READS),
    };
    Router::new()
        .route("/", post(serve))
        .with_state(Arc::new(door))
}

#[instrument(name = "kinesis_request", skip_all)]
async fn serve(State(door): State<Arc<KinesisDoor>>, request: Request) -> Response {
    let mut response = door
        .answer(request)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    let id = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
    response.headers_mut().insert(REQUEST_ID, request_id(id));
    response
}

fn request_id(id: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or(HeaderValue::from_static("unknown"))
}

impl KinesisDoor {
    async fn answer(&self, request: Request) -> Result<Response, KinesisError> {
        let (head, body) = request.into_parts();
        let operation = Operation::of(&head.headers)?;
        check_content(&head.headers)?;
        let signed = self.auth.check(&head, self.intake.now())?;
        let held = match self.intake.receive(body, Coding::Identity).await {
            Ok(held) => verify(signed, held).await?,
            Err(BodyError::NoRoom { unread }) => {
                return turn_away(operation, signed, *unread).await;
            }
            Err(error) => return Err(error.into()),
        };
        match operation {
            Operation::PutRecord => put::put_record(self, held).await,
            Operation::PutRecords => put::put_records(self, held).await,
            Operation::GetRecords => records::get_records(self, &held.bytes).await,
            Operation::GetShardIterator => iterator::get_shard_iterator(self, &held.bytes).await,
            Operation::CreateStream => describe::create_stream(self, &held.bytes),
            Operation::DescribeStream => describe::describe_stream(self, &held.bytes),
            Operation::DescribeStreamSummary => {
                describe::describe_stream_summary(self, &held.bytes)
            }
            Operation::ListStreams => describe::list_streams(self, &held.bytes),
            Operation::ListShards => describe::list_shards(&held.bytes),
        }
    }
}

fn check_content(headers: &HeaderMap) -> Result<(), KinesisError> {
    let content = headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    if content.starts_with(b"application/x-amz-cbor") {
        return Err(KinesisError::serialization(
            "CBOR is not spoken here; set AWS_CBOR_DISABLE=true, or your SDK's setting for JSON",
        ));
    }
    Ok(())
}

async fn verify(signed: Option<Signed>, held: Held) -> Result<Held, KinesisError> {
    let Some(signed) = signed else {
        return Ok(held);
    };
    on_cpu(held.bytes.len(), move || {
        signed.verify(&held.bytes)?;
        Ok(held)
    })
    .await
}

/// Answers a call that found no room. One that brings records is answered record by record, so
/// that they are sent again: producers take an error of the whole call for final.
async fn turn_away(
    operation: Operation,
    signed: Option<Signed>,
    unread: Unread,
) -> Result<Response, KinesisError> {
    match operation {
        Operation::PutRecord => {
            Tally::take(unread, signed).await?;
            Err(KinesisError::internal())
        }
        Operation::PutRecords => {
            let tally = Tally::take(unread, signed).await?;
            put::fail_records(tally.count().ok_or_else(KinesisError::no_room)?)
        }
        Operation::GetRecords
        | Operation::GetShardIterator
        | Operation::CreateStream
        | Operation::DescribeStream
        | Operation::DescribeStreamSummary
        | Operation::ListStreams
        | Operation::ListShards => Err(KinesisError::no_room()),
    }
}

/// Reads what an operation was asked.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, KinesisError> {
    serde_json::from_slice(body).map_err(|error| KinesisError::serialization(error.to_string()))
}

/// Answers an operation.
fn answer(answer: &impl Serialize) -> Result<Response, KinesisError> {
    let body = serde_json::to_vec(answer).map_err(|_impossible| KinesisError::internal())?;
    Ok(([(CONTENT_TYPE, CONTENT)], Bytes::from(body)).into_response())
}
