//! Encrypts secrets for the disk, and decrypts them.
//!
//! A sealed secret is `format (1 byte) | id of the data key (4 bytes) | nonce (24 bytes) | ciphertext
//! and tag`, with XChaCha20-Poly1305. Its associated data is the format, the id and the
//! [`SealedPlace`]. So a sealed secret that was moved to another row, or that replaces a later version
//! of the same row, cannot be opened.
//!
//! Data keys encrypt the secrets, and the master key encrypts the data keys. After a rotation, secrets
//! under older data keys can still be opened until they are sealed again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(feature = "store")]
use chacha20poly1305::Key;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use thiserror::Error;

#[cfg(feature = "store")]
use crate::MasterKey;
use crate::Secret;

/// The format of sealed secrets.
const FORMAT: u8 = 1;
/// The bytes of a data key.
const KEY_BYTES: usize = 32;
/// The bytes of a nonce. Random nonces of this length do not repeat.
const NONCE_BYTES: usize = 24;

/// Where a sealed secret is stored, and the version of its row.
#[derive(Clone, Copy, Debug)]
pub struct SealedPlace<'a> {
    /// The data file and its table, such as `state.db/subscriptions`.
    pub table: &'a str,
    /// The row, unique and never reused in its table.
    pub row: &'a str,
    /// The version of the row.
    pub version: u64,
}

/// Encrypts and decrypts secrets with data keys.
pub struct Sealer {
    data_keys: RwLock<DataKeys>,
}

/// Data keys by id. The key with the greatest id is the current one.
type DataKeys = BTreeMap<u32, XChaCha20Poly1305>;

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The operating system returned no random bytes.
    #[error("seal a secret: the operating system returned no random bytes")]
    Random,
    /// There is no data key.
    #[error("seal a secret: there is no data key")]
    NoKey,
    /// The bytes are not a sealed secret of a known format.
    #[error("open a sealed secret: its format is unknown")]
    Format,
    /// The data key of the secret is not known.
    #[error("open a sealed secret: its data key {id} is missing")]
    UnknownKey {
        /// The id of the data key.
        id: u32,
    },
    /// The secret was changed, moved or exchanged.
    #[error("open a sealed secret: it was changed, or it belongs to another place or version")]
    Altered,
}

impl Sealer {
    /// Creates a sealer without data keys.
    pub(crate) fn new() -> Self {
        Self {
            data_keys: RwLock::default(),
        }
    }

    /// Creates a sealer with one random data key, which is stored nowhere.
    ///
    /// # Errors
    ///
    /// Fails if the operating system returns no random bytes.
    pub fn ephemeral() -> Result<Self, SealError> {
        let sealer = Self::new();
        sealer.add(1, &random_data_key()?)?;
        Ok(sealer)
    }

    /// Encrypts a secret for a place.
    ///
    /// # Errors
    ///
    /// Fails if there is no data key, or if the operating system returns no random bytes.
    pub fn seal(&self, place: SealedPlace<'_>, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let keys = self.read();
        let (id, key) = keys.last_key_value().ok_or(SealError::NoKey)?;
        seal_with(key, *id, place, secret)
    }

    /// Decrypts a secret of a place.
    ///
    /// # Errors
    ///
    /// Fails if the secret was changed, moved or exchanged, or if its data key is not known.
    pub fn open(
        &self,
        place: SealedPlace<'_>,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, SealError> {
        let id = key_id(sealed).ok_or(SealError::Format)?;
        let keys = self.read();
        let key = keys.get(&id).ok_or(SealError::UnknownKey { id })?;
        open_with(key, place, sealed)
    }

    /// Returns the id of the data key that sealed these bytes; `None` if they have no known format.
    pub fn data_key_of(sealed: &[u8]) -> Option<u32> {
        key_id(sealed)
    }

    /// Returns true if the current data key sealed these bytes.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        let keys = self.read();
        let current = keys.last_key_value().map(|(id, _key)| *id);
        current.is_some() && key_id(sealed) == current
    }

    /// Adds a data key. The key with the greatest id is the current one. Fails if the key has another length.
    pub(crate) fn add(&self, id: u32, data_key: &Secret<Vec<u8>>) -> Result<(), SealError> {
        let key = XChaCha20Poly1305::new_from_slice(data_key.expose());
        let key = key.map_err(|_other_length| SealError::Format)?;
        let mut keys = self.write();
        keys.insert(id, key);
        Ok(())
    }

    /// Removes all data keys except the current one.
    #[cfg(feature = "store")]
    pub(crate) fn forget_older(&self) {
        let mut keys = self.write();
        while keys.len() > 1 {
            keys.pop_first();
        }
    }

    // A panic under this lock leaves all data keys valid, so a poisoned lock is ignored.
    fn read(&self) -> RwLockReadGuard<'_, DataKeys> {
        self.data_keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, DataKeys> {
        self.data_keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.read();
        let ids: Vec<_> = keys.keys().collect();
        f.debug_struct("Sealer").field("data_keys", &ids).finish()
    }
}

/// Returns a random data key.
pub(crate) fn random_data_key() -> Result<Secret<Vec<u8>>, SealError> {
    let mut bytes = vec![0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_no_random| SealError::Random)?;
    Ok(Secret::new(bytes))
}

/// Encrypts a data key with the master key.
#[cfg(feature = "store")]
pub(crate) fn wrap(
    master: &MasterKey,
    id: u32,
    data_key: &Secret<Vec<u8>>,
) -> Result<Vec<u8>, SealError> {
    let key = XChaCha20Poly1305::new(Key::from_slice(master.bytes()));
    seal_with(&key, id, wrapped_place(&id.to_string()), data_key.expose())
}

