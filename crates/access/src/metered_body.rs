//! A request body whose bytes count against the limit of a token.
//!
//! The size that a request declares is counted at once, so that requests that come together cannot all begin
//! with the same allowance. What did not come is given back at the end. All other bytes are counted as they come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use crate::token_use::TokenUse;

pub(crate) struct MeteredBody {
    body: Body,
    token_use: Arc<TokenUse>,
    /// Bytes that are counted but have not come yet.
    expected: u64,
}

impl MeteredBody {
    pub(crate) fn new(body: Body, token_use: Arc<TokenUse>) -> Self {
        let expected = body.size_hint().exact().unwrap_or_default();
        token_use.meter.charge(expected);
        Self {
            body,
            token_use,
            expected,
        }
    }
}

impl HttpBody for MeteredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
            let unexpected = bytes.saturating_sub(self.expected);
            self.expected = self.expected.saturating_sub(bytes);
            if unexpected > 0 {
                self.token_use.meter.charge(unexpected);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for MeteredBody {
    fn drop(&mut self) {
        if self.expected > 0 {
            self.token_use.meter.refund(self.expected);
        }
    }
}
