//! The flags of `add` and `edit` that protect requests: signature, authentication, headers and client
//! certificate.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bytes::Bytes;
use easel_keys::{Secret, SigningAlgorithm, WebhookSecret};
use serde_json::{Map, Value, json};

use crate::client;
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::secret_arg::{SecretArg, SecretReader};
use crate::settings::read_text_file;

/// The members of a webhook that have exactly one of several members.
const ALTERNATIVES: [(&str, [&str; 2]); 2] = [
    ("signing", ["jwt", "standard"]),
    ("authentication", ["basic", "bearer"]),
];

/// How requests are protected. Without a flag, `add` uses the default, and `edit` changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct SecurityArgs {
    /// Signature of requests: `jwt` (RS256), `jwt:ES256`, `jwt:EdDSA`, `standard` (Standard Webhooks)
    /// or `off` [default: off]
    #[arg(long, value_name = "SIGNATURE", conflicts_with_all = ["sql", "sqs"], value_parser = sign)]
    sign: Option<SignatureKind>,
    /// Secret of `--sign standard`, `whsec_…` or `whsk_…`; can be repeated. Without this flag, a new
    /// secret is created and printed, only this once
    #[arg(long = "secret", value_name = "SECRET", requires = "sign")]
    secrets: Vec<SecretArg>,
    /// Header of each request, as `name: value`; can be repeated
    #[arg(long = "header", value_name = "HEADER", conflicts_with_all = ["sql", "sqs"])]
    headers: Vec<SecretArg>,
    /// Bearer token for the endpoint
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["basic", "sql", "sqs"])]
    bearer: Option<SecretArg>,
    /// User and password for the endpoint
    #[arg(long, value_name = "USER:PASSWORD", conflicts_with_all = ["sql", "sqs"])]
    basic: Option<SecretArg>,
    /// File with the client certificate for the endpoint and its chain, in PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "client_key",
        conflicts_with_all = ["sql", "sqs"]
    )]
    client_certificate: Option<PathBuf>,
    /// File with the private key of the client certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<PathBuf>,
}

/// A way to sign requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureKind {
    Jwt(SigningAlgorithm),
    Standard,
    Off,
}

impl SecurityArgs {
    /// Adds the members that the flags set to the webhook of `spec`. Returns the secret that was created, if
    /// any.
    pub(super) fn add_to(
        &self,
        spec: &mut Value,
        reader: &mut SecretReader,
    ) -> Result<Option<Secret<String>>, Failure> {
        let mut members = Map::new();
        let mut new_secret = None;
        if let Some(kind) = self.sign {
            members.insert(
                "signing".to_owned(),
                self.signing(kind, reader, &mut new_secret)?,
            );
        }
        if let Some(authentication) = self.authentication(reader)? {
            members.insert("authentication".to_owned(), authentication);
        }
        if !self.headers.is_empty() {
            members.insert("headers".to_owned(), self.headers(reader)?);
        }
        if let (Some(certificate), Some(key)) = (&self.client_certificate, &self.client_key) {
            let read = |flag: &str, path: &Path| {
                let text = read_text_file(path);
                text.map_err(|fault| Failure::new(Code::BadInput, anyhow!("{flag}: {fault}")))
            };
            let certificate = read("--client-certificate", certificate)?;
            let key = read("--client-key", key)?;
            let json = json!({ "certificate": certificate.expose(), "key": key.expose() });
            members.insert("client_certificate".to_owned(), json);
        }
        if members.is_empty() {
            return Ok(None);
        }
        if let Some(spec) = spec.as_object_mut() {
            let webhook = spec.entry("webhook").or_insert_with(|| json!({}));
            if let Some(webhook) = webhook.as_object_mut() {
                webhook.extend(members);
            }
        }
        Ok(new_secret)
    }

    fn signing(
        &self,
        kind: SignatureKind,
        reader: &mut SecretReader,
        new_secret: &mut Option<Secret<String>>,
    ) -> Result<Value, Failure> {
        if kind != SignatureKind::Standard && !self.secrets.is_empty() {
            let error = anyhow!("--secret requires `--sign standard`");
            return Err(Failure::new(Code::Usage, error));
        }
        match kind {
            SignatureKind::Off => Ok(Value::Null),
            SignatureKind::Jwt(algorithm) => Ok(json!({ "jwt": { "algorithm": algorithm } })),
            SignatureKind::Standard => {
                let secrets = self.secrets.iter();
                let secrets = secrets.map(|secret| reader.read("--secret", secret));
                let mut secrets: Vec<_> = secrets.collect::<Result<_, _>>()?;
                if secrets.is_empty() {
                    let created = WebhookSecret::generate_symmetric();
                    let created = created.map_err(|error| anyhow!("failed to {error}"));
                    let created = created.or_exit(Code::Unavailable)?.to_text();
                    *new_secret = Some(created.clone());
                    secrets.push(created);
                }
                let texts: Vec<_> = secrets.iter().map(Secret::expose).collect();
                Ok(json!({ "standard": { "secrets": texts } }))
            }
        }
    }

