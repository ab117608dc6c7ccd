//! Makes the tables of a batch ready.

use std::collections::HashMap;
use std::sync::Arc;

use easel_sinks::Batch;

use super::{SqlSink, SqlSinkOptions};
use crate::actual_schema::ActualSchema;
use crate::dialect::PostgresDialect;
use crate::observed::ObservedFields;
use crate::postgres::{PgConnection, SqlFailure};
use crate::sql_table::SqlTable;

impl SqlSink {
    /// Makes the tables of a batch ready. A table that exists is not looked at again on the same connection.
    pub(super) async fn prepare_tables(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
    ) -> Result<(), SqlFailure> {
        let is_ready = |connection: &PgConnection| {
            batch.items.iter().all(|item| {
                connection
                    .tables
                    .by_event_type
                    .contains_key(&item.event_type)
            })
        };
        if is_ready(connection) {
            return Ok(());
        }
        let SqlSinkOptions {
            schema,
            tables,
            views,
            ..
        } = &self.options;
        let before = connection.read_schema(schema).await?;
        let mut wanted: HashMap<Arc<str>, SqlTable> = HashMap::new();
        for item in &batch.items {
            if wanted.contains_key(&item.event_type) {
                continue;
            }
            let mut observed = ObservedFields::default();
            if !tables.knows(&item.event_type) {
                let name = tables.name_of_table(&item.event_type);
                if !before.relations.contains_key(&name) {
                    let same = batch
                        .items
                        .iter()
                        .filter(|other| other.event_type == item.event_type);
                    same.for_each(|other| observed.observe(other.form.bytes()));
                }
            }
            let table = tables.table_of(&item.event_type, &observed);
            wanted.insert(Arc::clone(&item.event_type), table);
        }
        let mut distinct: Vec<SqlTable> = wanted.values().cloned().collect();
        distinct.extend(tables.register());
        distinct.sort_by(|a, b| a.name.cmp(&b.name));
        distinct.dedup_by(|a, b| a.name == b.name);
        let prepared = connection
            .prepare_schema(schema, &distinct, &self.all_tables, *views)
            .await?;
        if prepared.migration_number != connection.migration_number {
            connection.tables.clear();
            connection.migration_number = prepared.migration_number;
        }
        // An event must have no row without its row in the register, so the register comes first.
        self.prepare_shared_tables(connection, &prepared.actual)
            .await?;
        for (event_type, table) in wanted {
            let Some(existing) = prepared.actual.relations.get(&table.name) else {
                return Err(SqlFailure::SchemaChanged);
            };
            let adapted = table.adapted(&PostgresDialect, existing);
            let adapted = adapted.map_err(|reason| SqlFailure::Refused { reason })?;
            // In the wide layout, all event types share a table.
            let mut others = connection.tables.by_event_type.values();
            let shared = others
                .find(|other| other.table.name == adapted.name)
                .cloned();
            let ready = match shared {
                Some(shared) => shared,
                None => Arc::new(connection.prepare_table(schema, adapted).await?),
            };
            connection.tables.by_event_type.insert(event_type, ready);
        }
        Ok(())
    }

    /// Makes the register and the stream ready, if the layout has them.
    async fn prepare_shared_tables(
        &self,
        connection: &mut PgConnection,
        actual: &ActualSchema,
    ) -> Result<(), SqlFailure> {
        let SqlSinkOptions { schema, tables, .. } = &self.options;
        let Some(register) = tables.register() else {
            return Ok(());
        };
        if connection.tables.register.is_some() {
            return Ok(());
        }
        let refused = |reason| SqlFailure::Refused { reason };
        let existing = actual.relations.get(&register.name);
        let existing = existing.ok_or(SqlFailure::SchemaChanged)?;
        let register = register.adapted(&PostgresDialect, existing);
        let register = register.map_err(refused)?;
        let stream = tables.stream(&PostgresDialect, actual).map_err(refused)?;
        if let Some(stream) = stream {
            let stream = connection.prepare_table(schema, stream).await?;
            connection.tables.stream = Some(stream);
        }
        let register = connection.prepare_table(schema, register).await?;
        connection.tables.register = Some(register);
        Ok(())
    }
}
