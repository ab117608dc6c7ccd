//! A row: the values of an event in the columns of a table.
//!
//! One pass reads the event. No information is lost: a value is in its column, or in the column `extra`.
//! There are three intended exceptions. Null and a missing field are both NULL. An empty id is NULL if the
//! catalogue says that it means "no id". Fields of excluded privacy classes are not stored.

mod object;

use std::borrow::Cow;
use std::collections::HashSet;

use easel_catalog::decode_text;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::conventions::Conventions;
use crate::extra::{EventPart, Extra};
use crate::json_text::{Member, Members, NotJson, is_storable_json, storable_text};
use crate::ledbelly_value::{cut_to, fit_leniently};
use crate::sql_column::{ColumnSource, FieldPlace, KnownField};
use crate::sql_table::SqlTable;
use crate::sql_type::SqlType;
use crate::sql_value::{FieldShape, Fit, SqlValue, fit};

/// What is known of an event beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct EventFacts<'a> {
    /// The offset.
    pub offset: u64,
    /// The id.
    pub id: Uuid,
    /// The event type.
    pub event_type: &'a str,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When Easel received it, if known.
    pub received_at: Option<Timestamp>,
}

/// What is not stored, and how.
#[derive(Clone, Copy, Debug)]
pub struct RowRules<'a> {
    /// The body fields that are left out of a column with the whole body, and of the stream of the layout
    /// `ledbelly`. In a table of one event type, the table knows what to leave out.
    pub excluded_body: &'a HashSet<&'a str>,
    /// The time zone of columns with local times.
    pub time_zone: &'a TimeZone,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlRow<'a> {
    /// One value per column of the table, in order. A computed column has the value NULL.
    pub values: Vec<SqlValue<'a>>,
    /// How many values do not fit into their columns and are in the column `extra`.
    pub mismatch_count: u64,
    /// What the column `extra` would have, if the table has no such column.
    pub extra: Option<Vec<u8>>,
}

impl SqlTable {
    /// Returns true if a row of the table has a value in the column `extra`.
    pub(crate) fn needs_extra(&self, row: &SqlRow<'_>) -> bool {
        let index = self
            .columns
            .iter()
            .position(|column| column.source == ColumnSource::Extra);
        index
            .and_then(|index| row.values.get(index))
            .is_some_and(|value| *value != SqlValue::Null)
    }
}

impl<'a> SqlRow<'a> {
    /// Returns the row of an event in the register of the layout `ledbelly`. `extra` is what the other tables
    /// do not hold.
    pub(crate) fn in_register(
        register: &SqlTable,
        facts: EventFacts<'_>,
        mut extra: Option<Vec<u8>>,
    ) -> Result<Self, NotJson> {
        let offset = i64::try_from(facts.offset).ok().ok_or(NotJson)?;
        let values = register.columns.iter().map(|column| match column.source {
            ColumnSource::Offset => SqlValue::BigInt(offset),
            ColumnSource::EventId => SqlValue::Uuid(facts.id),
            ColumnSource::EventName => SqlValue::Text(event_name(facts, column.sql_type)),
            ColumnSource::EventTime => time_of(facts.occurred_at),
            ColumnSource::ReceivedAt => facts.received_at.map_or(SqlValue::Null, time_of),
            ColumnSource::Extra => extra
                .take()
                .map_or(SqlValue::Null, |json| SqlValue::Json(json.into())),
            _ => SqlValue::Null,
        });
        Ok(Self {
            values: values.collect(),
            mismatch_count: 0,
            extra: None,
        })
    }

    /// Returns the row of an event in `table`.
    pub fn from_event(
        table: &SqlTable,
        facts: EventFacts<'_>,
        event: &'a [u8],
        rules: RowRules<'_>,
    ) -> Result<Self, NotJson> {
        let mut filling = Filling {
            table,
            facts,
            rules,
            values: vec![None; table.columns.len()],
            event_time: None,
            has_event_name: false,
            extra: Extra::default(),
        };
        let mut seen = [false; 2];
        for part in Members::new(event)? {
            let part = part?;
            let event_part = match part.raw_key {
                b"metadata" => Some(EventPart::Metadata),
                b"body" => Some(EventPart::Body),
                _ => None,
            };
            let is_object = part.value.first() == Some(&b'{');
            match event_part {
                Some(event_part) if is_object && seen.get(event_part as usize) == Some(&false) => {
                    if let Some(seen) = seen.get_mut(event_part as usize) {
                        *seen = true;
                    }
                    filling.add_part(event_part, part)?;
                }
                _ => filling.extra.add_unknown(EventPart::Whole, part),
            }
        }
        filling.finish()
    }
}

