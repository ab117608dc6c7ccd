//! How events are sent: `TransportType` and `TransportMetadata`.
//!
//! Only `Url` is documented. The names of the other members are not public, so the usual spellings are
//! accepted: a name counts without its case, its separators and the word `aws` at its start.
//!
//! The URL of a queue must be one of Amazon, and the credentials must come with it. Otherwise a tool could
//! make Easel use its own credentials, or send requests to a host of the tool's choice.

use std::time::Duration;

use easel_keys::{Secret, SecretUrl, SigningAlgorithm};
use easel_subscriptions::{BatchSize, QueueCredentials, Signing, SinkSpec, SqsSpec, WebhookSpec};
use serde_json::{Map, Value};

use crate::service_error::ServiceError;
use crate::shown::words;

const SIGNING_NAMES: [&str; 6] = [
    "sign",
    "signed",
    "signing",
    "signpayload",
    "payloadsigning",
    "jwt",
];
const KEY_ID_NAMES: [&str; 4] = ["accesskeyid", "accesskey", "keyid", "key"];
const SECRET_NAMES: [&str; 3] = ["secretaccesskey", "secretkey", "secret"];

/// The timeout of an attempt.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Returns the sink of an object.
pub(crate) fn sink(object: &Map<String, Value>) -> Result<SinkSpec, ServiceError> {
    let Some(Value::Object(metadata)) = object.get("TransportMetadata") else {
        return Err(invalid("TransportMetadata must be an object with `Url`"));
    };
    let url = match metadata.get("Url").or_else(|| find(metadata, &["url"])) {
        Some(Value::String(url)) if !url.trim().is_empty() => SecretUrl::new(url.trim()),
        Some(_) | None => {
            let fault = "TransportMetadata.Url must be the URL that events are sent to";
            return Err(invalid(fault));
        }
    };
    match object.get("TransportType").and_then(Value::as_str) {
        Some(kind) if kind.eq_ignore_ascii_case("https") => webhook(metadata, url),
        Some(kind) if kind.eq_ignore_ascii_case("sqs") => sqs(object, metadata, url),
        Some(_) | None => Err(invalid("TransportType must be `https` or `sqs`")),
    }
}

fn webhook(metadata: &Map<String, Value>, url: SecretUrl) -> Result<SinkSpec, ServiceError> {
    let is_signed = match find(metadata, &SIGNING_NAMES) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(invalid("the switch for signing must be true or false")),
    };
    let algorithm = SigningAlgorithm::Rs256;
    Ok(SinkSpec::Webhook(WebhookSpec {
        url,
        timeout: TIMEOUT,
        batch: BatchSize::default(),
        signing: is_signed.then_some(Signing::Jwt { algorithm }),
        authentication: None,
        headers: [].into(),
        client_certificate: None,
    }))
}

fn sqs(
    object: &Map<String, Value>,
    metadata: &Map<String, Value>,
    url: SecretUrl,
) -> Result<SinkSpec, ServiceError> {
    if !is_of_amazon(url.expose()) {
        return Err(invalid(
            "TransportMetadata.Url must be the URL of a queue at amazonaws.com",
        ));
    }
    let text = |names: &[&str]| {
        let found = find(metadata, names).or_else(|| find_of_aws(object, names));
        found
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let (Some(access_key_id), Some(secret)) = (text(&KEY_ID_NAMES), text(&SECRET_NAMES)) else {
        return Err(invalid(
            "TransportMetadata must have the credentials for the queue, such as AwsAccessKeyId and \
             AwsSecretAccessKey; Easel does not use its own credentials for subscriptions of Canvas",
        ));
    };
    Ok(SinkSpec::Sqs(SqsSpec {
        queue_url: url,
        region: text(&["region"]).map(str::to_owned),
        endpoint_url: None,
        credentials: QueueCredentials::Keys {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: Secret::new(secret.to_owned()),
        },
    }))
}

/// Returns true if the host of the URL is one of Amazon.
fn is_of_amazon(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else {
        return false;
    };
    let host = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    let endings = [".amazonaws.com", ".amazonaws.com.cn"];
    host.chars().all(is_plain) && endings.iter().any(|ending| host.ends_with(ending))
}

/// Returns the first member with one of these names.
fn find<'a>(members: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    let find = |wanted: &&str| {
        members
            .iter()
            .find(|(name, _)| plain_name(name) == **wanted)
    };
    names.iter().find_map(find).map(|(_, value)| value)
}

