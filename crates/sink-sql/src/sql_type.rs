//! The types of columns, independent of the dialect.

use std::fmt;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// A UUID.
    Uuid,
    /// An integer of 16 bits.
    SmallInt,
    /// An integer of 32 bits.
    Integer,
    /// An integer of 64 bits.
    BigInt,
    /// A decimal number of any size.
    Numeric,
    /// A floating-point number of 32 bits.
    Real,
    /// A floating-point number of 64 bits.
    Double,
    /// `true` or `false`.
    Boolean,
    /// A moment, with microseconds.
    Timestamp,
    /// A day and a time without a zone, with microseconds.
    LocalTimestamp,
    /// A text.
    Text,
    /// A text with at most this many characters.
    Varchar(u32),
    /// A JSON value.
    Json,
}

impl SqlType {
    /// Returns the smallest type that can hold the values of both types, as they were observed in JSON.
    #[must_use]
    pub const fn widened(self, other: Self) -> Self {
        match (self, other) {
            (Self::Uuid, Self::Uuid) => Self::Uuid,
            (Self::BigInt, Self::BigInt) => Self::BigInt,
            (Self::Double, Self::Double) => Self::Double,
            (Self::Boolean, Self::Boolean) => Self::Boolean,
            (Self::Timestamp, Self::Timestamp) => Self::Timestamp,
            (Self::BigInt | Self::Numeric | Self::Double, Self::Numeric)
            | (Self::Numeric, Self::BigInt | Self::Double)
            | (Self::BigInt, Self::Double)
            | (Self::Double, Self::BigInt) => Self::Numeric,
            (Self::Text | Self::Timestamp | Self::Uuid, Self::Text)
            | (Self::Text, Self::Timestamp | Self::Uuid)
            | (Self::Timestamp, Self::Uuid)
            | (Self::Uuid, Self::Timestamp) => Self::Text,
            _ => Self::Json,
        }
    }
}

/// Writes a name that does not depend on the dialect.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varchar(max_chars) => return write!(f, "varchar({max_chars})"),
            Self::Uuid => "uuid",
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::LocalTimestamp => "timestamp without time zone",
            Self::BigInt => "bigint",
            Self::Numeric => "numeric",
            Self::Double => "double precision",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SqlType; 8] = [
        SqlType::Uuid,
        SqlType::BigInt,
        SqlType::Numeric,
        SqlType::Double,
        SqlType::Boolean,
        SqlType::Timestamp,
        SqlType::Text,
        SqlType::Json,
    ];

    #[test]
    fn integers_widen_to_numeric_and_other_mixtures_to_text_or_json() {
        let check = |a: SqlType, b, wanted| assert_eq!(a.widened(b), wanted, "{a} {b}");
        check(SqlType::BigInt, SqlType::Numeric, SqlType::Numeric);
        check(SqlType::BigInt, SqlType::Double, SqlType::Numeric);
        check(SqlType::Timestamp, SqlType::Text, SqlType::Text);
        check(SqlType::BigInt, SqlType::Text, SqlType::Json);
        check(SqlType::Boolean, SqlType::BigInt, SqlType::Json);
    }

    #[test]
    fn widening_does_not_depend_on_the_order() {
        for a in ALL {
            assert_eq!(a.widened(a), a);
            for b in ALL {
                assert_eq!(a.widened(b), b.widened(a), "{a} {b}");
                assert_eq!(a.widened(b).widened(a), a.widened(b), "{a} {b}");
            }
        }
    }
}
