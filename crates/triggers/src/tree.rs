//! JSON read into a tree, but for what is too much of it or says a thing twice.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The most values of a change: a tree takes many times the room of its text.
pub(crate) const MAX_VALUES: usize = 100_000;

/// Reads JSON in which no object has a key twice, and that has at most [`MAX_VALUES`] values.
pub(crate) fn read(json: &[u8]) -> Result<Value, serde_json::Error> {
    let count = Cell::new(0);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let tree = ValueSeed { count: &count }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(tree)
}

#[derive(Clone, Copy)]
struct ValueSeed<'c> {
    count: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count.set(self.count.get() + 1);
        if self.count.get() > MAX_VALUES {
            let what = format_args!("there are more than {MAX_VALUES} values");
            return Err(Error::custom(what));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element_seed(self)? {
            elements.push(element);
        }
        Ok(elements.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            if members.insert(key.clone(), value).is_some() {
                return Err(Error::custom(format_args!(
                    "the key {key:?} is there twice"
                )));
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_once_is_read_as_it_is() {
        let json = r#"{"a":[1,-2,3.5,"\u00e9",null,true],"b":{"a":{}}}"#;
        let tree = read(json.as_bytes()).unwrap();
        assert_eq!(tree, serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn what_is_said_twice_or_too_much_is_not() {
        let said = |json: &str| read(json.as_bytes()).unwrap_err().to_string();
        assert!(said(r#"{"a":1,"a":1}"#).starts_with("the key \"a\" is there twice at line 1"));
        assert!(said(&format!("[{}7]", "7,".repeat(100_000))).starts_with("there are more than"));
        assert!(said("{} {}").starts_with("trailing characters"));
        assert!(said(&"[".repeat(1000)).starts_with("recursion limit exceeded"));
    }
}
