//! Converts items to values with serde.

use std::borrow::Cow;

use ciborium_ll::{Header, simple};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::CborError;
use super::reader::CborReader;

/// The first bytes of `null` and `undefined`.
const NO_VALUE: [u8; 2] = [0xf6, 0xf7];

impl<'de> Deserializer<'de> for &mut CborReader<'de> {
    type Error = CborError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CborError> {
        match self.head()? {
            Header::Positive(number) => visitor.visit_u64(number),
            Header::Negative(below_zero) => match i64::try_from(below_zero) {
                Ok(below_zero) => visitor.visit_i64(-1 - below_zero),
                Err(_too_low) => Err(self.error("a number is too low")),
            },
            Header::Float(number) => visitor.visit_f64(number),
            Header::Simple(simple::FALSE) => visitor.visit_bool(false),
            Header::Simple(simple::TRUE) => visitor.visit_bool(true),
            Header::Simple(simple::NULL | simple::UNDEFINED) => visitor.visit_unit(),
            Header::Simple(_) => Err(self.error("an item has an unknown simple value")),
            Header::Break => Err(self.unexpected_break()),
            Header::Bytes(length) => match self.bytes(length)? {
                Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
                Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
            },
            Header::Text(length) => match self.text(length)? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Header::Tag(_) => self.nested(|reader| reader.deserialize_any(visitor)),
            Header::Array(left) => {
                self.nested(|reader| visitor.visit_seq(CborItems { reader, left }))
            }
            Header::Map(left) => {
                self.nested(|reader| visitor.visit_map(CborItems { reader, left }))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CborError> {
        if self.peek().is_some_and(|first| NO_VALUE.contains(&first)) {
            self.head()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CborError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CborError> {
        match self.head()? {
            Header::Map(left) => {
                self.nested(|reader| visitor.visit_map(CborItems { reader, left }))
            }
            Header::Tag(_) => {
                self.nested(|reader| reader.deserialize_struct(name, members, visitor))
            }
            _ => Err(self.error("a map is missing")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CborError> {
        match self.head()? {
            Header::Text(length) => visitor.visit_str(&self.text(length)?),
            _ => Err(self.error("the name of a member is not a text")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CborError> {
        self.skip_item()?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum
    }
}

/// The items of an array, or the pairs of a map.
struct CborItems<'r, 'de> {
    reader: &'r mut CborReader<'de>,
    left: Option<usize>,
}

impl<'de> SeqAccess<'de> for CborItems<'_, 'de> {
    type Error = CborError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, CborError> {
        if !self.reader.has_next(&mut self.left) {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for CborItems<'_, 'de> {
    type Error = CborError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CborError> {
        if !self.reader.has_next(&mut self.left) {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, CborError> {
        seed.deserialize(&mut *self.reader)
    }
}