/// Returns the first member with one of these names after the word `aws`.
fn find_of_aws<'a>(members: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    let is_of_aws = |name: &str| words(name).first().is_some_and(|word| word == "aws");
    let find = |wanted: &&str| {
        let mut members = members.iter();
        members.find(|(name, _)| is_of_aws(name) && plain_name(name) == **wanted)
    };
    names.iter().find_map(find).map(|(_, value)| value)
}

fn plain_name(name: &str) -> String {
    let words = words(name);
    let words = match words.split_first() {
        Some((first, rest)) if first == "aws" => rest,
        Some(_) | None => &words,
    };
    words.concat()
}

fn invalid(fault: &str) -> ServiceError {
    ServiceError::Invalid(fault.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sink_of(kind: &str, metadata: Value, top: Value) -> Result<SinkSpec, ServiceError> {
        let mut object: Map<String, Value> = serde_json::from_value(top).unwrap();
        object.insert("TransportType".to_owned(), kind.into());
        object.insert("TransportMetadata".to_owned(), metadata);
        sink(&object)
    }

    const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/111122223333/events";

    #[test]
    fn a_webhook_is_signed_if_a_switch_says_so() {
        let url = "https://a.example/hook?key=1";
        for (metadata, is_signed) in [
            (json!({"Url": url}), false),
            (json!({"Url": url, "SignPayload": true}), true),
            (json!({"url": url, "sign_payload": "true"}), true),
            (json!({"Url": url, "Signed": false}), false),
        ] {
            let sink = sink_of("https", metadata, json!({})).unwrap();
            let webhook = sink.webhook().unwrap();
            assert_eq!(webhook.url.expose(), url);
            assert_eq!(webhook.signing.is_some(), is_signed);
        }
    }

    #[test]
    fn the_credentials_of_a_queue_have_the_usual_names() {
        let key = |names: [&str; 3]| {
            let [id, secret, region] = names;
            json!({id: "AKIA", secret: "s", region: "eu-west-1"})
        };
        for names in [
            ["AwsAccessKeyId", "AwsSecretAccessKey", "AwsRegion"],
            ["aws_access_key_id", "aws_secret_access_key", "aws_region"],
            ["AWSAccessKeyID", "AWSSecretKey", "AWSRegion"],
            ["Key", "Secret", "Region"],
            ["accessKeyId", "secretAccessKey", "region"],
        ] {
            let mut metadata = key(names);
            metadata["Url"] = QUEUE.into();
            let sink = sink_of("SQS", metadata, json!({})).unwrap();
            let SinkSpec::Sqs(sqs) = &sink else {
                panic!("{sink:?}")
            };
            assert_eq!(sqs.region.as_deref(), Some("eu-west-1"), "{names:?}");
            let keys = QueueCredentials::Keys {
                access_key_id: "AKIA".to_owned(),
                secret_access_key: Secret::new("s".to_owned()),
            };
            assert_eq!(sqs.credentials, keys);
        }
        let top = json!({"aws_access_key_id": "AKIA", "aws_secret_access_key": "s"});
        sink_of("sqs", json!({"Url": QUEUE}), top).unwrap();
        let top = json!({"Key": "AKIA", "Secret": "s"});
        sink_of("sqs", json!({"Url": QUEUE}), top).unwrap_err();
    }

    #[test]
    fn a_queue_outside_amazon_and_the_credentials_of_easel_are_refused() {
        let keys = json!({"aws_access_key_id": "AKIA", "aws_secret_access_key": "s"});
        for url in [
            "http://sqs.us-east-1.amazonaws.com/1/q",
            "https://169.254.169.254/1/q",
            "https://amazonaws.com.evil.example/1/q",
            "https://evil.example/.amazonaws.com",
            "https://evil.example\\.amazonaws.com/q",
            "https://evil.example#.amazonaws.com",
            "https://a@evil.example/x.amazonaws.com",
            "https://evilamazonaws.com/1/q",
        ] {
            sink_of("sqs", json!({"Url": url}), keys.clone()).unwrap_err();
        }
        sink_of("sqs", json!({"Url": QUEUE}), json!({})).unwrap_err();
    }

    #[test]
    fn another_transport_is_refused() {
        let url = json!({"Url": "https://a.example/"});
        for kind in ["", "http", "kinesis"] {
            sink_of(kind, url.clone(), json!({})).unwrap_err();
        }
        for metadata in [json!({}), json!("x"), json!({"Url": ""}), json!({"Url": 7})] {
            sink_of("https", metadata, json!({})).unwrap_err();
        }
    }
}
