//! Blobs: base64 in JSON, byte strings in CBOR.

use std::borrow::Cow;
use std::fmt;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The blob of a call. It borrows from the body, unless it has escapes or comes in parts.
#[derive(Debug)]
pub(super) enum SentBlob<'a> {
    /// A text. It is base64 in CBOR, too.
    Base64(Cow<'a, str>),
    Raw(Cow<'a, [u8]>),
}

impl<'de: 'a, 'a> Deserialize<'de> for SentBlob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = SentBlob<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(SentBlob::Base64(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(SentBlob::Base64(Cow::Owned(text)))
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(SentBlob::Raw(Cow::Borrowed(bytes)))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        Ok(SentBlob::Raw(Cow::Owned(bytes)))
    }
}

/// The blob of an answer.
#[derive(Debug)]
pub(super) struct ShownBlob(pub(super) Bytes);

impl Serialize for ShownBlob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&Base64Display::new(&self.0, &BASE64_STANDARD))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}
