//! Ids that are unique over all shards.
//!
//! Canvas spreads its records over databases, the shards. An id that a record has within its shard
//! is local; the global one has the shard's number in front of it: shard × 10¹³ + local id. An
//! installation with a single database has no shards, and its global ids are its local ones.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How many ids a shard has room for.
const IDS_PER_SHARD: u64 = 10_000_000_000_000;

/// An id that is unique over all shards: shard × 10¹³ + local id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalId(u64);

/// Why something is no global id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GlobalIdError {
    /// The local id has more than 13 digits.
    #[error("the local id {local} has more than 13 digits")]
    LocalTooLarge {
        /// The local id.
        local: u64,
    },
    /// The id does not fit into 64 bits.
    #[error("the id of shard {shard} is too large")]
    ShardTooLarge {
        /// The shard.
        shard: u64,
    },
    /// The text is not a number of at most 64 bits, in digits alone.
    #[error("a global id is a number in digits alone")]
    NotDigits,
}

impl GlobalId {
    /// The global id of the record `local` of `shard`.
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

    /// The number of the shard; 0 where there are no shards.
    pub const fn shard(self) -> u64 {
        self.0 / IDS_PER_SHARD
    }

    /// The id within the shard.
    pub const fn local(self) -> u64 {
        self.0 % IDS_PER_SHARD
    }

    /// The id itself.
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
        // A number would also be read with a sign.
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
    fn the_shard_stands_in_front_of_thirteen_digits() {
        let id = GlobalId::new(2107, 565).unwrap();
        assert_eq!(id.to_string(), "21070000000000565");
        assert_eq!((id.shard(), id.local()), (2107, 565));
        assert_eq!("21070000000000565".parse(), Ok(id));
        assert_eq!(GlobalId::new(0, 565).unwrap().get(), 565);
    }

    #[test]
    fn what_would_not_come_back_is_refused() {
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
