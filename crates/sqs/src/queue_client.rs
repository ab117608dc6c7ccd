//! The client for one queue.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Credentials, Region, StalledStreamProtectionConfig};
use easel_keys::Secret;
use tokio::sync::OnceCell;

use crate::aws_http::AwsHttp;
use crate::queue_address::QueueAddress;

/// Who makes the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsCredentials {
    /// The environment, the profile `default`, or the role of the machine: the first that has credentials.
    Environment,
    /// A profile of the files in `~/.aws`.
    Profile(String),
    /// A key pair.
    KeyPair {
        /// The id of the pair.
        access_key_id: String,
        /// The secret that signs requests.
        secret_access_key: Secret<String>,
        /// The token of a temporary key pair.
        session_token: Option<Secret<String>>,
    },
}

/// The client for one queue. It has no connection and no credentials before its first request.
#[derive(Debug)]
pub struct QueueClient {
    address: QueueAddress,
    credentials: AwsCredentials,
    http: AwsHttp,
    client: OnceCell<Client>,
}

impl QueueClient {
    /// Creates a client.
    pub const fn new(address: QueueAddress, credentials: AwsCredentials, http: AwsHttp) -> Self {
        Self {
            address,
            credentials,
            http,
            client: OnceCell::const_new(),
        }
    }

    /// Returns the address of the queue.
    pub const fn address(&self) -> &QueueAddress {
        &self.address
    }

    /// Returns the client of AWS's library. A request is made once: lanes and pollers retry by themselves.
    pub(crate) async fn get(&self, timeout: Duration) -> &Client {
        self.client.get_or_init(|| self.make(timeout)).await
    }

    async fn make(&self, timeout: Duration) -> Client {
        let timeouts = TimeoutConfig::builder().operation_timeout(timeout).build();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http.shared())
            .region(Region::new(self.address.region().to_owned()))
            .endpoint_url(self.address.endpoint())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let loader = match &self.credentials {
            AwsCredentials::Environment => loader,
            AwsCredentials::Profile(name) => loader.profile_name(name),
            AwsCredentials::KeyPair {
                access_key_id,
                secret_access_key,
                session_token,
            } => loader.credentials_provider(Credentials::new(
                access_key_id,
                secret_access_key.expose(),
                session_token.as_ref().map(|token| token.expose().clone()),
                None,
                "easel",
            )),
        };
        // The future of the loader is large, and everybody who sends a request would contain it.
        Client::new(&Box::pin(loader.load()).await)
    }
}
