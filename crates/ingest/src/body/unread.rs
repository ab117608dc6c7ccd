//! A body without room in the budget.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{BodyError, Decoder, Held};

/// The size of a chunk. Only one chunk is in memory at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// A body without room in the budget: the bytes that were read, and the decoder for the rest.
pub(crate) struct Unread {
    pub(super) begun: Option<Held>,
    pub(super) rest: Decoder,
    pub(super) max: usize,
    pub(super) hold: Duration,
}

impl Unread {
    /// Wraps a complete body, if there is no room to parse it.
    pub(crate) fn read(held: Held, max: usize, hold: Duration) -> Self {
        Self {
            begun: Some(held),
            rest: Box::pin(tokio::io::empty()),
            max,
            hold,
        }
    }

    /// Reads the whole body in chunks, calls `on_chunk` for each and keeps none. The limits on the
    /// size and on the pauses of the sender are the same as for any body.
    pub(crate) async fn drain(mut self, mut on_chunk: impl FnMut(&[u8])) -> Result<(), BodyError> {
        let mut size = 0;
        // Gives back the room of the bytes that were read before it waits for the rest.
        if let Some(Held { bytes, room: _room }) = self.begun.take() {
            size = bytes.len();
            for chunk in bytes.chunks(CHUNK_BYTES) {
                on_chunk(chunk);
                yield_now().await;
            }
        }
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        loop {
            let reading = timeout(self.hold, self.rest.read_buf(&mut chunk));
            size += match reading.await.map_err(|_elapsed| BodyError::Stalled)?? {
                0 => return Ok(()),
                read => read,
            };
            if size > self.max {
                return Err(BodyError::TooLarge { max: self.max });
            }
            on_chunk(&chunk);
            chunk.clear();
        }
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").finish_non_exhaustive()
    }
}