/// A row that is being filled.
struct Filling<'t, 'a, 'f> {
    table: &'t SqlTable,
    facts: EventFacts<'f>,
    rules: RowRules<'f>,
    /// The values so far. `None` for a column that had no member yet.
    values: Vec<Option<SqlValue<'a>>>,
    event_time: Option<SqlValue<'a>>,
    has_event_name: bool,
    extra: Extra,
}

impl<'a> Filling<'_, 'a, '_> {
    fn add_part(&mut self, part: EventPart, member: Member<'a>) -> Result<(), NotJson> {
        let body_column = self.column_index(&ColumnSource::WholeBody);
        if part == EventPart::Body
            && let Some(index) = body_column
        {
            return self.add_whole_body(index, member, self.rules.excluded_body);
        }
        let table = self.table;
        let fields = match part {
            EventPart::Metadata => &table.metadata_fields,
            EventPart::Body | EventPart::Whole => &table.body_fields,
        };
        let mut next = 0;
        for member in Members::new(member.value)? {
            let member = member?;
            if self.is_left_out(part, member) {
                continue;
            }
            match find(fields, member.raw_key, next) {
                Some((index, field)) => {
                    next = index + 1;
                    self.add_known(part, field, member);
                }
                None if table.conventions == Conventions::Ledbelly => {
                    self.add_object(part, member)?;
                }
                None => self.extra.add_unknown(part, member),
            }
        }
        Ok(())
    }

    /// Returns true for a member of the body that the stream must not have.
    fn is_left_out(&self, part: EventPart, member: Member<'_>) -> bool {
        let excluded = self.rules.excluded_body;
        part == EventPart::Body
            && self.table.conventions == Conventions::LedbellyStream
            && !excluded.is_empty()
            && decode_text(member.raw_key).is_some_and(|key| excluded.contains(&*key))
    }

    fn add_whole_body(
        &mut self,
        index: usize,
        member: Member<'a>,
        excluded: &HashSet<&str>,
    ) -> Result<(), NotJson> {
        let body = if excluded.is_empty() {
            Cow::Borrowed(member.value)
        } else {
            Cow::Owned(without(member.value, excluded)?)
        };
        if is_storable_json(&body) {
            self.set(index, SqlValue::Json(body));
        } else {
            let value = &body;
            let whole = [b"\"body\":".as_slice(), value].concat();
            let member = Member {
                raw_key: b"body",
                value,
                whole: &whole,
            };
            self.extra.add_mismatch(EventPart::Whole, "body", member);
        }
        Ok(())
    }

    fn add_known(&mut self, part: EventPart, field: &KnownField, member: Member<'a>) {
        match field.place {
            FieldPlace::Excluded => (),
            FieldPlace::Extra => self.extra.add_mismatch(part, &field.name, member),
            FieldPlace::EventName => self.add_event_name(part, member),
            FieldPlace::EventTime => {
                if self.event_time.is_some() {
                    self.extra.add_repeated(part, member);
                    return;
                }
                let shape = FieldShape::Time { can_be_day: false };
                let (value, is_whole) = match fit(member.value, shape, SqlType::Timestamp) {
                    Fit::Whole(value) => (value, true),
                    Fit::Rounded(value) => (value, false),
                    Fit::No => (SqlValue::Null, false),
                };
                self.event_time = Some(value);
                if !is_whole {
                    self.extra.add_mismatch(part, &field.name, member);
                }
            }
            FieldPlace::Column(index) => {
                let sql_type = self.table.columns.get(index).map(|column| column.sql_type);
                let is_free = self.values.get(index).is_some_and(Option::is_none);
                let (Some(sql_type), true) = (sql_type, is_free) else {
                    self.extra.add_repeated(part, member);
                    return;
                };
                match self.fit(member.value, field.shape, sql_type) {
                    Fit::Whole(value) => self.set(index, value),
                    Fit::Rounded(value) => {
                        self.set(index, value);
                        self.extra.add_mismatch(part, &field.name, member);
                    }
                    Fit::No => {
                        self.set(index, SqlValue::Null);
                        self.extra.add_mismatch(part, &field.name, member);
                    }
                }
            }
        }
    }

    fn fit(&self, json: &'a [u8], shape: FieldShape, sql_type: SqlType) -> Fit<'a> {
        match self.table.conventions {
            Conventions::Easel => fit(json, shape, sql_type),
            Conventions::Ledbelly | Conventions::LedbellyStream => {
                fit_leniently(json, shape, sql_type)
            }
        }
    }

    /// The event name is in the name of the table or in its own column.
    fn add_event_name(&mut self, part: EventPart, member: Member<'a>) {
        if std::mem::replace(&mut self.has_event_name, true) {
            self.extra.add_repeated(part, member);
        } else if storable_text(member.value).as_deref() != Some(self.facts.event_type) {
            self.extra.add_mismatch(part, "event_name", member);
        }
    }

    fn set(&mut self, index: usize, value: SqlValue<'a>) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Some(value);
        }
    }

