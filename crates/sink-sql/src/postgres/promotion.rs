//! Gives an unknown field a column, and moves its values from the column `extra` there.

use super::connection::PgConnection;
use super::failure::SqlFailure;
use crate::dialect::{PostgresDialect, Relation, SqlDialect};
use crate::schema_plan::SchemaChange;
use crate::sql_name::CURSORS_TABLE;
use crate::sql_table::{EXTRA_COLUMN, SqlTable};
use crate::sql_type::SqlType;

/// How many rows one transaction changes.
const ROWS_PER_STEP: i64 = 5_000;

/// What a promotion did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The column.
    pub column: String,
    /// The type of the column.
    pub sql_type: SqlType,
    /// How many rows got a value.
    pub row_count: u64,
    /// How many rows keep a value in the column `extra`, because the value does not fit.
    pub remaining_count: u64,
}

impl PgConnection {
    /// Gives a field of the body a column in `table`, and moves its values there. A column that exists already is
    /// filled. `table` is the table as the catalogue has it.
    ///
    /// Rows that arrive meanwhile are not lost: a sink notices the new column with its next batch.
    pub async fn promote(
        &self,
        schema: &str,
        table: &SqlTable,
        field: &str,
    ) -> Result<Promotion, SqlFailure> {
        let relation = Relation {
            schema,
            name: &table.name,
        };
        let quoted = PostgresDialect.relation(relation);
        let actual = self.read_schema(schema).await?;
        let Some(existing) = actual.relations.get(&table.name) else {
            return Err(SqlFailure::Refused {
                reason: format!("there is no table {} in the schema {schema}", table.name),
            });
        };
        if existing.column(EXTRA_COLUMN).is_none() {
            return Err(SqlFailure::Refused {
                reason: format!("the table {} has no column {EXTRA_COLUMN}", table.name),
            });
        }
        let refused = |reason| SqlFailure::Refused { reason };
        let adapted = table.adapted(&PostgresDialect, existing).map_err(refused)?;
        let Some(column) = &adapted.column_for_field(field) else {
            return Err(refused(format!(
                "the field {field} cannot have a column: the name is too long, or the column of another field \
                 has it"
            )));
        };
        let existing_type = existing.column(column).map(|column| {
            match PostgresDialect.actual_type(&column.type_name) {
                crate::dialect::ActualType::Same(sql_type) => Ok(sql_type),
                _other => Err(column.type_name.clone()),
            }
        });
        let sql_type = match existing_type {
            Some(Ok(sql_type)) => sql_type,
            Some(Err(type_name)) => {
                return Err(SqlFailure::Refused {
                    reason: format!(
                        "the column {column} has the type {type_name}, which cannot be filled"
                    ),
                });
            }
            None => {
                let sql_type = self.type_of_values(&quoted, field).await?;
                self.add_promoted_column(relation, column, sql_type).await?;
                sql_type
            }
        };
        self.wait_for_batches(schema).await?;
        let row_count = self.fill_column(&quoted, column, field, sql_type).await?;
        let count = format!("select count(*) from {quoted} where extra ? $1::text");
        let remaining: i64 = self.client.query_one(&count, &[&field]).await?.try_get(0)?;
        Ok(Promotion {
            column: column.clone(),
            sql_type,
            row_count,
            remaining_count: u64::try_from(remaining).unwrap_or_default(),
        })
    }

    /// Returns the smallest type for all values of a field in the column `extra`.
    async fn type_of_values(&self, quoted: &str, field: &str) -> Result<SqlType, SqlFailure> {
        let sql = format!(
            "select jsonb_typeof(extra -> $1::text), bool_and(case jsonb_typeof(extra -> $1::text) when 'number' then \
             (extra ->> $1::text)::numeric = trunc((extra ->> $1::text)::numeric) \
             and abs((extra ->> $1::text)::numeric) < 9223372036854775807 end) \
             from {quoted} where extra ? $1::text group by 1"
        );
        let mut found: Option<SqlType> = None;
        for row in self.client.query(&sql, &[&field]).await? {
            let kind: String = row.try_get(0)?;
            let are_integers: Option<bool> = row.try_get(1)?;
            let sql_type = match kind.as_str() {
                "null" => continue,
                "boolean" => SqlType::Boolean,
                "number" if are_integers == Some(true) => SqlType::BigInt,
                "number" => SqlType::Numeric,
                "string" => SqlType::Text,
                _ => SqlType::Json,
            };
            found = Some(found.map_or(sql_type, |found| found.widened(sql_type)));
        }
        found.ok_or_else(|| SqlFailure::Refused {
            reason: format!("no row has a value of the field {field} in the column extra"),
        })
    }

