//! Inserts rows.

use std::collections::HashSet;

use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::CopyInSink;

use super::connection::PgConnection;
use super::failure::SqlFailure;
use super::prepared_table::PreparedTable;
use crate::dialect::{PostgresDialect, Relation, SqlDialect};
use crate::sql_table::{OFFSET_COLUMN, SqlTable};

/// The temporary table for rows that may exist already.
const REPEATED_TABLE: &str = "easel_repeated";

impl PgConnection {
    /// Prepares the insert into a table.
    pub(crate) async fn prepare_table(
        &self,
        schema: &str,
        table: SqlTable,
    ) -> Result<PreparedTable, SqlFailure> {
        let relation = PostgresDialect.relation(Relation {
            schema,
            name: &table.name,
        });
        let copy = self.client.prepare(&copy_sql(&relation, &table)).await?;
        Ok(PreparedTable { table, copy })
    }

    /// Inserts rows in the binary format, which `next_chunk` returns until they end.
    pub(crate) async fn copy_rows(
        &self,
        prepared: &PreparedTable,
        next_chunk: impl FnMut() -> Result<Option<Bytes>, SqlFailure> + Send,
    ) -> Result<u64, SqlFailure> {
        let sink = self.client.copy_in(&prepared.copy).await?;
        send_all(sink, next_chunk).await
    }

    /// Returns those of the offsets that the register has.
    pub(crate) async fn registered_offsets(
        &self,
        schema: &str,
        register: &SqlTable,
        offsets: &[i64],
    ) -> Result<HashSet<u64>, SqlFailure> {
        let offset = PostgresDialect.quote(OFFSET_COLUMN);
        let relation = PostgresDialect.relation(Relation {
            schema,
            name: &register.name,
        });
        let sql = format!("select {offset} from {relation} where {offset} = any($1)");
        let rows = self.client.query(&sql, &[&offsets]).await?;
        let mut registered = HashSet::new();
        for row in rows {
            registered.extend(u64::try_from(row.try_get::<_, i64>(0)?).ok());
        }
        Ok(registered)
    }

    /// Inserts rows in the binary format, except those whose offset is in the table already.
    pub(crate) async fn insert_missing_rows(
        &self,
        schema: &str,
        table: &SqlTable,
        next_chunk: impl FnMut() -> Result<Option<Bytes>, SqlFailure> + Send,
    ) -> Result<u64, SqlFailure> {
        let relation = PostgresDialect.relation(Relation {
            schema,
            name: &table.name,
        });
        let columns = column_list(table);
        let create = format!(
            "create temporary table {REPEATED_TABLE} on commit drop as \
             select {columns} from {relation} limit 0"
        );
        self.execute(&create).await?;
        let sink = self
            .client
            .copy_in(&copy_sql(REPEATED_TABLE, table))
            .await?;
        send_all(sink, next_chunk).await?;
        let insert = format!(
            "insert into {relation} ({columns}) select {columns} from {REPEATED_TABLE} \
             on conflict ({}) do nothing",
            PostgresDialect.quote(OFFSET_COLUMN)
        );
        let inserted = self.client.execute(&insert, &[]).await?;
        self.execute(&format!("drop table {REPEATED_TABLE}"))
            .await?;
        Ok(inserted)
    }
}

async fn send_all(
    sink: CopyInSink<Bytes>,
    mut next_chunk: impl FnMut() -> Result<Option<Bytes>, SqlFailure> + Send,
) -> Result<u64, SqlFailure> {
    let mut sink = Box::pin(sink);
    // If there is no next chunk because of a failure, the sink is dropped, and the server ends the COPY.
    while let Some(chunk) = next_chunk()? {
        if let Err(error) = sink.send(chunk).await {
            // The server's own words arrive only at the end.
            return Err(match sink.as_mut().finish().await {
                Err(later) if later.as_db_error().is_some() => later.into(),
                _ => error.into(),
            });
        }
    }
    Ok(sink.as_mut().finish().await?)
}

fn column_list(table: &SqlTable) -> String {
    let columns: Vec<_> = table
        .written_columns()
        .map(|column| PostgresDialect.quote(&column.name))
        .collect();
    columns.join(", ")
}

fn copy_sql(relation: &str, table: &SqlTable) -> String {
    format!(
        "copy {relation} ({}) from stdin (format binary)",
        column_list(table)
    )
}
