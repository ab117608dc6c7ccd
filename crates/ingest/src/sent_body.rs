//! A response that keeps its room in the budget until it is sent.
//!
//! The response about many events is large, and a client can be slow to read it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;

use crate::budget::Reservation;

/// Smaller responses give back their room immediately: they fit into the socket's buffer.
const SMALL: u64 = 64 * 1024;

/// Keeps `room` until `response` is sent. Gives back the part that the response does not need now.
pub(crate) fn keep_until_sent(mut room: Reservation, response: Response) -> Response {
    let size = response.body().size_hint().lower();
    if size < SMALL {
        return response;
    }
    // A buffer that grew by doubling can have twice the capacity of its content.
    room.shrink_to(usize::try_from(size.saturating_mul(2)).unwrap_or(usize::MAX));
    response.map(|body| Body::new(SentBody { body, _room: room }))
}

struct SentBody {
    body: Body,
    _room: Reservation,
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
