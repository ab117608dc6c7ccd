//! An object of the body whose fields have columns of their own, in the layout `ledbelly`.

use easel_catalog::decode_text;

use super::Filling;
use crate::extra::EventPart;
use crate::json_text::{Member, Members, NotJson};
use crate::ledbelly_table::name_of_path;
use crate::sql_column::FieldPlace;
use crate::sql_value::Fit;

/// What became of the fields of an object.
#[derive(Default)]
struct ObjectFields {
    /// True if a field has no column.
    has_unknown: bool,
    /// True if a column does not have the whole value of its field.
    has_unfitting: bool,
    /// True if a field must not be stored.
    has_excluded: bool,
}

impl<'a> Filling<'_, 'a, '_> {
    /// Adds a member without a column. If it is an object of the body, its fields go to their columns. If the
    /// columns do not have all fields, the whole object is in `extra` too, unless a field of it must not
    /// be stored.
    pub(super) fn add_object(
        &mut self,
        part: EventPart,
        member: Member<'a>,
    ) -> Result<(), NotJson> {
        if member.value == b"null" {
            return Ok(());
        }
        let key = decode_text(member.raw_key)
            .filter(|_key| part == EventPart::Body && member.value.first() == Some(&b'{'));
        let Some(key) = key else {
            self.extra.add_unknown(part, member);
            return Ok(());
        };
        let mut fields = ObjectFields::default();
        self.add_fields(&key, member.value, &mut fields)?;
        if fields.has_excluded {
            return Ok(());
        }
        if fields.has_unfitting {
            self.extra.add_mismatch(part, &key, member);
        } else if fields.has_unknown {
            self.extra.add_unknown(part, member);
        }
        Ok(())
    }

    fn add_fields(
        &mut self,
        path: &str,
        object: &'a [u8],
        fields: &mut ObjectFields,
    ) -> Result<(), NotJson> {
        let table = self.table;
        let mut is_empty = true;
        for member in Members::new(object)? {
            let member = member?;
            is_empty = false;
            let Some(key) = decode_text(member.raw_key) else {
                fields.has_unknown = true;
                continue;
            };
            let path = format!("{path}_{key}");
            let name = name_of_path(&path);
            let known = table.body_fields.iter().find(|field| field.name == name);
            match known.map(|field| (field.place, field.shape)) {
                Some((FieldPlace::Excluded, _shape)) => fields.has_excluded = true,
                Some((FieldPlace::Column(index), shape)) => {
                    let column = table.columns.get(index);
                    let is_free = self.values.get(index).is_some_and(Option::is_none);
                    let fitted = column.filter(|_column| is_free).map_or(Fit::No, |column| {
                        self.fit(member.value, shape, column.sql_type)
                    });
                    match fitted {
                        Fit::Whole(value) => self.set(index, value),
                        Fit::Rounded(value) => {
                            self.set(index, value);
                            fields.has_unfitting = true;
                        }
                        Fit::No => fields.has_unfitting = true,
                    }
                }
                None if member.value.first() == Some(&b'{') => {
                    self.add_fields(&path, member.value, fields)?;
                }
                None if member.value == b"null" => (),
                Some(_) | None => fields.has_unknown = true,
            }
        }
        fields.has_unknown |= is_empty;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use easel_catalog::{Catalog, Limits, admit};

    use crate::observed::ObservedFields;
    use crate::sql_row::EventFacts;
    use crate::table_layout::{EventTables, TableLayout};

    /// Asserts what the columns of an event type do not hold of a body.
    #[track_caller]
    fn check(event_type: &str, body: &str, wanted: Option<&str>) {
        let catalog = Catalog::built_in().into();
        let tables = EventTables::new(catalog, TableLayout::Ledbelly, Vec::new());
        let json = format!(
            r#"{{"metadata":{{"event_name":"{event_type}","event_time":"2026-02-11T08:15:42Z"}},"body":{body}}}"#
        );
        let event = admit(json.as_bytes(), &Limits::default()).unwrap();
        let table = tables.table_of(event_type, &ObservedFields::default());
        let facts = EventFacts {
            offset: 1,
            id: event.id,
            event_type,
            occurred_at: event.occurred_at,
            received_at: None,
        };
        let row = tables.row(&table, facts, &event.bytes).unwrap();
        let extra = row.extra.map(|extra| String::from_utf8(extra).unwrap());
        assert_eq!(extra.as_deref(), wanted, "{body}");
    }

    #[test]
    fn an_object_is_in_extra_if_its_columns_do_not_hold_all_of_it() {
        let check = |body, wanted| check("course_completed", body, wanted);
        check(
            r#"{"user":{"id":"7","name":"Ida"},"progress":{"requirement_count":5}}"#,
            None,
        );
        check(
            r#"{"user":null,"progress":{"error":{"message":"no"}}}"#,
            None,
        );
        check(
            r#"{"user":{"id":"7","new":1}}"#,
            Some(r#"{"user":{"id":"7","new":1}}"#),
        );
        check(r#"{"user":{}}"#, Some(r#"{"user":{}}"#));
        check(
            r#"{"user":{"id":"seven"}}"#,
            Some(r#"{"_mismatch":{"/body/user":{"id":"seven"}}}"#),
        );
        check(
            r#"{"user":{"id":"7","id":"8"}}"#,
            Some(r#"{"_mismatch":{"/body/user":{"base64":"eyJpZCI6IjciLCJpZCI6IjgifQ=="}}}"#),
        );
        check(r#"{"user":7}"#, Some(r#"{"user":7}"#));
    }

    #[test]
    fn a_value_that_its_column_does_not_hold_is_in_extra() {
        let check = |body, wanted| check("submission_created", body, wanted);
        check(
            r#"{"score":8.5,"attempt":2,"late":false,"grade":"B+"}"#,
            None,
        );
        check(
            r#"{"score":"eight","attempt":1.5,"graded_at":"soon","grade":"\u0000"}"#,
            Some(
                r#"{"_mismatch":{"/body/score":"eight","/body/attempt":1.5,"/body/graded_at":"soon","/body/grade":{"base64":"Ilx1MDAwMCI="}}}"#,
            ),
        );
        check(r#"{"grade":5}"#, Some(r#"{"_mismatch":{"/body/grade":5}}"#));
        check(r#"{"mood":null,"new":[1]}"#, Some(r#"{"new":[1]}"#));
    }
}
