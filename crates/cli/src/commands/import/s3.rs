//! Objects of Amazon S3, or of a store that has the same API.
//!
//! Requests go through the HTTP client of the command. Settings and credentials come from the environment, from the
//! files of the AWS command line, or from the machine.

use std::io::{self, Read};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::TokioExecutor;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::aws_profile::AwsProfile;
use crate::client;
use crate::exit_code::{Code, Failure, OrExit};

/// The chunks of an object that are read ahead.
const READ_AHEAD: usize = 8;

/// The scheme of an address in S3.
pub(super) const SCHEME: &str = "s3://";

/// An object of a bucket.
#[derive(Clone, Debug)]
pub(super) struct S3Object {
    store: Arc<AmazonS3>,
    path: Path,
    runtime: Handle,
}

/// An object that was found.
pub(super) struct FoundObject {
    /// Its address.
    pub(super) location: String,
    pub(super) size: u64,
    /// A text that changes when the object changes.
    pub(super) version: String,
    pub(super) object: S3Object,
}

/// Returns the object at `address` and all objects below it, sorted by key.
pub(super) async fn objects_at(
    address: &str,
    endpoint: Option<&str>,
) -> Result<Vec<FoundObject>, Failure> {
    let (bucket, prefix) = match address
        .strip_prefix(SCHEME)
        .unwrap_or(address)
        .split_once('/')
    {
        Some((bucket, prefix)) => (bucket, prefix),
        None => (address.strip_prefix(SCHEME).unwrap_or(address), ""),
    };
    if bucket.is_empty() {
        return Err(Failure::new(
            Code::Usage,
            anyhow!("{address}: the bucket is missing"),
        ));
    }
    let store = Arc::new(store(bucket, endpoint)?);
    let prefix = Path::parse(prefix.trim_end_matches('/')).or_exit(Code::Usage)?;
    let mut found = Vec::new();
    if !prefix.as_ref().is_empty() {
        match store.head(&prefix).await {
            Ok(object) => found.push(object),
            Err(object_store::Error::NotFound { .. }) => (),
            Err(error) => return Err(unreachable(address, error)),
        }
    }
    let listed = store.list(Some(&prefix)).try_collect::<Vec<_>>().await;
    found.extend(listed.map_err(|error| unreachable(address, error))?);
    // A tool that shows folders makes empty objects for them.
    found.retain(|object| object.size > 0);
    found.sort_by(|a, b| a.location.cmp(&b.location));
    if found.is_empty() {
        return Err(Failure::new(
            Code::BadInput,
            anyhow!("there is no object at {address}"),
        ));
    }
    let file = |object: ObjectMeta| FoundObject {
        location: format!("{SCHEME}{bucket}/{}", object.location),
        size: object.size,
        version: object
            .e_tag
            .unwrap_or_else(|| object.last_modified.to_rfc3339()),
        object: S3Object {
            store: Arc::clone(&store),
            path: object.location,
            runtime: Handle::current(),
        },
    };
    Ok(found.into_iter().map(file).collect())
}

fn unreachable(address: &str, error: object_store::Error) -> Failure {
    let cause = anyhow::Error::new(error);
    // Each error repeats its causes. The last one has the answer of the store.
    let answer = cause.root_cause().to_string();
    let has_code = |code: &str| answer.contains(&format!("<Code>{code}</Code>"));
    let (code, reason) = if has_code("NoSuchBucket") {
        (Code::BadInput, "there is no such bucket".to_owned())
    } else if has_code("AccessDenied") {
        (
            Code::Configuration,
            "the keys do not allow it (AccessDenied)".to_owned(),
        )
    } else if [
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
    ]
    .into_iter()
    .any(has_code)
    {
        (
            Code::Configuration,
            "the keys are wrong or have expired".to_owned(),
        )
    } else {
        (
            Code::Unavailable,
            answer.split_whitespace().collect::<Vec<_>>().join(" "),
        )
    };
    Failure::new(code, anyhow!("failed to read {address}: {reason}"))
}

fn store(bucket: &str, endpoint: Option<&str>) -> Result<AmazonS3, Failure> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_http_connector(Connector);
    let profile = AwsProfile::load().or_exit(Code::Configuration)?;
    if let Some(profile) = &profile {
        let needed = [
            (AmazonS3ConfigKey::AccessKeyId, &profile.access_key_id),
            (
                AmazonS3ConfigKey::SecretAccessKey,
                &profile.secret_access_key,
            ),
            (AmazonS3ConfigKey::Token, &profile.session_token),
        ];
        // The three belong together.
        let has_key = builder
            .get_config_value(&AmazonS3ConfigKey::AccessKeyId)
            .is_some();
        for (key, value) in needed.iter().filter(|_| !has_key) {
            if let Some(value) = value {
                builder = builder.with_config(*key, value.expose());
            }
        }
        for (key, value) in [
            (AmazonS3ConfigKey::Region, &profile.region),
            (AmazonS3ConfigKey::Endpoint, &profile.endpoint_url),
        ] {
            if let Some(value) = value
                .as_ref()
                .filter(|_| builder.get_config_value(&key).is_none())
            {
                builder = builder.with_config(key, value);
            }
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if builder
        .get_config_value(&AmazonS3ConfigKey::Region)
        .is_none()
    {
        builder = builder.with_region("us-east-1");
    }
    // An emulator on this machine has no TLS. The endpoint is the operator's choice.
    let options = ClientOptions::new().with_allow_http(true);
    let built = builder.with_client_options(options).build();
    built
        .context("failed to set up S3")
        .or_exit(Code::Configuration)
}

impl S3Object {
    /// Opens the object for a thread that may wait.
    pub(super) fn open(&self) -> S3Reader {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        self.runtime.spawn(async move {
            let sent = async {
                let mut stream = store.get(&path).await?.into_stream();
                while let Some(chunk) = stream.try_next().await? {
                    if sender.send(Ok(chunk)).await.is_err() {
                        return Ok(());
                    }
                }
                Ok::<_, object_store::Error>(())
            };
            if let Err(error) = sent.await {
                // Nobody reads any more if this fails.
                drop(sender.send(Err(io::Error::other(error))).await);
            }
        });
        S3Reader {
            receiver,
            chunk: Bytes::new(),
        }
    }
}

/// Reads an object that a task receives.
pub(super) struct S3Reader {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for S3Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let count = std::cmp::min(self.chunk.len(), bytes.len());
        let read = self.chunk.split_to(count);
        if let Some(target) = bytes.get_mut(..count) {
            target.copy_from_slice(&read);
        }
        Ok(count)
    }
}

/// Makes clients for the object store.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let connector = client::tls_connector().map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: error.into(),
        })?;
        let http =
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(HttpClient::new(Service(http)))
    }
}

/// Sends the requests of the object store.
#[derive(Debug)]
struct Service(hyper_util::client::legacy::Client<HttpsConnector<TcpConnector>, HttpRequestBody>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.request(request).await.map_err(|error| {
            let kind = if error.is_connect() {
                HttpErrorKind::Connect
            } else {
                HttpErrorKind::Request
            };
            HttpError::new(kind, error)
        })?;
        let body_error = |error| HttpError::new(HttpErrorKind::Interrupted, error);
        Ok(response.map(|body| HttpResponseBody::new(body.map_err(body_error))))
    }
}