    fn column_index(&self, source: &ColumnSource) -> Option<usize> {
        self.table
            .columns
            .iter()
            .position(|column| column.source == *source)
    }

    fn finish(self) -> Result<SqlRow<'a>, NotJson> {
        let Self {
            table,
            facts,
            rules,
            values,
            event_time,
            has_event_name: _,
            extra,
        } = self;
        let mismatch_count = extra.mismatch_count();
        let offset = i64::try_from(facts.offset).ok().ok_or(NotJson)?;
        let event_time = event_time.filter(|time| *time != SqlValue::Null);
        let event_time = event_time.unwrap_or_else(|| time_of(facts.occurred_at));
        let local = |time: &SqlValue<'a>, sql_type| match time {
            SqlValue::Timestamp(time) if sql_type == SqlType::LocalTimestamp => {
                SqlValue::Timestamp(on_the_clock_of(rules.time_zone, *time))
            }
            other => other.clone(),
        };
        let mut extra = extra.finish();
        let values = table
            .columns
            .iter()
            .zip(values)
            .map(|(column, value)| match column.source {
                ColumnSource::Offset => SqlValue::BigInt(offset),
                ColumnSource::EventId => SqlValue::Uuid(facts.id),
                ColumnSource::EventName => SqlValue::Text(event_name(facts, column.sql_type)),
                ColumnSource::EventTime => event_time.clone(),
                ColumnSource::LocalEventTime => local(&event_time, column.sql_type),
                ColumnSource::LocalReceivedAt => {
                    let time = facts.received_at.unwrap_or(facts.occurred_at);
                    local(&time_of(time), column.sql_type)
                }
                ColumnSource::ReceivedAt => facts.received_at.map_or(SqlValue::Null, time_of),
                ColumnSource::Extra => extra
                    .take()
                    .map_or(SqlValue::Null, |json| SqlValue::Json(json.into())),
                ColumnSource::LocalIdOf(_) | ColumnSource::RowNumber => SqlValue::Null,
                ColumnSource::Metadata(_) | ColumnSource::Body(_) | ColumnSource::WholeBody => {
                    value.unwrap_or(SqlValue::Null)
                }
            })
            .collect();
        Ok(SqlRow {
            values,
            mismatch_count,
            extra,
        })
    }
}

fn time_of<'a>(time: Timestamp) -> SqlValue<'a> {
    let whole = Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
    SqlValue::Timestamp(whole)
}

/// Returns the moment at which a clock in UTC shows what a clock in the time zone shows at `time`. A column
/// without a zone then has the local time.
fn on_the_clock_of(time_zone: &TimeZone, time: Timestamp) -> Timestamp {
    let local = time_zone.to_datetime(time);
    TimeZone::UTC.to_timestamp(local).unwrap_or(time)
}

fn event_name<'a>(facts: EventFacts<'_>, sql_type: SqlType) -> Cow<'a, str> {
    let name = Cow::Owned(facts.event_type.replace('\0', "�"));
    match sql_type {
        SqlType::Varchar(max_chars) => cut_to(name, max_chars),
        _ => name,
    }
}

/// Returns `body` without the members in `excluded`.
fn without(body: &[u8], excluded: &HashSet<&str>) -> Result<Vec<u8>, NotJson> {
    let mut json = vec![b'{'];
    for member in Members::new(body)? {
        let member = member?;
        if decode_text(member.raw_key).is_some_and(|key| excluded.contains(&*key)) {
            continue;
        }
        if json.len() > 1 {
            json.push(b',');
        }
        json.extend_from_slice(member.whole);
    }
    json.push(b'}');
    Ok(json)
}

/// Finds the field with this key and its index. Starts at the index `likely`, because events keep the order of
/// the catalogue mostly.
fn find<'t>(
    fields: &'t [KnownField],
    raw_key: &[u8],
    likely: usize,
) -> Option<(usize, &'t KnownField)> {
    if memchr::memchr(b'\\', raw_key).is_some() {
        let key = decode_text(raw_key)?;
        let mut fields = fields.iter().enumerate();
        return fields.find(|(_index, field)| field.name == key);
    }
    let has_key = |(_index, field): &(usize, &KnownField)| field.name.as_bytes() == raw_key;
    let mut from_likely = fields.iter().enumerate().skip(likely);
    from_likely
        .find(has_key)
        .or_else(|| fields.iter().enumerate().take(likely).find(has_key))
}
