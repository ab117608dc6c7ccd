//! A small HTTP client for Easel's own API.
//!
//! It sends the token, follows no redirects, and converts a problem (RFC 9457) to an error of one line
//! with an exit code. Answers stay bytes, so that `--json` prints exactly what the server sent.

mod event_stream;
mod follower;
mod kinesis;
mod patient;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use easel_keys::Secret;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::Value;

use crate::contact::Contact;
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::url::Url;

pub(crate) use event_stream::EventStream;
pub(crate) use follower::Follower;
pub(crate) use kinesis::KeyPair;
pub(crate) use patient::Patience;

/// The timeout of a request. A request may wait at a busy server, but not longer than this.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A client for one server.
#[derive(Debug)]
pub(crate) struct Client {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    contact: Contact,
}

impl Client {
    /// Creates a client for the server that the arguments name, or else for the server that runs on the data
    /// folder.
    pub(crate) fn from_args(args: &GlobalArgs) -> Result<Self, Failure> {
        Self::new(Contact::find(args)?)
    }

    fn new(contact: Contact) -> Result<Self, Failure> {
        let connector = connector(contact.url.is_https())?;
        let http =
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, contact })
    }

    /// Creates a client for a server that requires no token.
    pub(crate) fn without_token(url: Url) -> Result<Self, Failure> {
        Self::new(Contact { url, token: None })
    }

    /// Returns the server's address.
    pub(crate) const fn url(&self) -> &Url {
        &self.contact.url
    }

    /// Sends a GET request to `path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Sends a GET request to `path`. Returns the body of the answer with its status, whatever the status is.
    pub(crate) async fn get_with_status(&self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let response = self.send(self.request(Method::GET, path, None)?).await?;
        let status = response.status();
        let body = tokio::time::timeout(TIMEOUT, response.into_body().collect());
        let body = body
            .await
            .or_exit(Code::Unavailable)?
            .or_exit(Code::Unavailable)?;
        Ok((status, body.to_bytes()))
    }

    /// Sends a GET request to the address of this client, which need not be an Easel server. Reads at most
    /// `max_bytes` of the answer.
    pub(crate) async fn get_file(&self, max_bytes: usize) -> Result<Bytes, Failure> {
        let url = &self.contact.url;
        let response = self.send(self.request(Method::GET, "", None)?).await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(Failure::new(
                Code::Unavailable,
                anyhow!("{url} answered {status}"),
            ));
        }
        let body = Limited::new(response.into_body(), max_bytes).collect();
        let body = tokio::time::timeout(TIMEOUT, body);
        let body = body.await.or_exit(Code::Unavailable)?;
        let body = body.map_err(|error| anyhow!("failed to read {url}: {error}"));
        Ok(body.or_exit(Code::Unavailable)?.to_bytes())
    }

    /// Sends a POST request to `path`, with or without a body.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Bytes, Failure> {
        self.call(Method::POST, path, body).await
    }

    /// Sends a PATCH request to `path`.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Bytes, Failure> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// Sends a PUT request to `path`.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Bytes, Failure> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// Posts events or changes to `path`, one on each line.
    pub(crate) async fn post_lines(&self, path: &str, lines: Vec<u8>) -> Result<Bytes, Failure> {
        let mut request = self.request(Method::POST, path, None)?;
        let content_type = HeaderValue::from_static("application/x-ndjson");
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        *request.body_mut() = Full::new(lines.into());
        self.send_and_read(request).await
    }

    /// Sends a DELETE request to `path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<Bytes, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    /// Sends a DELETE request to `path` and requires an empty answer.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), Failure> {
        if self.delete(path).await?.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Code::Unavailable, unexpected_answer()))
    }

    /// Opens the event stream at `path`. With `last_id`, the stream continues after that event.
    pub(crate) async fn stream(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> Result<EventStream, Failure> {
        let mut request = self.request(Method::GET, path, None)?;
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_id {
            let id = HeaderValue::from_str(id).or_exit(Code::Unavailable)?;
            request.headers_mut().insert("last-event-id", id);
        }
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::OK => Ok(EventStream::new(response.into_body())),
            _ => Err(refusal(response).await),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, Failure> {
        let request = self.request(method, path, body)?;
        self.send_and_read(request).await
    }

    /// Sends a request and returns the body of the answer. Fails if the server rejects the request.
    async fn send_and_read(&self, request: Request<Full<Bytes>>) -> Result<Bytes, Failure> {
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let body = tokio::time::timeout(TIMEOUT, response.into_body().collect());
        let body = body
            .await
            .or_exit(Code::Unavailable)?
            .or_exit(Code::Unavailable)?;
        Ok(body.to_bytes())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.contact.url));
        if let Some(token) = &self.contact.token {
            let value = Secret::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(value.expose()).or_exit(Code::Usage)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let body = match body {
            None => Bytes::new(),
            Some(json) => {
                request = request.header(CONTENT_TYPE, "application/json");
                json.to_string().into()
            }
        };
        request.body(Full::new(body)).or_exit(Code::Usage)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let url = &self.contact.url;
        match tokio::time::timeout(TIMEOUT, self.http.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let failure = if error.is_connect() {
                    "no server answers at"
                } else {
                    "lost the connection to"
                };
                let cause = anyhow::Error::new(error);
                let error = anyhow!("{failure} {url}: {}", cause.root_cause());
                Err(Failure::new(Code::Unavailable, error))
            }
            Err(_elapsed) => {
                let error = anyhow!("{url} did not answer within {} s", TIMEOUT.as_secs());
                Err(Failure::new(Code::Unavailable, error))
            }
        }
    }
}

