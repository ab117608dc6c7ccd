//! The column `extra`: what the other columns of a row do not hold.
//!
//! It is NULL, or a JSON object:
//!
//! - Unknown fields of the body are members at the top level, under their own names.
//! - `_metadata` has the unknown fields of the metadata.
//! - `_event` has the members of the event beside metadata and body.
//! - `_mismatch` has the values that do not fit into their columns, by JSON Pointer, such as
//!   `/body/score`. The column is then NULL, or it has the value with less precision.
//!
//! A JSON column cannot hold every JSON value. A value with `\u0000`, an unpaired surrogate, a repeated
//! key, or an extreme number or nesting is under `_mismatch` as `{"base64": …}`, which encodes its JSON.
//! A value that itself has this form is encoded too. Members whose key cannot be stored, or appears a
//! second time, are encoded together, as one object: under `/body`, `/metadata` or the empty pointer.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use easel_catalog::decode_text;

use crate::json_text::{Member, Members, is_storable_json, push_json_string};

/// The names of the members that are not fields of the body.
const METADATA: &str = "_metadata";
const EVENT: &str = "_event";
const MISMATCH: &str = "_mismatch";

/// The part of an event that a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventPart {
    /// The metadata.
    Metadata,
    /// The body.
    Body,
    /// The event itself.
    Whole,
}

/// Builds the value of the column `extra`.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// The members of each part that are unknown, as JSON with a comma after each.
    metadata: Vec<u8>,
    body: Vec<u8>,
    event: Vec<u8>,
    mismatches: Vec<u8>,
    mismatch_count: u64,
    /// Members of each part that no JSON column can hold.
    odd_members: [Vec<u8>; 3],
    /// The unknown keys so far.
    keys: HashSet<(u8, String)>,
}

impl EventPart {
    const ALL: [Self; 3] = [Self::Metadata, Self::Body, Self::Whole];

    const fn pointer(self) -> &'static str {
        match self {
            Self::Metadata => "/metadata",
            Self::Body => "/body",
            Self::Whole => "",
        }
    }

    /// Returns true if the column `extra` uses this key itself.
    fn is_reserved(self, key: &str) -> bool {
        self == Self::Body && [METADATA, EVENT, MISMATCH].contains(&key)
    }
}

impl Extra {
    /// Adds a member that has no column.
    pub(crate) fn add_unknown(&mut self, part: EventPart, member: Member<'_>) {
        let Some(key) = decode_text(member.raw_key).filter(|key| !key.contains('\0')) else {
            self.add_odd(part, member);
            return;
        };
        if !self.keys.insert((part as u8, key.clone().into_owned())) {
            self.add_odd(part, member);
        } else if part.is_reserved(&key) || !is_storable_json(member.value) {
            self.push_mismatch(part, &key, member.value);
        } else {
            let out = match part {
                EventPart::Metadata => &mut self.metadata,
                EventPart::Body => &mut self.body,
                EventPart::Whole => &mut self.event,
            };
            out.extend_from_slice(member.whole);
            out.push(b',');
        }
    }

    /// Adds a member whose value does not fit into its column.
    pub(crate) fn add_mismatch(&mut self, part: EventPart, key: &str, member: Member<'_>) {
        if self.keys.insert((part as u8, key.to_owned())) {
            self.push_mismatch(part, key, member.value);
        } else {
            self.add_odd(part, member);
        }
    }

    /// Adds a member whose column already has a value from an earlier member with the same key.
    pub(crate) fn add_repeated(&mut self, part: EventPart, member: Member<'_>) {
        self.add_odd(part, member);
    }

    /// Returns how many values did not fit into their columns.
    pub(crate) const fn mismatch_count(&self) -> u64 {
        self.mismatch_count
    }

    fn push_mismatch(&mut self, part: EventPart, key: &str, json: &[u8]) {
        self.mismatch_count += 1;
        let key = key.replace('~', "~0").replace('/', "~1");
        push_json_string(&mut self.mismatches, &format!("{}/{key}", part.pointer()));
        self.mismatches.push(b':');
        if is_storable_json(json) && !looks_encoded(json) {
            self.mismatches.extend_from_slice(json);
        } else {
            push_encoded(&mut self.mismatches, json);
        }
        self.mismatches.push(b',');
    }

