//! The Kinesis door: the part of the protocol of Amazon Kinesis Data Streams that producers and their
//! tools use, over `POST /`, in JSON and in CBOR.
//!
//! Many producers drop events after an error. So the door avoids errors:
//! - Any stream name leads to the one log.
//! - A request can have far more records than AWS allows.
//! - A request without room in the memory budget waits.
//! - A record that is not an event is accepted into quarantine.
//! - A record that was not stored has the error `InternalFailure`, which producers retry.
//!
//! There is one shard. Its sequence numbers are the log's offsets.

mod blob;
mod call;
mod cbor;
mod describe;
mod error;
mod format;
mod iterator;
mod operation;
pub(crate) mod put;
mod records;
mod sequence;
mod shards;
mod stream;
mod tally;
mod time;
mod violations;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::post;
use easel_access::{Reason, Refusals, RefusedRequest};
use easel_catalog::{Limits, Reach, ReachRules};
use easel_keys::Secret;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tracing::instrument;
use uuid::Uuid;

use crate::Intake;
use crate::body::{BodyError, BufferedBody, Coding, Unread};
use crate::door::Door;
use crate::intake::{BodyParser, IntakeError, ParseError, Parsed};
use crate::sent_body::keep_until_sent;
use crate::sigv4::{self, Signed};

use call::KinesisCall;
use error::KinesisError;
use format::KinesisFormat;
use operation::KinesisOperation;
use put::{Put, PutOperation};
use stream::Streams;
use tally::RecordTally;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The most calls that read records at the same time. Other calls wait.
const CONCURRENT_READS: usize = 4;

/// The text in server logs instead of an access key id that is a configured secret.
const HIDDEN_SECRET: &str = "(a secret: id and secret are mixed up)";

/// The settings of the Kinesis door, from which its routes are made.
#[derive(Debug)]
pub struct Kinesis {
    auth: Arc<RwLock<KinesisAuth>>,
    stream: String,
    reach_rules: ReachRules,
    refusals: Arc<Refusals>,
}

/// A handle that replaces the keys of a Kinesis door while it runs.
#[derive(Clone, Debug)]
pub struct KinesisAccess(Arc<RwLock<KinesisAuth>>);

impl KinesisAccess {
    /// Uses `auth` from the next request on.
    pub fn replace(&self, auth: KinesisAuth) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = auth;
    }
}

impl Kinesis {
    /// Creates the settings of a door with `auth` and with the stream `live-events`.
    pub fn new(auth: KinesisAuth) -> Self {
        Self {
            auth: Arc::new(RwLock::new(auth)),
            stream: "live-events".to_owned(),
            reach_rules: ReachRules::default(),
            refusals: Arc::default(),
        }
    }

    /// Sets the rules about events whose root account is not certain.
    #[must_use]
    pub fn with_reach_rules(self, reach_rules: ReachRules) -> Self {
        Self {
            reach_rules,
            ..self
        }
    }

    /// Records rejected calls in `refusals`.
    #[must_use]
    pub fn with_refusals(self, refusals: Arc<Refusals>) -> Self {
        Self { refusals, ..self }
    }

    /// Returns the handle that replaces the keys.
    pub fn access(&self) -> KinesisAccess {
        KinesisAccess(Arc::clone(&self.auth))
    }

    /// Sets the stream that is listed before the first call names one.
    #[must_use]
    pub fn with_stream(self, stream: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            ..self
        }
    }
}

/// The authentication of the Kinesis door.
#[derive(Debug)]
pub enum KinesisAuth {
    /// Calls must be signed with one of these keys. A key allows sending and reading.
    Keys(KinesisKeys),
    /// Calls need no signature. For a listener that no untrusted client reaches.
    Open,
    /// Every call is rejected. The error names the missing setting.
    Off,
}

/// Keys by access key id.
#[derive(Debug, Default)]
pub struct KinesisKeys(HashMap<String, SecretAccessKey>);

/// The secret of a key pair, and what its owner may send and read.
#[derive(Debug)]
pub struct SecretAccessKey {
    /// The secret access key.
    pub secret: Secret<String>,
    /// What the owner may send and read.
    pub reach: Reach,
}

