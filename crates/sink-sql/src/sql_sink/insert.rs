//! Inserts the rows of a batch, table by table.

use easel_sinks::Item;

use super::SqlSink;
use super::batch_rows::{RowEncoder, TableRows};
use super::new_fields::PromoteFields;
use crate::observed::ObservedFields;
use crate::postgres::{PgConnection, PreparedTable, SqlFailure};

/// The rows of one table that were inserted.
pub(super) struct InsertedRows<'b> {
    /// How many values did not fit into their columns.
    pub(super) mismatch_count: u64,
    /// The table with the fields of events that need the column `extra`, if they were observed.
    pub(super) new_fields: Option<(&'b PreparedTable, ObservedFields)>,
}

impl SqlSink {
    /// Inserts the new rows of one table.
    pub(super) async fn insert_new<'b>(
        &self,
        connection: &'b PgConnection,
        rows: &'b TableRows<'b>,
    ) -> Result<InsertedRows<'b>, SqlFailure> {
        let mut encoder =
            RowEncoder::new(&self.options.tables, &connection.tables, rows, &rows.new);
        encoder.observes_extra = self.options.promote == PromoteFields::Auto && rows.may_change();
        let copied = connection
            .copy_rows(rows.prepared, || encoder.next_chunk())
            .await;
        match copied {
            Ok(_row_count) => Ok(InsertedRows {
                mismatch_count: encoder.mismatch_count,
                new_fields: (!encoder.observed.is_empty())
                    .then_some((rows.prepared, encoder.observed)),
            }),
            Err(failure) => Err(self.remember_refused(failure, &rows.new, encoder.unreadable)),
        }
    }

    /// Inserts the rows of one table that may exist already. Returns how many values did not fit.
    pub(super) async fn insert_repeated(
        &self,
        connection: &PgConnection,
        rows: &TableRows<'_>,
    ) -> Result<u64, SqlFailure> {
        let (schema, table) = (&self.options.schema, &rows.prepared.table);
        let mut encoder = RowEncoder::new(
            &self.options.tables,
            &connection.tables,
            rows,
            &rows.repeated,
        );
        let inserted = connection
            .insert_missing_rows(schema, table, || encoder.next_chunk())
            .await;
        match inserted {
            Ok(_row_count) => Ok(encoder.mismatch_count),
            Err(failure) => Err(self.remember_refused(failure, &rows.repeated, encoder.unreadable)),
        }
    }

    /// Remembers which row of a COPY the server refuses, if the server says so.
    fn remember_refused(
        &self,
        failure: SqlFailure,
        items: &[&Item],
        unreadable: Option<u64>,
    ) -> SqlFailure {
        if let SqlFailure::RowRefused { reason, row_number } = &failure {
            let index = row_number.and_then(|number| number.checked_sub(1));
            let item = index.and_then(|index| items.get(index));
            let offset = unreadable.or_else(|| item.map(|item| item.offset.get()));
            self.refused()
                .extend(offset.map(|offset| (offset, reason.clone())));
        }
        failure
    }
}
