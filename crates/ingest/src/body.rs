//! A request's body, read into memory within bounds.
//!
//! The bound is on what comes out of the decoder, and so is the room taken for it: a compressed
//! body is never inflated past the bound, and its compressed form is never in memory as a whole.
//! A sender who pauses for longer than the hold is given up. A body that finds no room is handed
//! back, [`Unread`], to whoever wants to know more of it than that.

mod unread;

use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::{BufMut, Bytes, BytesMut};
use futures::TryStreamExt;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use tokio_util::io::StreamReader;

use crate::budget::{Budget, NoRoom, Room};

pub(crate) use unread::Unread;

/// The widest zstd window decoded, as a power of two: 8 MiB, the limit RFC 9659 sets for HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a decoder takes for itself at most.
pub(crate) const MAX_DECODER_BYTES: usize = 1 << ZSTD_WINDOW_LOG;

/// What a body comes out of, decoded.
type Decoder = Pin<Box<dyn AsyncRead + Send>>;

/// A body in memory, and the room it takes.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) room: Room,
}

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// The coding that `headers` name; `None` when it is none of ours.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
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

/// Reads `body`, at most `max` bytes of it once decoded. Waits for room at most for `hold`, and
/// for the sender to go on at most for `hold` every time.
pub(crate) async fn read(
    body: Body,
    coding: Coding,
    max: usize,
    budget: &Budget,
    hold: Duration,
) -> Result<Held, BodyError> {
    let told = body
        .size_hint()
        .exact()
        .map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    if told.is_some_and(|size| size > max) {
        return Err(BodyError::TooLarge { max });
    }
    // One byte more than told is what it takes to see the end.
    let told = told.unwrap_or(0) + 1;
    let own = coding.decoder_bytes();
    let no_room = |begun, rest| BodyError::NoRoom {
        unread: Box::new(Unread {
            begun,
            rest,
            max,
            hold,
        }),
    };
    let mut room = match budget.reserve(own + told, Instant::now() + hold).await {
        Ok(room) => room,
        Err(NoRoom) => return Err(no_room(None, coding.decoder(body))),
    };
    let mut decoder = coding.decoder(body);
    let mut bytes = BytesMut::with_capacity(told);
    loop {
        if let Err(NoRoom) = room.grow_to(own + bytes.len() + 1).await {
            let bytes = bytes.freeze();
            return Err(no_room(Some(Held { bytes, room }), decoder));
        }
        let free = std::cmp::min(room.bytes() - own, max.saturating_add(1)) - bytes.len();
        let mut free = (&mut bytes).limit(free);
        let reading = timeout(hold, decoder.read_buf(&mut free));
        if reading.await.map_err(|_elapsed| BodyError::Stalled)?? == 0 {
            break;
        }
        if bytes.len() > max {
            return Err(BodyError::TooLarge { max });
        }
        if coding != Coding::Identity {
            // A small body can inflate for long without ever waiting for its sender.
            yield_now().await;
        }
    }
    drop(decoder);
    room.shrink_to(bytes.len());
    Ok(Held {
        bytes: bytes.freeze(),
        room,
    })
}

/// Why a body was not read.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {max} bytes")]
    TooLarge { max: usize },
    #[error("there is no room for the body now")]
    NoRoom { unread: Box<Unread> },
    #[error("the body stopped coming")]
    Stalled,
    #[error("the body is broken: {source}")]
    Broken {
        #[from]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
