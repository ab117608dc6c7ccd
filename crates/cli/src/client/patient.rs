//! Requests that are sent again while the server is busy or away.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use super::{Client, TIMEOUT, refusal};
use crate::exit_code::{Code, Failure, OrExit as _};

/// The first pause after a lost connection. The pauses double up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a request is sent again.
#[derive(Debug)]
pub(crate) struct Patience {
    end: Instant,
    pause: Duration,
}

impl Patience {
    /// Creates a patience that ends after `max_wait`.
    pub(crate) fn new(max_wait: Duration) -> Self {
        Self {
            end: Instant::now() + max_wait,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits before the next attempt. Returns false if the time is over.
    async fn wait(&mut self, wanted: Option<Duration>) -> bool {
        let pause = wanted.unwrap_or(self.pause);
        self.pause = std::cmp::min(2 * self.pause, LONGEST_PAUSE);
        if Instant::now() + pause > self.end {
            return false;
        }
        sleep(pause).await;
        true
    }
}

impl Client {
    /// Posts a body. A request that is safe to send again is sent again while the server is busy or away.
    pub(crate) async fn post_patiently(
        &self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
        mut patience: Patience,
    ) -> Result<Bytes, Failure> {
        loop {
            let mut request = self.request(Method::POST, path, None)?;
            let content_type = HeaderValue::from_static(content_type);
            request.headers_mut().insert(CONTENT_TYPE, content_type);
            *request.body_mut() = Full::new(body.clone());
            let (failure, wanted) = match self.send(request).await {
                Ok(response) if response.status().is_success() => {
                    let body = tokio::time::timeout(TIMEOUT, response.into_body().collect());
                    match body.await.or_exit(Code::Unavailable)? {
                        Ok(body) => return Ok(body.to_bytes()),
                        Err(error) => (Failure::new(Code::Unavailable, error), None),
                    }
                }
                Ok(response) if is_busy(response.status()) => {
                    let wanted = retry_after(&response);
                    (refusal(response).await, wanted)
                }
                Ok(response) => return Err(refusal(response).await),
                Err(failure) => (failure, None),
            };
            if !patience.wait(wanted).await {
                return Err(failure);
            }
        }
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}