impl FromIterator<(String, SecretAccessKey)> for KinesisKeys {
    fn from_iter<I: IntoIterator<Item = (String, SecretAccessKey)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl KinesisAuth {
    /// Returns the access key id of a signature for the server's log. A client whose settings swap id
    /// and secret sends the secret as the id; the log must not show it.
    fn shown_key_id<'a>(&self, head: &'a Parts) -> Option<&'a str> {
        let claimed = sigv4::claimed_key_id(&head.headers)?;
        let is_secret = match self {
            Self::Keys(keys) => keys.0.values().any(|key| key.secret.expose() == claimed),
            Self::Open | Self::Off => false,
        };
        Some(if is_secret { HIDDEN_SECRET } else { claimed })
    }

    /// Checks the head of a request. Returns the signature, which must be verified with the body, and what the
    /// caller may send and read.
    fn check(&self, head: &Parts, now: Timestamp) -> Result<(Option<Signed>, Reach), KinesisError> {
        match self {
            Self::Keys(keys) => {
                let mut reach = None;
                let secret_of = |id: &str| {
                    let key = keys.0.get(id)?;
                    reach = Some(key.reach.clone());
                    Some(&key.secret)
                };
                let signed = Signed::from_head(head, "kinesis", secret_of, now)?;
                // A signature without a key does not exist.
                Ok((Some(signed), reach.ok_or_else(KinesisError::internal)?))
            }
            Self::Open => Ok((None, Reach::Everything)),
            Self::Off => Err(KinesisError::no_keys()),
        }
    }
}

/// The state of the door, for all operations.
struct KinesisDoor {
    intake: Arc<Intake>,
    auth: Arc<RwLock<KinesisAuth>>,
    streams: Streams,
    reach_rules: ReachRules,
    refusals: Arc<Refusals>,
    opened_at: Timestamp,
    reads: Semaphore,
}

pub(crate) fn routes(intake: Arc<Intake>, kinesis: Kinesis) -> Router {
    let door = KinesisDoor {
        opened_at: intake.now(),
        intake,
        auth: kinesis.auth,
        streams: Streams::new(kinesis.stream),
        reach_rules: kinesis.reach_rules,
        refusals: kinesis.refusals,
        reads: Semaphore::new(CONCURRENT_READS),
    };
    Router::new()
        .route("/", post(serve))
        .with_state(Arc::new(door))
}

#[instrument(name = "kinesis_request", skip_all)]
async fn serve(State(door): State<Arc<KinesisDoor>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let format = KinesisFormat::from_headers(&head.headers);
    let mut response = match door.answer(&head, format, body).await {
        Ok(response) => response,
        Err(error) => {
            door.record_refusal(&head, &error);
            format.error_answer(&error)
        }
    };
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
    async fn answer(
        &self,
        head: &Parts,
        format: KinesisFormat,
        body: Body,
    ) -> Result<Response, KinesisError> {
        let operation = KinesisOperation::from_headers(&head.headers)?;
        let (signed, reach) = self.auth().check(head, self.intake.now())?;
        let is_signed = signed.is_some();
        let parser = Arc::new(KinesisParser {
            operation,
            format,
            signed,
            limits: *self.intake.limits(),
            reach,
        });
        let body = (body, Coding::Identity);
        let taking = self.intake.take(Door::Kinesis, body, Arc::clone(&parser));
        let taken = match taking.await {
            Ok(taken) => taken,
            Err(IntakeError::Body(BodyError::NoRoom { unread })) => {
                return reject_without_room(&parser, *unread).await;
            }
            Err(IntakeError::Body(error)) => return Err(error.into()),
            Err(IntakeError::Refused(error)) => return Err(error),
        };
        let call = match taken.answer {
            CallBody::Put(put) => {
                let response = put.answer(
                    (&self.streams, &parser.reach),
                    taken.appended,
                    taken.quarantined,
                )?;
                return Ok(keep_until_sent(taken.room, response));
            }
            CallBody::Other(call) => call,
        };
        match operation {
            KinesisOperation::PutRecord | KinesisOperation::PutRecords => {
                Err(KinesisError::internal())
            }
            KinesisOperation::GetRecords => {
                // The signature was verified with the body.
                let reader = is_signed.then(|| sigv4::claimed_key_id(&head.headers));
                records::get_records(self, &call, &parser.reach, reader.flatten()).await
            }
            KinesisOperation::GetShardIterator => iterator::get_shard_iterator(self, &call).await,
            KinesisOperation::CreateStream => describe::create_stream(self, &call, &parser.reach),
            KinesisOperation::DescribeStream => describe::describe_stream(self, &call),
            KinesisOperation::DescribeStreamSummary => {
                describe::describe_stream_summary(self, &call)
            }
            KinesisOperation::ListStreams => describe::list_streams(self, &call, &parser.reach),
            KinesisOperation::ListShards => shards::list_shards(&call),
        }
    }
}

