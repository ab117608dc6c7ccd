//! The binary format of `COPY` in PostgreSQL.
//!
//! A header, the rows, and a trailer. A row is the number of its values as 16 bits, and per value its length
//! as 32 bits and its bytes. The length -1 stands for NULL. All numbers are big-endian.

use bytes::{BufMut, Bytes, BytesMut};

use crate::decimal::Decimal;
use crate::sql_row::SqlRow;
use crate::sql_table::SqlTable;
use crate::sql_type::SqlType;
use crate::sql_value::SqlValue;

/// The signature, the flags and the length of the header extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// 1 January 2000, the epoch of PostgreSQL, in microseconds of Unix time.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The version of the binary format of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// Rows of one table in the binary format.
#[derive(Debug)]
pub(crate) struct CopyRows(BytesMut);

impl CopyRows {
    /// Starts with the header.
    pub(crate) fn new() -> Self {
        Self(BytesMut::from(HEADER))
    }

    /// Adds a row. Leaves out the columns that the database computes.
    pub(crate) fn push(&mut self, table: &SqlTable, row: &SqlRow<'_>) {
        let count = table.written_columns().count();
        self.0.put_i16(i16::try_from(count).unwrap_or(i16::MAX));
        for (column, value) in table.columns.iter().zip(&row.values) {
            if column.is_written() {
                put_value(&mut self.0, value, column.sql_type);
            }
        }
    }

    /// Adds the trailer.
    pub(crate) fn finish(&mut self) {
        self.0.put_i16(-1);
    }

    /// Returns the number of bytes since the last call of `take`.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the bytes since the last call.
    pub(crate) fn take(&mut self) -> Bytes {
        self.0.split().freeze()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a value of a row is in the range of its column"
)]
fn put_value(out: &mut BytesMut, value: &SqlValue<'_>, sql_type: SqlType) {
    match value {
        SqlValue::Null => out.put_i32(-1),
        SqlValue::BigInt(integer) if sql_type == SqlType::SmallInt => {
            put_bytes(out, &(*integer as i16).to_be_bytes());
        }
        SqlValue::BigInt(integer) if sql_type == SqlType::Integer => {
            put_bytes(out, &(*integer as i32).to_be_bytes());
        }
        SqlValue::Double(number) if sql_type == SqlType::Real => {
            put_bytes(out, &(*number as f32).to_be_bytes());
        }
        SqlValue::Uuid(uuid) => put_bytes(out, uuid.as_bytes()),
        SqlValue::BigInt(integer) => put_bytes(out, &integer.to_be_bytes()),
        SqlValue::Numeric(decimal) => put_numeric(out, decimal),
        SqlValue::Double(number) => put_bytes(out, &number.to_be_bytes()),
        SqlValue::Boolean(truth) => put_bytes(out, &[u8::from(*truth)]),
        SqlValue::Timestamp(time) => {
            put_bytes(out, &(time.as_microsecond() - EPOCH_MICROS).to_be_bytes());
        }
        SqlValue::Text(text) => put_bytes(out, text.as_bytes()),
        SqlValue::Json(json) => {
            out.put_i32(length(json.len() + 1));
            out.put_u8(JSONB_VERSION);
            out.put_slice(json);
        }
    }
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(length(bytes.len()));
    out.put_slice(bytes);
}

/// An event is much smaller than 2 GiB.
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// Writes the count of groups, the weight of the first group, the sign, the number of decimals to show, and
/// the groups.
fn put_numeric(out: &mut BytesMut, decimal: &Decimal) {
    let (is_negative, groups, weight) = decimal.groups();
    let (_whole, decimals) = decimal.digit_counts();
    out.put_i32(length(8 + 2 * groups.len()));
    out.put_i16(i16::try_from(groups.len()).unwrap_or(i16::MAX));
    out.put_i16(i16::try_from(weight).unwrap_or_default());
    out.put_u16(if is_negative { 0x4000 } else { 0 });
    out.put_u16(u16::try_from(decimals).unwrap_or_default());
    for group in groups {
        out.put_i16(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &SqlValue<'_>) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_value(&mut out, value, SqlType::BigInt);
        out.to_vec()
    }

    #[test]
    fn values_have_their_length_before_them() {
        assert_eq!(encoded(&SqlValue::Null), [0xff; 4]);
        assert_eq!(encoded(&SqlValue::Boolean(true)), [0, 0, 0, 1, 1]);
        assert_eq!(
            encoded(&SqlValue::Text("é".into())),
            [0, 0, 0, 2, 0xc3, 0xa9]
        );
        let json = SqlValue::Json(b"{}".as_slice().into());
        assert_eq!(encoded(&json), [0, 0, 0, 3, 1, b'{', b'}']);
        let time = SqlValue::Timestamp("2000-01-01T00:00:00.000001Z".parse().unwrap());
        assert_eq!(encoded(&time), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_number_has_the_size_of_its_column() {
        let encoded = |value, sql_type| {
            let mut out = BytesMut::new();
            put_value(&mut out, &value, sql_type);
            out.to_vec()
        };
        assert_eq!(
            encoded(SqlValue::BigInt(-2), SqlType::Integer),
            [0, 0, 0, 4, 0xff, 0xff, 0xff, 0xfe]
        );
        assert_eq!(
            encoded(SqlValue::BigInt(7), SqlType::SmallInt),
            [0, 0, 0, 2, 0, 7]
        );
        assert_eq!(
            encoded(SqlValue::Double(1.5), SqlType::Real),
            [0, 0, 0, 4, 0x3f, 0xc0, 0, 0]
        );
    }

    #[test]
    fn a_decimal_has_groups_of_four_digits() {
        let decimal = Decimal::parse(b"-12345.5").unwrap();
        assert_eq!(
            encoded(&SqlValue::Numeric(decimal)),
            [
                0, 0, 0, 14, 0, 3, 0, 1, 0x40, 0, 0, 1, 0, 1, 0x09, 0x29, 0x13, 0x88
            ]
        );
    }
}
