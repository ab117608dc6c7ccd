//! A small HTTP client for Easel's own API.
//!
//! It shows the token, follows no redirects, and turns a problem (RFC 9457) into one line and an
//! exit code. Answers stay bytes, so that `--json` prints exactly what the server said.

mod event_stream;
mod follower;
mod kinesis;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::Value;

use crate::args::GlobalArgs;
use crate::contact::{Contact, Url};
use crate::exit_code::{Code, Failure, OrExit};

pub(crate) use event_stream::EventStream;
pub(crate) use follower::Follower;
pub(crate) use kinesis::KeyPair;

/// A server may hold a request while it is busy; longer than this it is out of order.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Client {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    contact: Contact,
}

impl Client {
    /// A client of the server that the arguments name or lead to.
    pub(crate) fn connect(args: &GlobalArgs) -> Result<Self, Failure> {
        Self::of(Contact::find(args)?)
    }

    fn of(contact: Contact) -> Result<Self, Failure> {
        let connector = connector(contact.url.is_https())?;
        let http =
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, contact })
    }

    /// A client of the server at an address that asks for no token.
    pub(crate) fn to(url: &str) -> Result<Self, Failure> {
        let url = url.parse().map_err(|told: String| anyhow!(told));
        let contact = Contact {
            url: url.or_exit(Code::Bug)?,
            token: None,
        };
        Self::of(contact)
    }

    /// The server's address.
    pub(crate) const fn url(&self) -> &Url {
        &self.contact.url
    }

    /// Reads what is at `path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Posts `body`, or nothing, to `path`.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Bytes, Failure> {
        self.call(Method::POST, path, body).await
    }

    /// Changes some fields of what is at `path`.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Bytes, Failure> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// Posts events or changes, a line each, to `path`.
    pub(crate) async fn post_lines(&self, path: &str, lines: Vec<u8>) -> Result<Bytes, Failure> {
        let mut request = self.request(Method::POST, path, None)?;
        let kind = HeaderValue::from_static("application/x-ndjson");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        *request.body_mut() = Full::new(lines.into());
        self.answered(request).await
    }

    /// Deletes what is at `path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<Bytes, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    /// Removes what is at `path`, which is answered with nothing.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), Failure> {
        if self.delete(path).await?.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Code::Unavailable, no_easel()))
    }

    /// Opens the stream of events at `path`, behind `last_id` if one was seen already.
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
        self.answered(request).await
    }

    /// Sends a request and reads what is answered, unless that is a refusal.
    async fn answered(&self, request: Request<Full<Bytes>>) -> Result<Bytes, Failure> {
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let body = tokio::time::timeout(PATIENCE, response.into_body().collect());
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
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
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
        match tokio::time::timeout(PATIENCE, self.http.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let what = if error.is_connect() {
                    "no server answers at"
                } else {
                    "lost"
                };
                let cause = anyhow::Error::new(error);
                let told = anyhow!("{what} {url}: {}", cause.root_cause());
                Err(Failure::new(Code::Unavailable, told))
            }
            Err(_elapsed) => {
                let told = anyhow!("{url} did not answer within {} s", PATIENCE.as_secs());
                Err(Failure::new(Code::Unavailable, told))
            }
        }
    }
}

/// Reads the server's JSON.
pub(crate) fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer)
        .map_err(|_other_words| no_easel())
        .or_exit(Code::Unavailable)
}

/// What is said of an answer that no Easel gives.
fn no_easel() -> anyhow::Error {
    let version = env!("CARGO_PKG_VERSION");
    anyhow!("the answer is not one of easel {version}; does --url name an Easel of this version?")
}

/// Escapes what stands in a path or in a query, so that it is one piece of it.
pub(crate) fn escape(text: &str) -> String {
    let escape = |byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// The events from an offset on whose type is like `glob`, at `path`.
pub(crate) fn range_path(path: &str, from: u64, glob: Option<&str>) -> String {
    match glob {
        Some(glob) => format!("{path}?from={from}&event={}", escape(glob)),
        None => format!("{path}?from={from}"),
    }
}

/// Certificates are only looked for when they are needed: a machine may have none.
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
    /// What is wrong with each event, where every event of a request was rejected.
    #[serde(default)]
    results: Vec<RejectedJson>,
    /// The JSON pointer to the place in the body that is at fault.
    pointer: Option<String>,
}

/// The flags that set what the server calls by these names, in bodies and in queries.
const FLAGS: [(&str, &str); 26] = [
    ("/webhook/url", "--webhook"),
    ("/webhook/timeout", "--timeout"),
    ("/webhook/batch", "--batch"),
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
    /// The detail, with the flag in place of the name that the server has for it.
    fn detail(&self) -> String {
        let Self { detail, .. } = self;
        let quoted = detail.strip_prefix('`').and_then(|it| it.split_once('`'));
        let Some((name, rest)) = quoted else {
            return detail.clone();
        };
        let is_parameter = ["invalid_query", "invalid_range"].contains(&self.code.as_str());
        let is_it = |place: &str| match &self.pointer {
            Some(_) => name == place || name.starts_with(&format!("{place}/")),
            None => is_parameter && name == place,
        };
        let flag = FLAGS.iter().find(|(place, _)| is_it(place));
        flag.map_or_else(|| detail.clone(), |(_, flag)| format!("{flag}{rest}"))
    }
}

/// How the Kinesis door refuses, as AWS does.
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
        let told = anyhow!(
            "{message} ({kind}); keys are given with --access-key-id and \
                            --secret-access-key"
        );
        return Failure::new(Code::Configuration, told);
    }
    let told = match problem {
        Some(problem) if status == StatusCode::UNAUTHORIZED => anyhow!(
            "{} ({}); a token is given with --token or EASEL_TOKEN",
            problem.detail(),
            problem.code
        ),
        Some(problem) => match problem.results.first() {
            Some(RejectedJson { code, detail }) => anyhow!("{detail} ({code})"),
            None => anyhow!("{} ({})", problem.detail(), problem.code),
        },
        None => anyhow!("the server answered {status}; does --url name an Easel?"),
    };
    Failure::new(code_of(status), told)
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
    fn what_is_escaped_is_one_piece_of_a_path() {
        assert_eq!(escape("grade_*"), "grade_%2A");
        assert_eq!(escape("a/b?c=d&é"), "a%2Fb%3Fc%3Dd%26%C3%A9");
    }

    #[test]
    fn a_refusal_names_the_flag_that_sets_what_is_at_fault() {
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
        let place = Some("/webhook/timeout");
        check(code, "`/webhook/timeout`: x.", place, "--timeout: x.");
        let place = Some("/events/1");
        check(code, "`/events/1` must be y.", place, "--event must be y.");
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
    fn a_refusal_is_told_from_an_outage() {
        assert_eq!(code_of(StatusCode::FORBIDDEN), Code::Configuration);
        assert_eq!(code_of(StatusCode::CONFLICT), Code::BadInput);
        assert_eq!(code_of(StatusCode::SERVICE_UNAVAILABLE), Code::Unavailable);
        assert_eq!(code_of(StatusCode::BAD_GATEWAY), Code::Unavailable);
        assert_eq!(code_of(StatusCode::INTERNAL_SERVER_ERROR), Code::Bug);
    }
}