/// Parses the server's JSON.
pub(crate) fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer)
        .map_err(|_parse_error| unexpected_answer())
        .or_exit(Code::Unavailable)
}

/// Returns the error for an answer that does not come from this version of Easel.
fn unexpected_answer() -> anyhow::Error {
    let version = env!("CARGO_PKG_VERSION");
    anyhow!(
        "the answer is not from easel {version}; check that --url names a server of this version"
    )
}

/// Percent-encodes a text for use as one segment of a path or one value of a query.
pub(crate) fn escape(text: &str) -> String {
    let escape = |byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Returns `path` with a query for the events at offset `from` or later. If there is a `glob`, their types must
/// match it.
pub(crate) fn range_path(path: &str, from: u64, glob: Option<&str>) -> String {
    match glob {
        Some(glob) => format!("{path}?from={from}&event={}", escape(glob)),
        None => format!("{path}?from={from}"),
    }
}

/// Returns a connector for any address, with the system's certificates.
#[cfg(feature = "s3")]
pub(crate) fn tls_connector() -> std::io::Result<HttpsConnector<HttpConnector>> {
    let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(default_provider())?;
    Ok(builder.https_or_http().enable_http1().build())
}

/// Returns a connector. Loads the system's certificates only for https, because some machines have no
/// certificates.
fn connector(https: bool) -> Result<HttpsConnector<HttpConnector>, Failure> {
    let builder = HttpsConnectorBuilder::new();
    let builder = if https {
        builder
            .with_provider_and_native_roots(default_provider())
            .or_exit(Code::Unavailable)?
    } else {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .or_exit(Code::Bug)?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        builder.with_tls_config(config)
    };
    Ok(builder.https_or_http().enable_http1().build())
}

#[derive(Deserialize)]
struct ProblemJson {
    code: String,
    detail: String,
    /// The error of each event, if every event of a request was rejected.
    #[serde(default)]
    results: Vec<RejectedJson>,
    /// The JSON pointer to the invalid place in the body.
    pointer: Option<String>,
}

/// The server's names of body members and query parameters, with the flags that set them.
const FLAGS: [(&str, &str); 31] = [
    ("/webhook/url", "--webhook"),
    ("/webhook/timeout", "--timeout"),
    ("/webhook/batch", "--batch"),
    ("/webhook/signing", "--sign"),
    ("/webhook/authentication", "--bearer or --basic"),
    ("/webhook/headers", "--header"),
    ("/webhook/client_certificate", "--client-certificate"),
    ("/masking", "--masking"),
    ("/events", "--event"),
    ("/conditions", "--condition"),
    ("/in_flight", "--in-flight"),
    ("/format", "--format"),
    ("/max_rate", "--max-rate"),
    ("/order", "--order"),
    ("/key", "--key"),
    ("/retry", "--retry"),
    ("/on_exhausted", "--on-exhausted"),
    ("/from", "--from"),
    ("/to", "--to"),
    ("/lane", "--lane"),
    ("lane", "--lane"),
    ("/start", "--start"),
    ("/name", "NAME"),
    ("/scopes", "--scope"),
    ("/event", "--event"),
    ("event", "--event"),
    ("root_account", "--root-account"),
    ("from", "--from"),
    ("time", "--from"),
    ("before", "--before"),
    ("limit", "-n"),
];

#[derive(Deserialize)]
struct RejectedJson {
    code: String,
    detail: String,
}

impl ProblemJson {
    /// Returns the detail. The server's name of a member or parameter is replaced by the flag that sets it.
    fn detail(&self) -> String {
        let Self { detail, .. } = self;
        let quoted = detail
            .strip_prefix('`')
            .and_then(|rest| rest.split_once('`'));
        let Some((name, rest)) = quoted else {
            return detail.clone();
        };
        let is_parameter = ["invalid_query", "invalid_range"].contains(&self.code.as_str());
        let matches = |known: &str| match &self.pointer {
            Some(_) => name == known || name.starts_with(&format!("{known}/")),
            None => is_parameter && name == known,
        };
        let flag = FLAGS.iter().find(|(known, _)| matches(known));
        flag.map_or_else(|| detail.clone(), |(_, flag)| format!("{flag}{rest}"))
    }
}

/// An error of the Kinesis door, in the format of AWS.
#[derive(Deserialize)]
struct AwsJson {
    #[serde(rename = "__type")]
    kind: String,
    message: String,
}

async fn refusal(response: Response<Incoming>) -> Failure {
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body = body.ok();
    let problem: Option<ProblemJson> = body
        .as_ref()
        .and_then(|body| serde_json::from_slice(body).ok());
    if let Some(AwsJson { kind, message }) = body
        .as_ref()
        .and_then(|body| serde_json::from_slice(body).ok())
    {
        let error =
            anyhow!("{message} ({kind}); give keys with --access-key-id and --secret-access-key");
        return Failure::new(Code::Configuration, error);
    }
    let error = match problem {
        Some(problem) if status == StatusCode::UNAUTHORIZED => anyhow!(
            "{} ({}); give a token with --token or EASEL_TOKEN",
            problem.detail(),
            problem.code
        ),
        Some(problem) => match problem.results.first() {
            Some(RejectedJson { code, detail }) => anyhow!("{detail} ({code})"),
            None => anyhow!("{} ({})", problem.detail(), problem.code),
        },
        None => anyhow!("the server answered {status}; check that --url names an Easel server"),
    };
    Failure::new(code_of(status), error)
}

fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::Configuration,
        StatusCode::INTERNAL_SERVER_ERROR => Code::Bug,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Code::Unavailable,
        _ if status.is_client_error() => Code::BadInput,
        _ => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_text_is_one_segment_of_a_path() {
        assert_eq!(escape("grade_*"), "grade_%2A");
        assert_eq!(escape("a/b?c=d&é"), "a%2Fb%3Fc%3Dd%26%C3%A9");
    }

    #[test]
    fn a_refusal_names_the_flag_of_the_invalid_value() {
        let check = |code: &str, detail: &str, pointer: Option<&str>, wanted: &str| {
            let problem = ProblemJson {
                code: code.to_owned(),
                detail: detail.to_owned(),
                pointer: pointer.map(str::to_owned),
                results: Vec::new(),
            };
            assert_eq!(problem.detail(), wanted);
        };
        let code = "invalid_subscription";
        let pointer = Some("/webhook/timeout");
        check(code, "`/webhook/timeout`: x.", pointer, "--timeout: x.");
        let pointer = Some("/events/1");
        check(
            code,
            "`/events/1` must be y.",
            pointer,
            "--event must be y.",
        );
        check(
            code,
            "`/nothing` is z.",
            Some("/nothing"),
            "`/nothing` is z.",
        );
        check("invalid_range", "`limit` is 1.", None, "-n is 1.");
        check("no_such_token", "`limit` is 1.", None, "`limit` is 1.");
    }

    #[test]
    fn a_refusal_and_an_outage_have_different_exit_codes() {
        assert_eq!(code_of(StatusCode::FORBIDDEN), Code::Configuration);
        assert_eq!(code_of(StatusCode::CONFLICT), Code::BadInput);
        assert_eq!(code_of(StatusCode::SERVICE_UNAVAILABLE), Code::Unavailable);
        assert_eq!(code_of(StatusCode::BAD_GATEWAY), Code::Unavailable);
        assert_eq!(code_of(StatusCode::INTERNAL_SERVER_ERROR), Code::Bug);
    }
}