    fn add_odd(&mut self, part: EventPart, member: Member<'_>) {
        self.mismatch_count += 1;
        if let Some(odd) = self.odd_members.get_mut(part as usize) {
            odd.push(if odd.is_empty() { b'{' } else { b',' });
            odd.extend_from_slice(member.whole);
        }
    }

    /// Returns the value of the column. `None` if nothing was added.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        for (part, odd) in EventPart::ALL.into_iter().zip(&mut self.odd_members) {
            if !odd.is_empty() {
                odd.push(b'}');
                push_json_string(&mut self.mismatches, part.pointer());
                self.mismatches.push(b':');
                push_encoded(&mut self.mismatches, odd);
                self.mismatches.push(b',');
            }
        }
        let mut json = vec![b'{'];
        json.append(&mut self.body);
        let groups = [
            (METADATA, self.metadata),
            (EVENT, self.event),
            (MISMATCH, self.mismatches),
        ];
        for (name, mut members) in groups {
            if members.pop().is_some() {
                push_json_string(&mut json, name);
                json.extend_from_slice(b":{");
                json.append(&mut members);
                json.extend_from_slice(b"},");
            }
        }
        // The last byte is the comma after the last member.
        (json.len() > 1).then(|| {
            json.pop();
            json.push(b'}');
            json
        })
    }
}

fn push_encoded(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(br#"{"base64":""#);
    out.extend_from_slice(STANDARD.encode(json).as_bytes());
    out.extend_from_slice(br#""}"#);
}

/// Returns true for an object whose only key is `base64`.
fn looks_encoded(json: &[u8]) -> bool {
    let Ok(mut members) = Members::new(json) else {
        return false;
    };
    let is_base64 =
        |member: Member<'_>| decode_text(member.raw_key).is_some_and(|key| key == "base64");
    let first = members.next().and_then(Result::ok);
    first.is_some_and(is_base64) && members.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, wanted: Option<&str>) {
        let mut extra = Extra::default();
        for member in Members::new(body.as_bytes()).unwrap() {
            extra.add_unknown(EventPart::Body, member.unwrap());
        }
        let json = extra.finish().map(|json| String::from_utf8(json).unwrap());
        assert_eq!(json.as_deref(), wanted);
    }

    #[test]
    fn unknown_fields_keep_their_names_and_spelling() {
        check("{}", None);
        check(
            r#"{"mood":1.0,"a\/b":{"c":[]}}"#,
            Some(r#"{"mood":1.0,"a\/b":{"c":[]}}"#),
        );
    }

    #[test]
    fn reserved_names_and_values_without_a_place_are_mismatches() {
        check(
            r#"{"_metadata":1,"a/b~c":"\u0000"}"#,
            Some(
                r#"{"_mismatch":{"/body/_metadata":1,"/body/a~1b~0c":{"base64":"Ilx1MDAwMCI="}}}"#,
            ),
        );
    }

    #[test]
    fn a_repeated_key_and_a_key_that_cannot_be_stored_are_encoded() {
        let odd = STANDARD.encode(r#"{"a":2,"\ud800":3}"#);
        let wanted = format!(r#"{{"a":1,"_mismatch":{{"/body":{{"base64":"{odd}"}}}}}}"#);
        check(r#"{"a":1,"a":2,"\ud800":3}"#, Some(&wanted));
    }

    #[test]
    fn a_value_that_looks_encoded_is_encoded_if_it_does_not_fit() {
        let mut extra = Extra::default();
        let json = br#"{"score":{"base64":"eA=="}}"#;
        let member = Members::new(json).unwrap().next().unwrap().unwrap();
        extra.add_mismatch(EventPart::Body, "score", member);
        assert_eq!(extra.mismatch_count(), 1);
        let encoded = STANDARD.encode(br#"{"base64":"eA=="}"#);
        let wanted = format!(r#"{{"_mismatch":{{"/body/score":{{"base64":"{encoded}"}}}}}}"#);
        assert_eq!(extra.finish().unwrap(), wanted.as_bytes());
    }
}
