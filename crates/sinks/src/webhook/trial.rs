//! One attempt that a person watches: a test, or a delivery by hand. The person sees the answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{Webhook, answer, request};
use crate::{Batch, SendError};

/// The header that marks a test.
const TEST_HEADER: &str = "easel-test";

/// The maximum bytes that are shown of an answer's body.
const MAX_BODY_BYTES: usize = 1024;

/// The result of a watched attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The result that a lane would get.
    pub result: Result<(), SendError>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The first 1,024 bytes of the answer's body, with `…` for each secret of the webhook.
    pub body: Bytes,
}

impl Trial {
    /// Returns the result of an attempt without an answer.
    fn failed(error: SendError) -> Self {
        Self {
            result: Err(error),
            status: None,
            body: Bytes::new(),
        }
    }
}

impl Webhook {
    /// Makes one attempt with the header `easel-test: true`, and returns the endpoint's answer.
    pub async fn try_out(&self, batch: &Batch) -> Trial {
        let add_test_header = |headers: &mut HeaderMap| {
            headers.insert(TEST_HEADER, HeaderValue::from_static("true"));
        };
        self.watched_attempt(batch, add_test_header).await
    }

    /// Makes one attempt with the same request as a delivery, and returns the endpoint's answer.
    pub async fn deliver(&self, batch: &Batch) -> Trial {
        self.watched_attempt(batch, |_headers| ()).await
    }

    async fn watched_attempt(
        &self,
        batch: &Batch,
        add_headers: impl Fn(&mut HeaderMap) + Send + Sync,
    ) -> Trial {
        let content = request::content(batch, self.signer.as_ref(), self.client.now()).await;
        let content = match content {
            Ok(content) => content,
            Err(error) => return Trial::failed(error),
        };
        let build_request = || {
            let mut request = request::build(&self.endpoint, &self.custom_headers, batch, &content);
            add_headers(request.headers_mut());
            request
        };
        let timeout = self.settings.timeout;
        let exchange = self.client.exchange(build_request, timeout, |_status| true);
        match exchange.await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let head = http::Response::from_parts(head, ());
                Trial {
                    result: answer::judge(&head, self.client.now()),
                    status: Some(head.status().as_u16()),
                    body: self.redacted(body, MAX_BODY_BYTES),
                }
            }
            Err(error) => Trial::failed(error),
        }
    }
}
