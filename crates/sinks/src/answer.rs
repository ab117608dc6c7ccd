//! What an endpoint answered.

use bytes::Bytes;

/// What an endpoint answered to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointAnswer {
    /// The status, such as 503.
    pub status: u16,
    /// The first [`MAX_BODY_BYTES`](Self::MAX_BODY_BYTES) of the body of a failed attempt; empty
    /// after a success, since nobody looks at it.
    pub body: Bytes,
}

impl EndpointAnswer {
    /// Bytes that are kept of a body.
    pub const MAX_BODY_BYTES: usize = 4096;
}
