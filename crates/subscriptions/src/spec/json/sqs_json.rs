//! The JSON of the queue of a subscription.

use easel_keys::SecretUrl;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret_text::{SecretText, SecretTexts};
use crate::spec::{QueueCredentials, SpecError, SqsSpec};

/// The queue of Amazon SQS of a subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SqsSpec)]
#[serde(deny_unknown_fields)]
pub(super) struct SqsJson {
    /// The URL of the queue. A FIFO queue requires `order: key`.
    #[schema(
        value_type = String,
        example = "https://sqs.us-east-1.amazonaws.com/111122223333/canvas-live-events"
    )]
    queue_url: SecretText,
    /// The AWS region. The default is the region in the URL of the queue.
    #[schema(example = "us-east-1")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// The address of the service, such as that of an emulator. The default is the address of AWS.
    #[schema(example = "http://127.0.0.1:9324")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<String>,
    /// The profile in the files of `~/.aws` that has the credentials. Without a profile and without keys, the
    /// credentials come from the environment of the server, the profile `default`, or the role of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// The id of the access key. It requires `secret_access_key`.
    #[schema(example = "AKIAIOSFODNN7EXAMPLE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    /// The secret of the access key.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<SecretText>,
}

impl SqsJson {
    pub(super) fn new(sqs: &SqsSpec, secrets: SecretTexts) -> Self {
        let SqsSpec {
            queue_url,
            region,
            endpoint_url,
            credentials,
        } = sqs;
        let (profile, access_key_id, secret_access_key) = match credentials {
            QueueCredentials::Environment => (None, None, None),
            QueueCredentials::Profile(name) => (Some(name.clone()), None, None),
            QueueCredentials::Keys {
                access_key_id,
                secret_access_key,
            } => (
                None,
                Some(access_key_id.clone()),
                Some(secrets.text(secret_access_key)),
            ),
        };
        Self {
            queue_url: secrets.url(queue_url),
            region: region.clone(),
            endpoint_url: endpoint_url.clone(),
            profile,
            access_key_id,
            secret_access_key,
        }
    }
}

impl TryFrom<SqsJson> for SqsSpec {
    type Error = SpecError;

    fn try_from(json: SqsJson) -> Result<Self, SpecError> {
        let credentials = match (json.profile, json.access_key_id, json.secret_access_key) {
            (None, None, None) => QueueCredentials::Environment,
            (Some(name), None, None) => QueueCredentials::Profile(name),
            (None, Some(access_key_id), Some(secret)) => QueueCredentials::Keys {
                access_key_id,
                secret_access_key: secret.into_secret(),
            },
            (Some(_), Some(_), _)
            | (Some(_), _, Some(_))
            | (None, Some(_), None)
            | (None, None, Some(_)) => return Err(SpecError::QueueCredentials),
        };
        Ok(Self {
            queue_url: SecretUrl::from_secret(json.queue_url.into_secret()),
            region: json.region,
            endpoint_url: json.endpoint_url,
            credentials,
        })
    }
}
