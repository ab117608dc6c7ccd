//! The queue of Amazon SQS of a subscription.

use easel_keys::{Secret, SecretUrl};

/// The longest access key id, in bytes.
const MAX_KEY_ID_BYTES: usize = 128;

/// The queue of a subscription: events become messages of Amazon SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqsSpec {
    /// The URL of the queue, such as `https://sqs.us-east-1.amazonaws.com/111122223333/canvas-live-events`.
    pub queue_url: SecretUrl,
    /// The AWS region. `None` means the region in the URL of the queue.
    pub region: Option<String>,
    /// The address of the service, such as that of an emulator. `None` means the address of AWS.
    pub endpoint_url: Option<String>,
    /// Where the credentials come from.
    pub credentials: QueueCredentials,
}

/// Where the credentials for a queue come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum QueueCredentials {
    /// From the environment of the server, the profile `default`, or the role of the machine: the first that
    /// has any.
    #[default]
    Environment,
    /// From this profile of the files in `~/.aws`.
    Profile(String),
    /// From the spec.
    Keys {
        /// The id of the access key.
        access_key_id: String,
        /// The secret of the access key.
        secret_access_key: Secret<String>,
    },
}

impl SqsSpec {
    /// The most batches in flight, so that a crash repeats at most 500 deliveries.
    pub const MAX_IN_FLIGHT: usize = 50;

    /// True if the queue is a FIFO queue. Amazon requires this ending of its name.
    pub fn is_fifo(&self) -> bool {
        // The suffix is exact: SQS compares names byte by byte.
        self.queue_url.expose().strip_suffix(".fifo").is_some()
    }

    /// Validates the id of an access key: 1 to 128 letters, digits, `_` and `-`.
    pub fn check_access_key_id(id: &str) -> Result<(), String> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if id.is_empty() || id.len() > MAX_KEY_ID_BYTES || !id.chars().all(is_allowed) {
            return Err(format!(
                "an access key id must be 1 to {MAX_KEY_ID_BYTES} letters, digits, `_` and `-`"
            ));
        }
        Ok(())
    }

    /// Validates the name of a profile.
    pub fn check_profile(name: &str) -> Result<(), String> {
        if name.trim().is_empty() || name.contains(['[', ']', '\n', '\r']) {
            return Err(format!(
                "a profile must be the name of a section in `~/.aws`, not {name:?}"
            ));
        }
        Ok(())
    }

    pub(super) fn secret_access_key_mut(&mut self) -> Option<&mut Secret<String>> {
        match &mut self.credentials {
            QueueCredentials::Keys {
                secret_access_key, ..
            } => Some(secret_access_key),
            QueueCredentials::Environment | QueueCredentials::Profile(_) => None,
        }
    }

    pub(super) const fn access_key_id_mut(&mut self) -> Option<&mut String> {
        match &mut self.credentials {
            QueueCredentials::Keys { access_key_id, .. } => Some(access_key_id),
            QueueCredentials::Environment | QueueCredentials::Profile(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
