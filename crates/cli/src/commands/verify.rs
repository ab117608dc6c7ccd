//! `easel verify`

mod message;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::builder::PossibleValuesParser;
use easel_keys::{
    JwkSet, JwtOptions, JwtVerifier, SigningAlgorithm, WebhookHeaders, WebhookKey, WebhookVerifier,
    WebhookVerifyError,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::client::Client;
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::secret_arg::{SecretArg, SecretReader};
use crate::tls_trust::TlsTrust;
use crate::url::Url;
use message::{HeaderLine, ReceivedRequest};

const AFTER_HELP: &str = "\
The input is the body of a request that a webhook received, or a whole HTTP
message: headers, an empty line and the body. The body must have exactly the
bytes that were received.

A body that is a JWT is verified with the public keys of --jwks, or with those
of the server. Any other body is verified with its headers webhook-id,
webhook-timestamp and webhook-signature and with --secret. A secret can be
`env:NAME` (an environment variable), `file:PATH` or `-` (stdin).

If the signature is valid, the event is printed. Otherwise the exit code is 1.

Examples:
  easel verify body.txt
  easel verify --jwks https://events.example.edu/.well-known/jwks.json body.txt
  easel verify --secret env:WEBHOOK_SECRET request.txt
  easel verify --secret file:secret --tolerance off -H 'webhook-id: 01979' \\
      -H 'webhook-timestamp: 1764526816' -H 'webhook-signature: v1,…' body.json";

/// The largest message.
const MAX_BYTES: u64 = 64 << 20;

/// Verify the signature of an event that a webhook received
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct VerifyArgs {
    /// File with the body or the whole message; `-` is stdin [default: stdin]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Header of the request, as `name: value`; can be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<HeaderLine>,
    /// Secret `whsec_…`, or key `whsk_…` or `whpk_…`; can be repeated
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<SecretArg>,
    /// Public keys for a JWT: a JWK Set [default: the keys of the server]
    #[arg(long, value_name = "URL|FILE")]
    jwks: Option<String>,
    /// Required issuer (`iss`) of a JWT
    #[arg(long, value_name = "TEXT")]
    issuer: Option<String>,
    /// How far the clock of the sender may differ, or `off` for old requests
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = tolerance)]
    tolerance: Duration,
    /// Accepted algorithm of a JWT; can be repeated [default: all]
    #[arg(
        long = "algorithm",
        value_name = "ALGORITHM",
        value_parser = PossibleValuesParser::new(SigningAlgorithm::ALL.map(SigningAlgorithm::as_str))
    )]
    algorithms: Vec<String>,
}

/// A verified JWT.
#[derive(Serialize)]
struct VerifiedJwtJson<'a> {
    verified: &'static str,
    algorithm: &'static str,
    key: &'a str,
    event: &'a RawValue,
}

/// A verified request of Standard Webhooks.
#[derive(Serialize)]
struct VerifiedRequestJson<'a> {
    verified: &'static str,
    id: &'a str,
    timestamp: &'a str,
    event: &'a RawValue,
}

