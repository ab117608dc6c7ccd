//! Deserialises JSON or a query into a type, with faults that name their place.
//!
//! `Deserialize` reads a type from a [`Tree`]. A [`TreeFault`] has a JSON pointer and a sentence
//! from this module, so that no answer shows the wording of a deserialiser. A tree keeps repeated
//! members, so that the type can reject them.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Number, Value};

/// A JSON document, or the parameters of a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// A value of a query: text, or a number or a boolean that is written as text.
    Parameter(String),
    Array(Vec<Self>),
    /// Members in their original order, with repeated ones.
    Object(Vec<(String, Self)>),
}

/// Why a tree does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeFault {
    /// The JSON pointer to the invalid place.
    pub(crate) pointer: String,
    kind: FaultKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum FaultKind {
    Missing,
    Repeated,
    Unknown {
        known: &'static [&'static str],
    },
    /// What the value must be.
    Wrong(String),
    /// A message of the type itself.
    Custom(String),
}

impl Tree {
    /// Creates a tree from the parameters of a query.
    pub(crate) fn from_query(pairs: Vec<(String, String)>) -> Self {
        let pairs = pairs.into_iter();
        Self::Object(
            pairs
                .map(|(key, value)| (key, Self::Parameter(value)))
                .collect(),
        )
    }

    fn wrong(expected: impl Into<String>) -> TreeFault {
        FaultKind::Wrong(expected.into()).into()
    }

    /// Returns the value as an integer from `min` to `max`.
    fn integer<N: TryFrom<i128>>(&self, min: i128, max: i128) -> Result<N, TreeFault> {
        let number = match self {
            Self::Number(number) => number.as_i128(),
            Self::Parameter(text) => text.parse().ok(),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::Array(_) | Self::Object(_) => None,
        };
        let fault = || Self::wrong(format!("an integer from {min} to {max}"));
        number
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(fault)
    }
}

impl TreeFault {
    /// Returns the fault as a sentence. `root` is the name of the place with an empty pointer.
    pub(crate) fn sentence(&self, root: &str) -> String {
        let place = match self.pointer.as_str() {
            "" => root.to_owned(),
            pointer => format!("`{pointer}`"),
        };
        match &self.kind {
            FaultKind::Missing => format!("{place} is missing."),
            FaultKind::Repeated => format!("{place} occurs more than once."),
            FaultKind::Unknown { known: [] } => format!("{place} is unknown."),
            FaultKind::Unknown { known } => {
                format!("{place} is unknown; expected one of {}.", names(known))
            }
            FaultKind::Wrong(expected) => format!("{place} must be {expected}."),
            FaultKind::Custom(message) => format!("{place}: {message}."),
        }
    }

    /// Returns the same fault, with a pointer from the object or array that has the value under `key`.
    fn within(mut self, key: &str) -> Self {
        let key = key.replace('~', "~0").replace('/', "~1");
        self.pointer = format!("/{key}{}", self.pointer);
        self
    }
}

impl From<FaultKind> for TreeFault {
    fn from(kind: FaultKind) -> Self {
        Self {
            pointer: String::new(),
            kind,
        }
    }
}

impl fmt::Display for TreeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence("the value"))
    }
}

impl std::error::Error for TreeFault {}

fn names(names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

impl Error for TreeFault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        FaultKind::Custom(message.to_string()).into()
    }

    fn invalid_type(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Tree::wrong(expected.to_string())
    }

    fn invalid_value(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Tree::wrong(expected.to_string())
    }

    fn invalid_length(_length: usize, expected: &dyn Expected) -> Self {
        Tree::wrong(expected.to_string())
    }

    fn unknown_variant(_found: &str, known: &'static [&'static str]) -> Self {
        Tree::wrong(format!("one of {}", names(known)))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::from(FaultKind::Unknown { known }).within(name)
    }

    fn missing_field(name: &'static str) -> Self {
        Self::from(FaultKind::Missing).within(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::from(FaultKind::Repeated).within(name)
    }
}