    async fn add_promoted_column(
        &self,
        table: Relation<'_>,
        column: &str,
        sql_type: SqlType,
    ) -> Result<(), SqlFailure> {
        let sql = format!(
            "alter table {} add column {} {}",
            PostgresDialect.relation(table),
            PostgresDialect.quote(column),
            PostgresDialect.type_name(sql_type)
        );
        let change = SchemaChange {
            what: format!("add column {}.{column}", table.name),
            why: "an operator promoted the field".to_owned(),
            sql: vec![sql.clone()],
            is_optional: false,
        };
        self.execute("begin").await?;
        let added = async {
            self.lock_schema(table.schema).await?;
            self.execute(&sql).await?;
            self.record_change(table.schema, &change).await
        };
        if let Err(failure) = added.await {
            self.roll_back().await?;
            return Err(failure);
        }
        self.execute("commit").await
    }

    /// Waits for the batches that do not know the column yet. Every later batch notices the change.
    async fn wait_for_batches(&self, schema: &str) -> Result<(), SqlFailure> {
        let cursors = PostgresDialect.relation(Relation {
            schema,
            name: CURSORS_TABLE,
        });
        self.client
            .query(&format!("select 1 from {cursors} for update"), &[])
            .await?;
        Ok(())
    }

    /// Moves the values, a step per transaction. Returns the number of rows that got a value.
    async fn fill_column(
        &self,
        quoted: &str,
        column: &str,
        field: &str,
        sql_type: SqlType,
    ) -> Result<u64, SqlFailure> {
        let column = PostgresDialect.quote(column);
        let (condition, value) = conversion(sql_type);
        let sql = format!(
            "with step as (select easel_offset from {quoted} \
             where easel_offset > $2 and extra ? $1::text order by easel_offset limit $3), \
             changed as (update {quoted} as target set {column} = case when {condition} then {value} end, \
             extra = nullif(target.extra - $1::text, '{{}}'::jsonb) from step \
             where target.easel_offset = step.easel_offset \
             and ({condition} or target.extra -> $1::text = 'null'::jsonb) returning 1) \
             select max(easel_offset), (select count(*) from changed) from step"
        );
        let (mut after, mut total) = (-1_i64, 0_u64);
        loop {
            let row = self
                .client
                .query_one(&sql, &[&field, &after, &ROWS_PER_STEP])
                .await?;
            let last: Option<i64> = row.try_get(0)?;
            let changed: i64 = row.try_get(1)?;
            total += u64::try_from(changed).unwrap_or_default();
            match last {
                Some(last) => after = last,
                None => return Ok(total),
            }
        }
    }
}

/// Returns the condition under which a value of the column `extra` fits into a column, and the value.
fn conversion(sql_type: SqlType) -> (String, String) {
    let kind = |name: &str| format!("jsonb_typeof(target.extra -> $1::text) = '{name}'");
    let text = "(target.extra ->> $1::text)";
    match sql_type {
        SqlType::Json => (
            "target.extra -> $1::text <> 'null'::jsonb".to_owned(),
            "target.extra -> $1::text".to_owned(),
        ),
        SqlType::Text | SqlType::Varchar(_) => (kind("string"), text.to_owned()),
        SqlType::Boolean => (kind("boolean"), format!("{text}::boolean")),
        SqlType::Numeric => (kind("number"), format!("{text}::numeric")),
        SqlType::Real | SqlType::Double => (
            format!(
                "(case when {} then {text}::numeric = {text}::numeric::double precision::numeric else false end)",
                kind("number")
            ),
            format!("{text}::double precision"),
        ),
        SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => (
            format!(
                "(case when {} then {text}::numeric = trunc({text}::numeric) \
                 and abs({text}::numeric) < 9223372036854775807 else false end)",
                kind("number")
            ),
            format!("{text}::numeric::bigint"),
        ),
        SqlType::Timestamp | SqlType::LocalTimestamp => (
            format!(
                "(case when {} then {text} ~ '^\\d{{4}}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(\\.\\d{{1,6}})?Z$' else false end)",
                kind("string")
            ),
            format!("{text}::timestamptz"),
        ),
        SqlType::Uuid => (
            format!(
                "(case when {} then {text} ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' else false end)",
                kind("string")
            ),
            format!("{text}::uuid"),
        ),
    }
}