impl VerifyArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let mut message =
            ReceivedRequest::parse(self.read_input()?).map_err(|fault| not_verified(&fault))?;
        for header in &self.headers {
            message.set_header(header.clone());
        }
        match message.jwt() {
            Some(token) => self.verify_jwt(token, global).await,
            None => self.verify_request(&message, global),
        }
    }

    fn is_stdin(&self) -> bool {
        self.file
            .as_deref()
            .is_none_or(|file| file == Path::new("-"))
    }

    fn read_input(&self) -> Result<Vec<u8>, Failure> {
        let mut input = Vec::new();
        let (name, read) = match &self.file {
            Some(file) if !self.is_stdin() => {
                let opened = std::fs::File::open(file);
                let read = opened.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut input));
                (file.display().to_string(), read)
            }
            _ => {
                let stdin = io::stdin().lock().take(MAX_BYTES + 1);
                ("stdin".to_owned(), { stdin }.read_to_end(&mut input))
            }
        };
        let size = read
            .with_context(|| format!("failed to read {name}"))
            .or_exit(Code::BadInput)?;
        if u64::try_from(size).unwrap_or(u64::MAX) > MAX_BYTES {
            let error = anyhow!("{name} is larger than {} MiB", MAX_BYTES >> 20);
            return Err(Failure::new(Code::BadInput, error));
        }
        Ok(input)
    }

    async fn verify_jwt(&self, token: &[u8], global: &GlobalArgs) -> Result<(), Failure> {
        if !self.secrets.is_empty() {
            let error = anyhow!("the body is a JWT; verify it with --jwks, not with --secret");
            return Err(Failure::new(Code::Usage, error));
        }
        let keys = JwkSet::parse(&self.public_keys(global).await?);
        // Without --jwks, the address is not that of an Easel server.
        let code = self
            .jwks
            .as_ref()
            .map_or(Code::Unavailable, |_jwks| Code::BadInput);
        let keys = keys
            .map_err(|error| anyhow!("failed to {error}"))
            .or_exit(code)?;
        let algorithms = self.algorithms.iter();
        let algorithms = algorithms.filter_map(|name| name.parse().ok());
        let algorithms: Vec<_> = algorithms.collect();
        let options = JwtOptions {
            algorithms: if algorithms.is_empty() {
                SigningAlgorithm::ALL.to_vec()
            } else {
                algorithms
            },
            issuer: self.issuer.clone(),
            leeway: self.tolerance,
            ..JwtOptions::default()
        };
        let verified = JwtVerifier::new(keys.clone(), options).verify(token, Timestamp::now());
        let verified = verified.map_err(|error| {
            let error = anyhow::Error::new(error);
            Failure::new(Code::NotVerified, anyhow!("failed to {error:#}"))
        })?;
        let key = keys.find(&verified.kid).map(easel_keys::Jwk::algorithm);
        let algorithm = key.map_or("", SigningAlgorithm::as_str);
        if global.json {
            let json = VerifiedJwtJson {
                verified: "jwt",
                algorithm,
                key: &verified.kid,
                event: event(&verified.payload)?,
            };
            return output::line(serde_json::to_string(&json).or_exit(Code::Bug)?);
        }
        let kid = output::printable(&verified.kid);
        output::notice(format_args!("verified: {algorithm}, key {kid}"));
        output::with_line_break(&verified.payload)
    }

    /// Returns the JSON of the public keys.
    async fn public_keys(&self, global: &GlobalArgs) -> Result<Vec<u8>, Failure> {
        let Some(jwks) = &self.jwks else {
            let client = Client::from_args(global)?;
            return Ok(client.get("/.well-known/jwks.json").await?.into());
        };
        if jwks.starts_with("http://") || jwks.starts_with("https://") {
            let url: Url = jwks
                .parse()
                .map_err(|fault| anyhow!("--jwks {fault}"))
                .or_exit(Code::Usage)?;
            let client = Client::without_token(url, TlsTrust::from_args(global))?;
            return Ok(client.get_file(JwkSet::MAX_BYTES).await?.into());
        }
        std::fs::read(jwks)
            .with_context(|| format!("failed to read {jwks}"))
            .or_exit(Code::BadInput)
    }

    fn verify_request(
        &self,
        message: &ReceivedRequest,
        global: &GlobalArgs,
    ) -> Result<(), Failure> {
        let header = |name: &'static str| {
            let missing = || format!("the body is not a JWT, and the header {name} is missing");
            let value = message.header(name);
            value.ok_or_else(|| not_verified(&missing()))
        };
        let headers = WebhookHeaders {
            signature: header("webhook-signature")?,
            id: header("webhook-id")?,
            timestamp: header("webhook-timestamp")?,
        };
        let verifier = WebhookVerifier::new(self.keys()?).with_tolerance(self.tolerance);
        let now = Timestamp::now();
        let mut body = message.body();
        let mut verified = verifier.verify(&headers, body, now);
        // An editor, or `echo`, adds a line break to a saved body.
        if verified == Err(WebhookVerifyError::InvalidSignature)
            && let Some(line) = body.strip_suffix(b"\n")
        {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            verified = verifier.verify(&headers, line, now);
            body = line;
        }
        verified.map_err(|error| Failure::new(Code::NotVerified, anyhow!("failed to {error}")))?;
        if global.json {
            let json = VerifiedRequestJson {
                verified: "standard",
                id: headers.id,
                timestamp: headers.timestamp,
                event: event(body)?,
            };
            return output::line(serde_json::to_string(&json).or_exit(Code::Bug)?);
        }
        output::notice(format_args!(
            "verified: standard, id {}",
            output::printable(headers.id)
        ));
        output::with_line_break(body)
    }

    /// Returns the keys of Standard Webhooks.
    fn keys(&self) -> Result<Vec<WebhookKey>, Failure> {
        if self.jwks.is_some() || self.secrets.is_empty() {
            let error = anyhow!("the body is not a JWT; verify it with --secret");
            return Err(Failure::new(Code::Usage, error));
        }
        let mut reader = if self.is_stdin() {
            SecretReader::without_stdin("the message")
        } else {
            SecretReader::default()
        };
        let keys = self.secrets.iter().map(|secret| {
            let secret = reader.read("--secret", secret)?;
            WebhookKey::parse(secret.expose())
                .map_err(|error| anyhow!("--secret: failed to {error}"))
                .or_exit(Code::Usage)
        });
        keys.collect()
    }
}

/// Returns a verified payload as JSON.
fn event(payload: &[u8]) -> Result<&RawValue, Failure> {
    serde_json::from_slice(payload)
        .context("the verified body is not JSON")
        .or_exit(Code::BadInput)
}

fn not_verified(fault: &str) -> Failure {
    Failure::new(Code::NotVerified, anyhow!("failed to verify: {fault}"))
}

/// Parses how far the clock of the sender may differ.
fn tolerance(text: &str) -> Result<Duration, String> {
    if text == "off" {
        return Ok(Duration::MAX);
    }
    let parsed = humantime::parse_duration(text);
    parsed.map_err(|_invalid| "must be a length of time such as 5m, or `off`".to_owned())
}
