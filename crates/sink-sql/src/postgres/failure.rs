//! Why a statement failed, and who is to blame.
//!
//! The texts have the server's words and the SQLSTATE. They never have the detail or the context of an
//! error, because those can contain values of events.

use easel_sinks::{AddressError, SendError, text_with_causes};
use thiserror::Error;
use tokio_postgres::error::{DbError, SqlState};

/// Why a statement failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SqlFailure {
    /// No connection was made.
    #[error("connect to the database: {reason}")]
    Unconnected {
        /// The error with its causes.
        reason: String,
    },
    /// No connection was made, because the address guard refuses the address.
    #[error("connect to the database: {reason}")]
    Guarded {
        /// The refusal.
        reason: String,
    },
    /// The connection was lost. The statement may have had an effect.
    #[error("keep the connection to the database: {reason}")]
    Lost {
        /// The error with its causes.
        reason: String,
    },
    /// The database refuses a row.
    #[error("insert a row: {reason}")]
    RowRefused {
        /// The server's words.
        reason: String,
        /// The number of the row in its `COPY`, from 1, if the server says so.
        row_number: Option<usize>,
    },
    /// The database cannot execute the statement now.
    #[error("execute a statement: {reason}")]
    Busy {
        /// The server's words.
        reason: String,
    },
    /// The database refuses the statement.
    #[error("execute a statement: {reason}")]
    Refused {
        /// The server's words.
        reason: String,
    },
    /// A newer owner writes to the same position, so this one must stop.
    #[error("write to the tables: {reason}")]
    Superseded {
        /// The reason.
        reason: String,
    },
    /// The attempt took too long.
    #[error("get an answer from the database in time")]
    TimedOut,
    /// The tables changed after this connection read their columns.
    #[error("use the known columns: the tables were changed meanwhile")]
    SchemaChanged,
}

impl SqlFailure {
    /// Returns the failure of a connection that was not made.
    pub(crate) fn from_connect(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db_error) => Self::from_db_error(db_error),
            None => Self::Unconnected {
                reason: text_with_causes(error),
            },
        }
    }

    /// True if the connection can be used again after a rollback.
    pub(crate) const fn leaves_connection_usable(&self) -> bool {
        match self {
            Self::RowRefused { .. } | Self::Superseded { .. } => true,
            Self::Unconnected { .. }
            | Self::Guarded { .. }
            | Self::Lost { .. }
            | Self::Busy { .. }
            | Self::Refused { .. }
            | Self::TimedOut
            | Self::SchemaChanged => false,
        }
    }

    fn from_db_error(error: &DbError) -> Self {
        let code = error.code();
        let mut reason = format!("{} (SQLSTATE {}", error.message(), code.code());
        for (name, value) in [
            ("table", error.table()),
            ("column", error.column()),
            ("constraint", error.constraint()),
        ] {
            if let Some(value) = value {
                reason.extend([", ", name, " ", value]);
            }
        }
        reason.push(')');
        if is_offset_conflict(error) {
            let reason = format!("another writer has rows with these offsets: {reason}");
            return Self::Refused { reason };
        }
        let class = code.code().get(..2).unwrap_or_default();
        match class {
            "22" | "23" | "54" => Self::RowRefused {
                reason,
                row_number: row_number(error),
            },
            _ if *code == SqlState::RAISE_EXCEPTION => Self::RowRefused {
                reason,
                row_number: row_number(error),
            },
            "40" | "53" | "55" => Self::Busy { reason },
            _ if *code == SqlState::QUERY_CANCELED => Self::Busy { reason },
            "08" | "57" => Self::Lost { reason },
            _ => Self::Refused { reason },
        }
    }
}

impl From<tokio_postgres::Error> for SqlFailure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db_error) => Self::from_db_error(db_error),
            None => Self::Lost {
                reason: text_with_causes(&error),
            },
        }
    }
}

impl From<AddressError> for SqlFailure {
    fn from(error: AddressError) -> Self {
        match error {
            AddressError::Refused(refused) => Self::Guarded {
                reason: refused.to_string(),
            },
            AddressError::Resolve { ref source, .. } => Self::Unconnected {
                reason: format!("{error}: {source}"),
            },
            AddressError::NoAddress { .. } => Self::Unconnected {
                reason: error.to_string(),
            },
        }
    }
}

impl From<SqlFailure> for SendError {
    fn from(failure: SqlFailure) -> Self {
        match failure {
            SqlFailure::Unconnected { reason } => Self::Unconnected { reason },
            SqlFailure::Guarded { reason } => Self::NotSent { reason },
            SqlFailure::Lost { reason } => Self::Unreachable { reason },
            SqlFailure::RowRefused { reason, .. } => Self::Rejected { reason },
            SqlFailure::Busy { reason } => Self::Busy {
                reason,
                retry_after: None,
            },
            SqlFailure::Refused { reason } => Self::Refused { reason },
            SqlFailure::Superseded { reason } => Self::Gone { reason },
            SqlFailure::TimedOut => Self::TimedOut,
            SqlFailure::SchemaChanged => Self::Busy {
                reason: SqlFailure::SchemaChanged.to_string(),
                retry_after: None,
            },
        }
    }
}

/// True if the database already has a row with an offset that the cursor says is missing. No event is to blame.
fn is_offset_conflict(error: &DbError) -> bool {
    let is_primary_key = error
        .constraint()
        .is_some_and(|name| name.ends_with("_pkey"));
    *error.code() == SqlState::UNIQUE_VIOLATION && is_primary_key
}

/// Reads the number of the row from a context such as `COPY grade_change, line 12, column score`.
fn row_number(error: &DbError) -> Option<usize> {
    let (_table, rest) = error.where_()?.split_once(", line ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