impl KinesisDoor {
    /// Returns the current authentication.
    fn auth(&self) -> RwLockReadGuard<'_, KinesisAuth> {
        self.auth.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs and counts a rejected call, because the sender may not show the error to anybody.
    fn record_refusal(&self, head: &Parts, error: &KinesisError) {
        let Some(reason) = error.refusal() else {
            return;
        };
        let operation = KinesisOperation::from_headers(&head.headers).ok();
        let refused = RefusedRequest {
            reason,
            token_id: None,
            access_key_id: self.auth().shown_key_id(head),
            target: operation.map_or("unknown operation", KinesisOperation::as_str),
            // The message can contain a part of the body.
            detail: match reason {
                Reason::CallInvalid => error.name(),
                _ => error.message(),
            },
        };
        self.refusals.note(head, refused);
    }
}

/// Verifies and parses the body of a call.
struct KinesisParser {
    operation: KinesisOperation,
    format: KinesisFormat,
    signed: Option<Signed>,
    limits: Limits,
    /// What the caller may send and read.
    reach: Reach,
}

/// The parsed body of a call.
enum CallBody {
    Put(Put),
    Other(KinesisCall),
}

impl BodyParser for KinesisParser {
    type Answer = CallBody;
    type Refusal = KinesisError;

    fn verify(&self, body: &[u8]) -> Result<(), KinesisError> {
        match &self.signed {
            Some(signed) => Ok(signed.verify(body)?),
            None => Ok(()),
        }
    }

    fn parse(
        &self,
        buffered: &mut BufferedBody,
    ) -> Result<Parsed<CallBody>, ParseError<KinesisError>> {
        let operation = match self.operation {
            KinesisOperation::PutRecord => PutOperation::One,
            KinesisOperation::PutRecords => PutOperation::Many,
            KinesisOperation::GetRecords
            | KinesisOperation::GetShardIterator
            | KinesisOperation::CreateStream
            | KinesisOperation::DescribeStream
            | KinesisOperation::DescribeStreamSummary
            | KinesisOperation::ListStreams
            | KinesisOperation::ListShards => {
                return Ok(Parsed {
                    events: Vec::new(),
                    invalid_records: Vec::new(),
                    answer: CallBody::Other(KinesisCall {
                        format: self.format,
                        body: std::mem::take(&mut buffered.bytes),
                    }),
                });
            }
        };
        let parsed = Put::parse(
            (operation, self.format),
            buffered,
            (&self.limits, &self.reach),
        )?;
        Ok(Parsed {
            events: parsed.events,
            invalid_records: parsed.invalid_records,
            answer: CallBody::Put(parsed.answer),
        })
    }
}

/// Answers a call without room. A call with records has an error for each record, so that the producer
/// retries them. Producers do not retry after an error of the whole call.
async fn reject_without_room(
    parser: &KinesisParser,
    unread: Unread,
) -> Result<Response, KinesisError> {
    let KinesisParser { format, signed, .. } = parser;
    let count = async || RecordTally::from_unread(unread, *format, signed.as_ref()).await;
    match parser.operation {
        KinesisOperation::PutRecord => {
            count().await?;
            Err(KinesisError::internal())
        }
        KinesisOperation::PutRecords => {
            let count = count().await?.count();
            put::fail_records(*format, count.ok_or_else(KinesisError::no_room)?)
        }
        KinesisOperation::GetRecords
        | KinesisOperation::GetShardIterator
        | KinesisOperation::CreateStream
        | KinesisOperation::DescribeStream
        | KinesisOperation::DescribeStreamSummary
        | KinesisOperation::ListStreams
        | KinesisOperation::ListShards => Err(KinesisError::no_room()),
    }
}
