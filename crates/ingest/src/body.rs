//! Reads the body of a request into memory, within limits.
//!
//! The size limit and the reserved room are for the decoded body. So a compressed body is never
//! inflated past the limit, and its compressed form is never in memory as a whole. The room covers
//! the capacity of the buffer, not only the bytes in it. Reading fails if the sender pauses for longer
//! than `max_wait`. If there is no room, the caller gets the rest of the body as [`Unread`].

mod unread;

use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::BufMut;
use futures::TryStreamExt;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::io::StreamReader;

use crate::budget::{Budget, NoRoom, Reservation};

pub(crate) use unread::Unread;

/// The widest zstd window decoded, as a power of two: 8 MiB, the limit RFC 9659 sets for HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// The first capacity of a buffer that grows.
const FIRST_CAPACITY: usize = 64 * 1024;

/// The most memory that a decoder takes for itself.
pub(crate) const MAX_DECODER_BYTES: usize = 1 << ZSTD_WINDOW_LOG;

/// A stream of the decoded bytes of a body.
type Decoder = Pin<Box<dyn AsyncRead + Send>>;

/// A body in memory, with its room in the budget.
#[derive(Debug)]
pub(crate) struct BufferedBody {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Reservation,
}

impl BufferedBody {
    /// Reserves room for `extra_bytes` in addition to the body. Fails immediately if there is no room.
    pub(crate) fn make_room(&mut self, extra_bytes: usize) -> Result<(), Shortage> {
        let bytes = self.bytes.capacity().saturating_add(extra_bytes);
        self.room
            .try_grow_to(bytes)
            .map_err(|NoRoom| Shortage { bytes })
    }

    /// Returns the size of the room that the body does not use.
    pub(crate) fn spare_bytes(&self) -> usize {
        self.room.bytes().saturating_sub(self.bytes.capacity())
    }
}

/// An error: there is not enough room now. The body needs `bytes` in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    pub(crate) bytes: usize,
}

/// The content encoding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// Reads the content encoding from `headers`. `None` if it is not supported.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let Some(coding) = codings.next() else {
            return Some(Self::Identity);
        };
        let coding = coding.to_str().ok()?.trim().to_ascii_lowercase();
        match (coding.as_str(), codings.next()) {
            ("" | "identity", None) => Some(Self::Identity),
            ("gzip" | "x-gzip", None) => Some(Self::Gzip),
            ("zstd", None) => Some(Self::Zstd),
            _ => None,
        }
    }

    fn decoder(self, body: Body) -> Decoder {
        let raw = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
        match self {
            Self::Identity => Box::pin(raw),
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(raw);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Self::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                let mut decoder = ZstdDecoder::with_params(raw, &[window]);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
        }
    }

    const fn decoder_bytes(self) -> usize {
        match self {
            Self::Identity => 0,
            Self::Gzip => 48 * 1024,
            Self::Zstd => MAX_DECODER_BYTES,
        }
    }
}

/// Reads `body`, at most `max` decoded bytes. Waits at most `max_wait` for room, and at most
/// `max_wait` for each read from the sender.
pub(crate) async fn read(
    body: Body,
    coding: Coding,
    max: usize,
    budget: &Budget,
    max_wait: Duration,
) -> Result<BufferedBody, BodyError> {
    let declared_size = body
        .size_hint()
        .exact()
        .map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    if declared_size.is_some_and(|size| size > max) {
        return Err(BodyError::TooLarge { max });
    }
    // One byte more than declared, so that the read after the last byte finds the end.
    let capacity = declared_size.map_or(FIRST_CAPACITY, |size| size + 1);
    let capacity = std::cmp::min(capacity, max.saturating_add(1));
    let decoder_bytes = coding.decoder_bytes();
    let no_room = |buffered, rest| BodyError::NoRoom {
        unread: Box::new(Unread {
            buffered,
            rest,
            max,
            max_wait,
        }),
    };
    let mut room = match budget.reserve(decoder_bytes + capacity, max_wait).await {
        Ok(room) => room,
        Err(NoRoom) => return Err(no_room(None, coding.decoder(body))),
    };
    let mut decoder = coding.decoder(body);
    let mut bytes = Vec::with_capacity(capacity);
    loop {
        if bytes.len() == bytes.capacity() {
            let capacity = std::cmp::max(2 * bytes.capacity(), FIRST_CAPACITY);
            let capacity = std::cmp::min(capacity, max.saturating_add(1));
            if let Err(NoRoom) = room.grow_to(decoder_bytes + capacity).await {
                return Err(no_room(Some(BufferedBody { bytes, room }), decoder));
            }
            bytes.reserve_exact(capacity - bytes.len());
        }
        let free = bytes.capacity() - bytes.len();
        let mut free = (&mut bytes).limit(free);
        let reading = timeout(max_wait, decoder.read_buf(&mut free));
        if reading.await.map_err(|_elapsed| BodyError::Stalled)?? == 0 {
            break;
        }
        if bytes.len() > max {
            return Err(BodyError::TooLarge { max });
        }
        if coding != Coding::Identity {
            // A small body can inflate for a long time without waiting for its sender.
            yield_now().await;
        }
    }
    drop(decoder);
    room.shrink_to(bytes.capacity());
    Ok(BufferedBody { bytes, room })
}

/// An error while reading a body.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {max} bytes")]
    TooLarge { max: usize },
    #[error("the parsed body would be too large; send less in one request")]
    TooComplex,
    #[error("the server has no free memory for the body now")]
    NoRoom { unread: Box<Unread> },
    #[error("the sender paused for too long within the body")]
    Stalled,
    #[error("the body cannot be read: {source}")]
    Broken {
        #[from]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
