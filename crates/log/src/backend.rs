//! The parts a backend is made of.
//!
//! Every backend builds its blocks, writes them down, knows duplicates, trims, keeps blocks in
//! memory, tells of damage and counts in the same way; only where the bytes lie differs. Readers
//! of a log need none of this.
//!
//! An append goes: [`check_sizes`](crate::AppendError::check_sizes), [`stamp`],
//! [`BlockBuilder::new`], [`DuplicateWindow::admit`], [`BlockBuilder::finish`], [`encode`], then
//! the commit, then [`committed`]. A read goes: [`HeaderColumns::verify`], [`decode`].

pub use crate::block::{BlockBuilder, MAX_BYTES, MAX_RECORDS};
pub use crate::cache::{PastBlocks, RecentBlocks};
pub use crate::clock::stamp;
pub use crate::codec::{
    BlockHeader, Encoded, HeaderColumns, Sum, column, decode, decode_ids, encode, sum,
};
pub use crate::damage::{Damage, DamageReport};
pub use crate::metrics::{committed, damaged, describe, duplicates};
pub use crate::retention::Trim;
pub use crate::window::DuplicateWindow;
