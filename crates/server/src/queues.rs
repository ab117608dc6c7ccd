//! Creates the sinks of subscriptions with a queue of Amazon SQS, and the clients of sources that are queues.
//!
//! The address of a queue is the operator's, so the address guard does not check it. Requests go to the host in the
//! URL of the queue only if it is a host of AWS; another address must be set as `endpoint_url`.

use easel_sources::{SourceSpec, SqsCredentials, SqsSource};
use easel_sqs::{AwsCredentials, AwsHttp, QueueAddress, QueueClient, SqsSink, SqsSinkOptions};
use easel_subscriptions::{QueueCredentials, Spec, SqsSpec};

/// Creates clients for queues. Clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    http: AwsHttp,
}

impl Queues {
    pub(crate) const fn new(http: AwsHttp) -> Self {
        Self { http }
    }

    /// Creates the sink of a subscription.
    pub(crate) fn make_sink(&self, spec: &Spec, sqs: &SqsSpec) -> Result<SqsSink, String> {
        let credentials = match &sqs.credentials {
            QueueCredentials::Environment => AwsCredentials::Environment,
            QueueCredentials::Profile(name) => AwsCredentials::Profile(name.clone()),
            QueueCredentials::Keys {
                access_key_id,
                secret_access_key,
            } => AwsCredentials::KeyPair {
                access_key_id: access_key_id.clone(),
                secret_access_key: secret_access_key.clone(),
                session_token: None,
            },
        };
        let client = QueueClient::new(address_of_sink(sqs)?, credentials, self.http.clone());
        Ok(SqsSink::new(SqsSinkOptions {
            client,
            max_in_flight: spec.in_flight.get(),
        }))
    }

    /// Validates everything that needs no network.
    pub(crate) fn check(sqs: &SqsSpec) -> Result<(), String> {
        address_of_sink(sqs).map(drop)
    }

    /// Creates the client of a source.
    pub(crate) fn client_of_source(&self, sqs: &SqsSource) -> Result<QueueClient, String> {
        let credentials = match &sqs.credentials {
            SqsCredentials::Environment => AwsCredentials::Environment,
            SqsCredentials::Profile(name) => AwsCredentials::Profile(name.clone()),
            SqsCredentials::KeyPair {
                access_key_id,
                secret_access_key,
                session_token,
            } => AwsCredentials::KeyPair {
                access_key_id: access_key_id.clone(),
                secret_access_key: secret_access_key.clone(),
                session_token: session_token.clone(),
            },
        };
        let address = address_of_source(sqs)?;
        Ok(QueueClient::new(address, credentials, self.http.clone()))
    }
}

/// Rejects a source whose queue has no usable address.
pub(crate) fn check_source(source: &SourceSpec) -> Result<(), String> {
    source
        .sqs()
        .map_or(Ok(()), |sqs| address_of_source(sqs).map(drop))
}

fn address_of_sink(sqs: &SqsSpec) -> Result<QueueAddress, String> {
    let queue_url = sqs.queue_url.expose();
    let (region, endpoint) = (sqs.region.as_deref(), sqs.endpoint_url.as_deref());
    let address = QueueAddress::new(queue_url, region, endpoint);
    address.map_err(|error| format!("sqs: {error}"))
}

fn address_of_source(sqs: &SqsSource) -> Result<QueueAddress, String> {
    let (region, endpoint) = (sqs.region.as_deref(), sqs.endpoint_url.as_deref());
    let address = QueueAddress::new(&sqs.queue_url, region, endpoint);
    address.map_err(|error| error.to_string())
}
