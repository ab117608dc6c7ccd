//! The key of the chain: 32 random bytes. The file has them sealed only.
//!
//! Every use has a label of its own, so the MAC of one thing is never the MAC of another thing.

use easel_keys::{SealError, SealedPlace, Sealer, Secret};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::EntryMac;

/// The bytes of the key.
const KEY_BYTES: usize = 32;

/// Where the sealed key is stored.
const PLACE: SealedPlace<'static> = SealedPlace {
    table: "audit.db/chain_key",
    row: "1",
    version: 1,
};

/// What a MAC is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MacUse {
    /// An entry.
    Entry,
    /// The head file.
    Head,
    /// The value of a setting.
    Setting,
}

/// The key of the chain.
#[derive(Clone, Debug)]
pub(crate) struct ChainKey(Secret<Vec<u8>>);

impl ChainKey {
    /// Creates a random key.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(Secret::new(bytes)))
    }

    /// Opens a sealed key.
    pub(crate) fn open(sealer: &Sealer, sealed: &[u8]) -> Result<Self, SealError> {
        sealer.open(PLACE, sealed).map(Self)
    }

    /// Returns the key, sealed for the file.
    pub(crate) fn seal(&self, sealer: &Sealer) -> Result<Vec<u8>, SealError> {
        sealer.seal(PLACE, self.0.expose())
    }

    /// Returns the HMAC-SHA-256 of a message.
    pub(crate) fn mac(&self, purpose: MacUse, message: &[u8]) -> EntryMac {
        let label: &[u8] = match purpose {
            MacUse::Entry => b"easel audit entry\0",
            MacUse::Head => b"easel audit head\0",
            MacUse::Setting => b"easel audit setting\0",
        };
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("a key of any length");
        let mac = mac.chain_update(label).chain_update(message).finalize();
        EntryMac::new(mac.into_bytes().into())
    }
}