/// Decrypts a data key with the master key.
#[cfg(feature = "store")]
pub(crate) fn unwrap(
    master: &MasterKey,
    id: u32,
    wrapped: &[u8],
) -> Result<Secret<Vec<u8>>, SealError> {
    let key = XChaCha20Poly1305::new(Key::from_slice(master.bytes()));
    open_with(&key, wrapped_place(&id.to_string()), wrapped)
}

#[cfg(feature = "store")]
const fn wrapped_place(row: &str) -> SealedPlace<'_> {
    SealedPlace {
        table: "keys.db/data_keys",
        row,
        version: 1,
    }
}

fn seal_with(
    key: &XChaCha20Poly1305,
    id: u32,
    place: SealedPlace<'_>,
    secret: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_no_random| SealError::Random)?;
    let payload = Payload {
        msg: secret,
        aad: &associated_data(id, place),
    };
    // Encryption fails only for a secret of many gigabytes.
    let ciphertext = key.encrypt(XNonce::from_slice(&nonce), payload);
    let mut ciphertext = ciphertext.map_err(|_too_long| SealError::Format)?;
    let mut sealed = vec![FORMAT];
    sealed.extend_from_slice(&id.to_be_bytes());
    sealed.extend_from_slice(&nonce);
    sealed.append(&mut ciphertext);
    Ok(sealed)
}

fn open_with(
    key: &XChaCha20Poly1305,
    place: SealedPlace<'_>,
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, SealError> {
    let id = key_id(sealed).ok_or(SealError::Format)?;
    let rest = sealed.get(5..).ok_or(SealError::Format)?;
    let (nonce, ciphertext) = rest
        .split_at_checked(NONCE_BYTES)
        .ok_or(SealError::Format)?;
    let payload = Payload {
        msg: ciphertext,
        aad: &associated_data(id, place),
    };
    let opened = key.decrypt(XNonce::from_slice(nonce), payload);
    opened
        .map(Secret::new)
        .map_err(|_wrong_tag| SealError::Altered)
}

/// Returns the id of the data key of a sealed secret.
fn key_id(sealed: &[u8]) -> Option<u32> {
    let id = sealed.strip_prefix(&[FORMAT])?.first_chunk()?;
    Some(u32::from_be_bytes(*id))
}

/// Returns bytes that are different for every format, data key, place and version.
fn associated_data(id: u32, place: SealedPlace<'_>) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&place.version.to_be_bytes());
    // The lengths separate the two texts.
    for text in [place.table, place.row] {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(all(test, feature = "store"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: SealedPlace<'static> = SealedPlace {
        table: "state.db/subscriptions",
        row: "7",
        version: 3,
    };

    #[test]
    fn a_sealed_secret_can_be_opened_only_at_its_place() {
        let sealer = Sealer::ephemeral().unwrap();
        let sealed = sealer.seal(PLACE, b"hunter2").unwrap();
        let opened = sealer.open(PLACE, &sealed).unwrap();
        assert_eq!(opened.expose(), b"hunter2");
        let others = [
            SealedPlace { row: "8", ..PLACE },
            SealedPlace {
                version: 2,
                ..PLACE
            },
            SealedPlace {
                table: "keys.db/signing_keys",
                ..PLACE
            },
            // The texts together are the same.
            SealedPlace {
                table: "state.db/subscription",
                row: "s7",
                version: 3,
            },
        ];
        for other in others {
            assert_eq!(
                sealer.open(other, &sealed),
                Err(SealError::Altered),
                "{other:?}"
            );
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        let sealer = Sealer::ephemeral().unwrap();
        let [first, second] = [(); 2].map(|()| sealer.seal(PLACE, b"hunter2").unwrap());
        assert_ne!(first, second);
    }

    #[test]
    fn an_older_data_key_opens_its_secrets_until_it_is_forgotten() {
        let sealer = Sealer::ephemeral().unwrap();
        let old = sealer.seal(PLACE, b"hunter2").unwrap();
        sealer.add(2, &random_data_key().unwrap()).unwrap();
        assert!(!sealer.is_current(&old));
        assert_eq!(sealer.open(PLACE, &old).unwrap().expose(), b"hunter2");
        let new = sealer.seal(PLACE, b"hunter2").unwrap();
        assert!(sealer.is_current(&new));
        sealer.forget_older();
        assert_eq!(
            sealer.open(PLACE, &old),
            Err(SealError::UnknownKey { id: 1 })
        );
        assert_eq!(sealer.open(PLACE, &new).unwrap().expose(), b"hunter2");
    }

    #[test]
    fn only_its_master_key_opens_a_data_key() {
        let [master, other] = [(); 2].map(|()| MasterKey::generate().unwrap());
        let data_key = random_data_key().unwrap();
        let wrapped = wrap(&master, 4, &data_key).unwrap();
        assert_eq!(unwrap(&master, 4, &wrapped), Ok(data_key));
        assert_eq!(unwrap(&master, 5, &wrapped), Err(SealError::Altered));
        assert_eq!(unwrap(&other, 4, &wrapped), Err(SealError::Altered));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_found(secret: Vec<u8>, at: prop::sample::Index, change in 1..=u8::MAX) {
            let sealer = Sealer::ephemeral().unwrap();
            let mut sealed = sealer.seal(PLACE, &secret).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= change;
            prop_assert!(sealer.open(PLACE, &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(sealed: Vec<u8>) {
            let sealer = Sealer::ephemeral().unwrap();
            prop_assert!(sealer.open(PLACE, &sealed).is_err());
        }
    }
}
