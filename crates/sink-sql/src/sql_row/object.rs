//! An object of the body whose fields have columns of their own, in the layout `ledbelly`.

use super::Filling;
use crate::extra::EventPart;
use crate::json_text::{Member, Members, NotJson, decode};
use crate::ledbelly_table::name_of_path;
use crate::sql_column::FieldPlace;
use crate::sql_value::Fit;

/// What became of the fields of an object.
#[derive(Default)]
struct Fields {
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
        let key = decode(member.raw_key)
            .filter(|_key| part == EventPart::Body && member.value.first() == Some(&b'{'));
        let Some(key) = key else {
            self.extra.add_unknown(part, member);
            return Ok(());
        };
        let mut fields = Fields::default();
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
        fields: &mut Fields,
    ) -> Result<(), NotJson> {
        let table = self.table;
        let mut is_empty = true;
        for member in Members::new(object)? {
            let member = member?;
            is_empty = false;
            let Some(key) = decode(member.raw_key) else {
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
