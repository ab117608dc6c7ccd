//! The function that sends test events. The server provides it.

use std::sync::Arc;
use std::time::Duration;

use easel_subscriptions::Spec;
use futures::future::BoxFuture;

/// Sends an event to the endpoint of a spec, in the format of the spec. Fails with the reason if the
/// event cannot be sent to this endpoint.
pub type SendTest =
    Arc<dyn Fn(Spec, Vec<u8>) -> BoxFuture<'static, Result<TestReport, String>> + Send + Sync>;

/// The answer of an endpoint to a test event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReport {
    /// The HTTP status, if the endpoint answered.
    pub status: Option<u16>,
    /// Why the attempt failed; `None` if it succeeded.
    pub error: Option<String>,
    /// The duration of the attempt.
    pub duration: Duration,
    /// The first bytes of the answer's body.
    pub body: Vec<u8>,
}
