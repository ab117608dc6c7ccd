//! Ids that are unique over all shards.
//!
//! Canvas spreads its rows over several databases, the shards. The id of a row within its shard is the
//! local id. The global id is shard × 10¹³ + local id. An installation with a single database has no
//! shards; its global ids equal its local ids.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The number of ids in a shard.
const IDS_PER_SHARD: u64 = 10_000_000_000_000;

/// An id that is unique over all shards: shard × 10¹³ + local id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalId(u64);

/// The error for an invalid global id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GlobalIdError {
    /// The local id has more than 13 digits.
    #[error("the local id {local} must not have more than 13 digits")]
    LocalTooLarge {
        /// The local id.
        local: u64,
    },
    /// The id does not fit into 64 bits.
    #[error("the global id for shard {shard} would be larger than 64 bits")]
    ShardTooLarge {
        /// The shard.
        shard: u64,
    },
    /// The text is not a 64-bit number of digits only.
    #[error("a global id must be a 64-bit number of digits only")]
    NotDigits,
}

impl GlobalId {
    /// Returns the global id of the row with the id `local` in `shard`.
    pub const fn new(shard: u64, local: u64) -> Result<Self, GlobalIdError> {
        if local >= IDS_PER_SHARD {
            return Err(GlobalIdError::LocalTooLarge { local });
        }
        let Some(base) = shard.checked_mul(IDS_PER_SHARD) else {
            return Err(GlobalIdError::ShardTooLarge { shard });
        };
        match base.checked_add(local) {
            Some(id) => Ok(Self(id)),
            None => Err(GlobalIdError::ShardTooLarge { shard }),
        }
    }

    /// Returns the number of the shard. It is 0 if there are no shards.
    pub const fn shard(self) -> u64 {
        self.0 / IDS_PER_SHARD
    }

    /// Returns the id within the shard.
    pub const fn local(self) -> u64 {
        self.0 % IDS_PER_SHARD
    }

    /// Returns the id as a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for GlobalId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl FromStr for GlobalId {
    type Err = GlobalIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `parse` would also accept a sign.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(GlobalIdError::NotDigits);
        }
        match text.parse() {
            Ok(id) => Ok(Self(id)),
            Err(_empty_or_too_large) => Err(GlobalIdError::NotDigits),
        }
    }
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_id_has_the_shard_before_thirteen_digits() {
        let id = GlobalId::new(2107, 565).unwrap();
        assert_eq!(id.to_string(), "21070000000000565");
        assert_eq!((id.shard(), id.local()), (2107, 565));
        assert_eq!("21070000000000565".parse(), Ok(id));
        assert_eq!(GlobalId::new(0, 565).unwrap().get(), 565);
    }

    #[test]
    fn parts_and_texts_outside_the_range_are_rejected() {
        let local = IDS_PER_SHARD;
        assert_eq!(
            GlobalId::new(1, local),
            Err(GlobalIdError::LocalTooLarge { local })
        );
        let shard = u64::MAX / IDS_PER_SHARD;
        assert!(GlobalId::new(shard, 0).is_ok());
        for (shard, local) in [(shard, IDS_PER_SHARD - 1), (shard + 1, 0)] {
            assert_eq!(
                GlobalId::new(shard, local),
                Err(GlobalIdError::ShardTooLarge { shard })
            );
        }
        for text in ["", "+7", "-7", "7~44", " 7", "99999999999999999999"] {
            assert_eq!(
                text.parse::<GlobalId>(),
                Err(GlobalIdError::NotDigits),
                "{text:?}"
            );
        }
    }
}
