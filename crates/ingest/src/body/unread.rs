//! A body there was no room for.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{BodyError, Decoder, Held};

/// The most bytes looked at, and in memory, at once.
const PIECE: usize = 16 * 1024;

/// A body there was no room for: what was read before that showed, and what is still to come.
pub(crate) struct Unread {
    pub(super) begun: Option<Held>,
    pub(super) rest: Decoder,
    pub(super) max: usize,
    pub(super) hold: Duration,
}

impl Unread {
    /// A body that was read, but there is no room for what it would become.
    pub(crate) fn read(held: Held, max: usize, hold: Duration) -> Self {
        Self {
            begun: Some(held),
            rest: Box::pin(tokio::io::empty()),
            max,
            hold,
        }
    }

    /// Lets the whole body go by, piece by piece, and keeps none of it. The bounds on its size
    /// and on the patience with its sender are those of any body.
    pub(crate) async fn pass(mut self, mut look: impl FnMut(&[u8])) -> Result<(), BodyError> {
        let mut size = 0;
        // Gives back the room of what was begun before waiting for the rest.
        if let Some(Held { bytes, room: _room }) = self.begun.take() {
            size = bytes.len();
            for piece in bytes.chunks(PIECE) {
                look(piece);
                yield_now().await;
            }
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        loop {
            let reading = timeout(self.hold, self.rest.read_buf(&mut piece));
            size += match reading.await.map_err(|_elapsed| BodyError::Stalled)?? {
                0 => return Ok(()),
                read => read,
            };
            if size > self.max {
                return Err(BodyError::TooLarge { max: self.max });
            }
            look(&piece);
            piece.clear();
        }
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").finish_non_exhaustive()
    }
}
