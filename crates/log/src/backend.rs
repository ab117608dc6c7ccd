//! The parts that backends share.
//!
//! Backends differ only in where they store the bytes. They share the code that builds and encodes
//! blocks, finds duplicates, trims, caches blocks, reports damage and counts. Readers of a log need
//! none of this.
//!
//! The steps of an append: [`check_sizes`](crate::AppendError::check_sizes), [`stamp`],
//! [`BlockBuilder::new`], [`DuplicateWindow::admit`], [`BlockBuilder::finish`], [`encode`], the
//! commit, [`count_commit`]. The steps of a read: [`HeaderColumns::verify`], [`decode`].

pub use crate::block::{BlockBuilder, MAX_BYTES, MAX_RECORDS};
pub use crate::cache::{PastBlocks, RecentBlocks};
pub use crate::clock::stamp;
pub use crate::codec::{
    BlockHeader, Digest, EncodedBlock, HeaderColumns, decode, decode_ids, digest, encode, to_sql,
};
pub use crate::damage::{Damage, DamageReport};
pub use crate::metrics::{count_commit, count_damaged, count_duplicates, describe_metrics};
pub use crate::retention::Trim;
pub use crate::window::DuplicateWindow;
