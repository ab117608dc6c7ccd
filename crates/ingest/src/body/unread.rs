//! A body without room in the budget.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{BodyError, BufferedBody, Decoder};

/// The size of a chunk. Only one chunk is in memory at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// The bytes of a body that were read before the room ran out, and the decoder for the rest.
pub(crate) struct Unread {
    pub(super) buffered: Option<BufferedBody>,
    pub(super) rest: Decoder,
    pub(super) max: usize,
    pub(super) max_wait: Duration,
}

impl Unread {
    /// Wraps a body that was read completely, if there is no room to parse it.
    pub(crate) fn from_buffered(buffered: BufferedBody, max: usize, max_wait: Duration) -> Self {
        Self {
            buffered: Some(buffered),
            rest: Box::pin(tokio::io::empty()),
            max,
            max_wait,
        }
    }

    /// Reads the whole body in chunks, calls `on_chunk` for each and keeps none. The limits on the
    /// size and on the pauses of the sender are the same as for any body.
    pub(crate) async fn drain(mut self, mut on_chunk: impl FnMut(&[u8])) -> Result<(), BodyError> {
        let mut size = 0;
        // Before this waits for the rest, it gives back the room of the bytes that were read.
        if let Some(BufferedBody { bytes, room: _room }) = self.buffered.take() {
            size = bytes.len();
            for chunk in bytes.chunks(CHUNK_BYTES) {
                on_chunk(chunk);
                yield_now().await;
            }
        }
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        loop {
            let reading = timeout(self.max_wait, self.rest.read_buf(&mut chunk));
            size += match reading.await.map_err(|_elapsed| BodyError::Stalled)?? {
                0 => return Ok(()),
                read_bytes => read_bytes,
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