    fn authentication(&self, reader: &mut SecretReader) -> Result<Option<Value>, Failure> {
        if let Some(token) = &self.bearer {
            let token = reader.read("--bearer", token)?;
            return Ok(Some(json!({ "bearer": token.expose() })));
        }
        let Some(basic) = &self.basic else {
            return Ok(None);
        };
        let flag = "--basic";
        let (user, password) = if basic.is_reference() {
            let both = reader.read(flag, basic)?;
            let (user, password) = split_at_colon(both.expose(), "--basic must be USER:PASSWORD")?;
            (user.to_owned(), Secret::new(password.to_owned()))
        } else {
            let (user, password) = split_at_colon(basic.expose(), "--basic must be USER:PASSWORD")?;
            (user.to_owned(), reader.read_text(flag, password)?)
        };
        let json = json!({ "basic": { "user": user, "password": password.expose() } });
        Ok(Some(json))
    }

    fn headers(&self, reader: &mut SecretReader) -> Result<Value, Failure> {
        let mut headers = Map::new();
        for header in &self.headers {
            let (name, value) = split_at_colon(header.expose(), "--header must be `name: value`")?;
            let value = reader.read_text("--header", value.trim())?;
            let name = name.trim().to_ascii_lowercase();
            headers.insert(name, value.expose().as_str().into());
        }
        Ok(headers.into())
    }
}

/// Splits a text at its first colon. The error does not contain the text, which has a secret.
fn split_at_colon<'a>(
    text: &'a str,
    requirement: &'static str,
) -> Result<(&'a str, &'a str), Failure> {
    let parts = text.split_once(':');
    let parts = parts.filter(|(first, _)| !first.trim().is_empty());
    parts.ok_or_else(|| Failure::new(Code::Usage, anyhow!(requirement)))
}

/// Parses the value of `--sign`.
fn sign(text: &str) -> Result<SignatureKind, String> {
    match text.split_once(':') {
        Some(("jwt", algorithm)) => {
            let algorithm = algorithm.parse().map(SignatureKind::Jwt);
            algorithm.map_err(|error: easel_keys::UnknownAlgorithm| error.to_string())
        }
        None if text == "jwt" => Ok(SignatureKind::Jwt(SigningAlgorithm::default())),
        None if text == "standard" => Ok(SignatureKind::Standard),
        None if text == "off" => Ok(SignatureKind::Off),
        Some(_) | None => {
            Err("must be `jwt`, `jwt:` and an algorithm, `standard` or `off`".to_owned())
        }
    }
}

/// Adds nulls to a patch, so that a new signature or authentication removes the old one of another kind.
pub(super) fn replace_alternatives(patch: &mut Value) {
    for (member, names) in ALTERNATIVES {
        let webhook = patch.get_mut("webhook");
        let chosen = webhook.and_then(|webhook| webhook.get_mut(member)?.as_object_mut());
        if let Some(chosen) = chosen {
            for name in names {
                chosen.entry(name).or_insert(Value::Null);
            }
        }
    }
}

/// Prints a secret that was created. With `--json`, adds the secret to the answer instead.
pub(super) fn show_new_secret(
    answer: Bytes,
    new_secret: Option<Secret<String>>,
    global: &GlobalArgs,
) -> Result<Bytes, Failure> {
    let Some(secret) = new_secret else {
        return Ok(answer);
    };
    if !global.json {
        output::line(format_args!("secret: {}", secret.expose()))?;
        return Ok(answer);
    }
    let mut members: Map<String, Value> = client::read(&answer)?;
    members.insert("secret".to_owned(), secret.expose().as_str().into());
    Ok(Value::Object(members).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_a_jwt_with_an_algorithm_or_standard_or_off() {
        assert_eq!(sign("jwt"), Ok(SignatureKind::Jwt(SigningAlgorithm::Rs256)));
        assert_eq!(
            sign("jwt:EdDSA"),
            Ok(SignatureKind::Jwt(SigningAlgorithm::EdDsa))
        );
        assert_eq!(sign("standard"), Ok(SignatureKind::Standard));
        assert_eq!(sign("off"), Ok(SignatureKind::Off));
        for text in ["", "none", "jwt:", "jwt:HS256", "standard:x"] {
            assert!(sign(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_new_signature_replaces_the_old_one() {
        let mut patch = json!({ "webhook": { "signing": { "jwt": {} }, "authentication": null } });
        replace_alternatives(&mut patch);
        let wanted = json!({ "webhook": {
            "signing": { "jwt": {}, "standard": null },
            "authentication": null,
        } });
        assert_eq!(patch, wanted);
    }
}
