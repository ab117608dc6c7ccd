//! The fields of events whose event type the catalogue does not know.

use easel_catalog::{decode_text, parse_timestamp};

use crate::decimal::Decimal;
use crate::json_text::{Members, storable_text};
use crate::sql_type::SqlType;
use crate::sql_value::is_id_name;

/// The most fields that get a column. All other fields are in the column `extra`. A row of PostgreSQL must fit into
/// a page of 8 KiB, except long values.
const MAX_FIELDS: usize = 150;

/// The longest name of a field that gets a column, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// The fields of the bodies of some events, with the smallest type that holds all their values.
#[derive(Clone, Debug, Default)]
pub struct ObservedFields {
    /// The fields in the order of their first value.
    fields: Vec<(String, SqlType)>,
}

impl ObservedFields {
    /// Adds the fields of an event's body. Null and invalid JSON add nothing.
    pub fn observe(&mut self, event: &[u8]) {
        let Ok(parts) = Members::new(event) else {
            return;
        };
        for part in parts.map_while(Result::ok) {
            if part.raw_key == b"body"
                && let Ok(members) = Members::new(part.value)
            {
                for member in members.map_while(Result::ok) {
                    if let Some(name) = decode_text(member.raw_key) {
                        self.add(&name, member.value);
                    }
                }
            }
        }
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        let is_usable = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains('\0');
        let Some(found) = observed_type(name, value).filter(|_type| is_usable) else {
            return;
        };
        let has_room = self.fields.len() < MAX_FIELDS;
        match self.fields.iter_mut().find(|(known, _type)| known == name) {
            Some((_name, sql_type)) => *sql_type = sql_type.widened(found),
            None if has_room => self.fields.push((name.to_owned(), found)),
            None => (),
        }
    }

    /// Returns the fields and their types.
    pub fn iter(&self) -> impl Iterator<Item = (&str, SqlType)> {
        self.fields
            .iter()
            .map(|(name, sql_type)| (name.as_str(), *sql_type))
    }

    /// Returns true if no field was observed.
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns true if a field with this name was observed.
    pub fn contains(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _type)| known == name)
    }
}

/// Returns the smallest type for one value. `None` for null.
fn observed_type(name: &str, json: &[u8]) -> Option<SqlType> {
    Some(match json.first()? {
        b'n' => return None,
        b't' | b'f' => SqlType::Boolean,
        b'{' | b'[' => SqlType::Json,
        b'"' => match storable_text(json) {
            Some(text) if is_id_name(name) && is_id(&text) => SqlType::BigInt,
            Some(text) if parse_timestamp(&text).is_some() => SqlType::Timestamp,
            _ => SqlType::Text,
        },
        _ => match Decimal::parse(json) {
            Some(decimal) if decimal.to_i64().is_some() => SqlType::BigInt,
            _ => SqlType::Numeric,
        },
    })
}

fn is_id(text: &str) -> bool {
    let is_canonical = text == "0" || !text.starts_with('0');
    is_canonical && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_widened_to_hold_all_values() {
        let mut observed = ObservedFields::default();
        for body in [
            r#"{"n":1,"at":"2026-02-11T08:15:41Z","user_id":"70000000000031","x":null,"m":1}"#,
            r#"{"n":1.5,"at":"yesterday","user_id":"4","y":[],"m":"one"}"#,
        ] {
            observed.observe(format!(r#"{{"metadata":{{"z":1}},"body":{body}}}"#).as_bytes());
        }
        let found: Vec<_> = observed.iter().collect();
        assert_eq!(
            found,
            [
                ("n", SqlType::Numeric),
                ("at", SqlType::Text),
                ("user_id", SqlType::BigInt),
                ("m", SqlType::Json),
                ("y", SqlType::Json),
            ]
        );
        assert!(observed.contains("y") && !observed.contains("x"));
    }

    #[test]
    fn names_that_no_column_can_have_and_too_many_fields_are_left_out() {
        let mut observed = ObservedFields::default();
        let long = "x".repeat(64);
        observed
            .observe(format!(r#"{{"body":{{"":1,"{long}":1,"\u0000":1,"\ud800":1}}}}"#).as_bytes());
        assert_eq!(observed.iter().count(), 0);
        let many: Vec<_> = (0..400).map(|number| format!("\"f{number}\":1")).collect();
        observed.observe(format!(r#"{{"body":{{{}}}}}"#, many.join(",")).as_bytes());
        assert_eq!(observed.iter().count(), MAX_FIELDS);
        observed.observe(b"not JSON");
    }
}
