//! The MAC of an entry: 32 bytes, as text 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The bytes of a MAC.
const MAC_BYTES: usize = 32;

/// The MAC of an entry. Only the key of the audit can create it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryMac([u8; MAC_BYTES]);

/// The error for a text that is not a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a MAC must have 64 hexadecimal digits")]
pub struct EntryMacError;

impl EntryMac {
    /// What the first entry has in place of the MAC of the entry before it.
    pub const NONE: Self = Self([0; MAC_BYTES]);

    pub(crate) const fn new(bytes: [u8; MAC_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for EntryMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EntryMac {
    type Err = EntryMacError;

    fn from_str(text: &str) -> Result<Self, EntryMacError> {
        if text.len() != 2 * MAC_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EntryMacError);
        }
        let mut mac = [0; MAC_BYTES];
        for (byte, digits) in mac.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_not_ascii| EntryMacError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_not_hexadecimal| EntryMacError)?;
        }
        Ok(Self(mac))
    }
}