/// Implements the methods for integers, each with the bounds of its type.
macro_rules! integers {
    ($($method:ident, $visit:ident, $number:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
            let (min, max) = (i128::from(<$number>::MIN), i128::from(<$number>::MAX));
            visitor.$visit(self.integer(min, max)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Tree {
    type Error = TreeFault;

    integers! {
        deserialize_u8, visit_u8, u8;
        deserialize_u16, visit_u16, u16;
        deserialize_u32, visit_u32, u32;
        deserialize_u64, visit_u64, u64;
        deserialize_i8, visit_i8, i8;
        deserialize_i16, visit_i16, i16;
        deserialize_i32, visit_i32, i32;
        deserialize_i64, visit_i64, i64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(truth) => visitor.visit_bool(truth),
            Self::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(Self::wrong("a number in the range of a 64-bit float")),
            },
            Self::Text(text) | Self::Parameter(text) => visitor.visit_string(text),
            Self::Array(elements) => visitor.visit_seq(TreeElements::new(elements)),
            Self::Object(members) => visitor.visit_map(TreeMembers::new(members)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
        match self {
            Self::Bool(truth) => visitor.visit_bool(truth),
            Self::Parameter(text) if text == "true" => visitor.visit_bool(true),
            Self::Parameter(text) if text == "false" => visitor.visit_bool(false),
            _ => Err(Self::wrong("`true` or `false`")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
        match self {
            Self::Text(text) | Self::Parameter(text) => visitor.visit_string(text),
            _ => Err(Self::wrong("a string")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, TreeFault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
        match self {
            Self::Array(elements) => visitor.visit_seq(TreeElements::new(elements)),
            _ => Err(Self::wrong("an array")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeFault> {
        match self {
            Self::Object(members) => visitor.visit_map(TreeMembers::new(members)),
            _ => Err(Self::wrong("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeFault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeFault> {
        match self {
            Self::Text(text) | Self::Parameter(text) => {
                visitor.visit_enum(IntoDeserializer::<TreeFault>::into_deserializer(text))
            }
            Self::Object(members) => MapAccessDeserializer::new(TreeMembers::new(members))
                .deserialize_enum(name, variants, visitor),
            _ => Err(Self::wrong(format!("one of {}", names(variants)))),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
        ignored_any
    }
}

/// The elements of an array.
struct TreeElements {
    next: usize,
    rest: std::vec::IntoIter<Tree>,
}

impl TreeElements {
    fn new(elements: Vec<Tree>) -> Self {
        Self {
            next: 0,
            rest: elements.into_iter(),
        }
    }
}

impl<'de> SeqAccess<'de> for TreeElements {
    type Error = TreeFault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, TreeFault> {
        let Some(element) = self.rest.next() else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        let read = seed.deserialize(element);
        read.map(Some)
            .map_err(|fault| fault.within(&index.to_string()))
    }
}

/// The members of an object.
struct TreeMembers {
    rest: std::vec::IntoIter<(String, Tree)>,
    /// The member whose key was read last.
    member: Option<(String, Tree)>,
}

impl TreeMembers {
    fn new(members: Vec<(String, Tree)>) -> Self {
        Self {
            rest: members.into_iter(),
            member: None,
        }
    }
}

impl<'de> MapAccess<'de> for TreeMembers {
    type Error = TreeFault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, TreeFault> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(Tree::Text(key.clone()))?;
        self.member = Some((key, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, TreeFault> {
        let Some((key, value)) = self.member.take() else {
            return Err(TreeFault::custom("a value was read before its key"));
        };
        let read = seed.deserialize(value);
        read.map_err(|fault| fault.within(&key))
    }
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                let members = members.into_iter();
                Self::Object(members.map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Number::from_f64(number).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element()? {
            elements.push(element);
        }
        Ok(Tree::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use easel_subscriptions::Spec;

    use super::*;

    /// Returns the sentence about a JSON text that is not a [`Spec`].
    fn fault(json: &str) -> String {
        let tree: Tree = serde_json::from_str(json).unwrap();
        Spec::deserialize(tree).unwrap_err().sentence("The body")
    }

    #[test]
    fn a_spec_is_read_from_a_tree_as_from_its_text() {
        let json = r#"{"name":"x","events":["a*"],"conditions":{"course":["1"]},"start":7,
            "format":"caliper","in_flight":4,"webhook":{"url":"http://a/","timeout":"5s"}}"#;
        let tree: Tree = serde_json::from_str(json).unwrap();
        let wanted: Spec = serde_json::from_str(json).unwrap();
        assert_eq!(Spec::deserialize(tree), Ok(wanted));
    }

    #[test]
    fn a_fault_names_its_place_in_a_sentence_of_this_module() {
        let spec = |more: &str| format!(r#"{{"name":"x","webhook":{{"url":"http://a"}}{more}}}"#);
        for (json, wanted) in [
            ("7".to_owned(), "The body must be an object."),
            (
                r#"{"name":"x"}"#.to_owned(),
                "The body: exactly one of `webhook`, `sql` and `sqs` is required.",
            ),
            (
                r#"{"name":"x","webhook":{}}"#.to_owned(),
                "`/webhook/url` is missing.",
            ),
            (r#"{"name":7}"#.to_owned(), "`/name` must be a string."),
            (
                spec(r#","events":["a",7]"#),
                "`/events/1` must be a string.",
            ),
            (spec(r#","events":"a""#), "`/events` must be an array."),
            (
                spec(r#","in_flight":"4""#),
                "`/in_flight` must be an integer from 0 to 65535.",
            ),
            (
                spec(r#","in_flight":70000"#),
                "`/in_flight` must be an integer from 0 to 65535.",
            ),
            (
                spec(r#","in_flight":1.5"#),
                "`/in_flight` must be an integer from 0 to 65535.",
            ),
            (
                spec(r#","in_flight":0"#),
                "`/in_flight`: in_flight must be 1 to 256, not 0.",
            ),
            (
                spec(r#","format":"xml""#),
                "`/format` must be one of `canvas`, `caliper`, `caliper-strict`.",
            ),
            (
                spec(r#","start":true"#),
                "`/start` must be `now`, `earliest`, a time or an offset.",
            ),
            (spec(r#","name":"y""#), "`/name` occurs more than once."),
            (
                spec(r#","conditions":{"a/b~":["1"]}"#),
                "`/conditions/a~1b~0` is unknown; expected one of `root_account`, `account`, `course`, \
                 `user`, `producer`, `context_type`, `assignment`, `associated_integration`.",
            ),
        ] {
            assert_eq!(fault(&json), wanted, "{json}");
        }
    }

    #[test]
    fn numbers_of_a_query_are_parsed_from_text() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Wanted {
            limit: Option<u16>,
            event: Option<String>,
        }
        let read = |key: &str, value: &str| {
            let pairs = vec![(key.to_owned(), value.to_owned())];
            Wanted::deserialize(Tree::from_query(pairs))
                .map_err(|fault| fault.sentence("The query"))
        };
        let limit = Some(7);
        assert_eq!(read("limit", "7"), Ok(Wanted { limit, event: None }));
        let event = Some("7".to_owned());
        assert_eq!(read("event", "7"), Ok(Wanted { limit: None, event }));
        let wanted = "`/limit` must be an integer from 0 to 65535.";
        assert_eq!(read("limit", "all"), Err(wanted.to_owned()));
    }
}
