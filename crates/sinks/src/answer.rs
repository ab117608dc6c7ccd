//! The HTTP answer of an endpoint.

use bytes::Bytes;

/// The HTTP answer of an endpoint to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointAnswer {
    /// The status, such as 503.
    pub status: u16,
    /// The first [`MAX_BODY_BYTES`](Self::MAX_BODY_BYTES) of the body if the attempt failed, with `…` for
    /// each secret of the webhook. Empty after a success.
    pub body: Bytes,
}

impl EndpointAnswer {
    /// The maximum bytes that are kept of a body.
    pub const MAX_BODY_BYTES: usize = 4096;
}
