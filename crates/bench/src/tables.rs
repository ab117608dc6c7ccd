//! Compares writing events to tables with a bare COPY of the same rows.
//!
//! Both write the same batches, in transactions with one COPY per table and one update of a cursor. The bare
//! COPY sends bytes that are ready, so it does nothing but wait for PostgreSQL.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
use std::time::Instant;

use anyhow::{Context, ensure};
use bytes::Bytes;
use easel_catalog::{Catalog, Event, EventOrigin, Limits, admit};
use easel_keys::SecretUrl;
use easel_log::Offset;
use easel_simulator::{Campus, TermOptions};
use easel_sink_sql::{
    CursorKey, EventTables, PgOptions, PromoteFields, SqlSink, SqlSinkOptions, TableLayout,
    TableViews,
};
use easel_sinks::{Batch, Form, Guard, Item, Sink};
use easel_triggers::{TriggerOptions, Triggers};
use futures::{SinkExt, TryStreamExt};
use jiff::Timestamp;
use tokio_postgres::{Client, NoTls};

/// The schemas of the two ways.
const EASEL: &str = "bench_easel";
const BARE: &str = "bench_bare";

#[derive(clap::Args)]
pub(crate) struct TablesBenchArgs {
    /// URL of a PostgreSQL database on this machine, without TLS. Its schemas `bench_easel` and
    /// `bench_bare` are replaced
    #[arg(long, value_name = "URL")]
    database: String,
    /// Where the events come from: `term` (a simulated term), `types` (64 event types, evenly) or `one` (one
    /// event type)
    #[arg(long, default_value = "types")]
    events: String,
    /// Events per round
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// Events per transaction
    #[arg(long, default_value_t = 4_000)]
    batch: usize,
    /// Rounds per variant
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// The rows of one batch for one table, ready for a COPY.
struct TableCopy {
    table: String,
    columns: String,
    chunks: Vec<Bytes>,
}

impl TablesBenchArgs {
    #[expect(clippy::print_stdout, reason = "the program prints its results")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let items = self.items()?;
            let types: std::collections::BTreeSet<_> =
                items.iter().map(|item| &item.event_type).collect();
            println!(
                "{} events of {} event types, {} in a transaction",
                items.len(),
                types.len(),
                self.batch
            );
            let (client, connection) = tokio_postgres::connect(&self.database, NoTls).await?;
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn(async move { drop(connection.await) });
            for schema in [EASEL, BARE] {
                let drop = format!("drop schema if exists {schema} cascade");
                client.batch_execute(&drop).await?;
            }
            // The first round creates the tables.
            self.write(&items, 0).await?;
            let copies = self.prepare_bare(&client).await?;
            let (mut easel, mut bare) = (Vec::new(), Vec::new());
            for round in 1..=self.rounds {
                empty(&client).await?;
                easel.push(timed(self.write(&items, round)).await?);
                bare.push(timed(copy(&client, &copies)).await?);
            }
            let (easel, bare) = (median(easel), median(bare));
            let rate = |time: Duration| {
                u32::try_from(items.len()).map_or(0.0, f64::from) / time.as_secs_f64()
            };
            println!("bare COPY  {:>9.0} rows/s", rate(bare));
            println!(
                "Easel      {:>9.0} rows/s, {:.0} % of the bare COPY",
                rate(easel),
                100.0 * rate(easel) / rate(bare)
            );
            Ok(())
        })
    }

    /// Returns the events as items.
    fn items(&self) -> anyhow::Result<Vec<Arc<Item>>> {
        let catalog = Catalog::built_in();
        let events: Vec<Event> = match self.events.as_str() {
            "term" => self.term()?,
            source @ ("types" | "one") => {
                let known = catalog.types().iter();
                let known = known.filter(|event_type| !event_type.columns_only);
                let wanted = known.take(if source == "one" { 1 } else { 64 });
                let examples = wanted.map(|event_type| {
                    let example =
                        catalog.example(event_type, EventOrigin::Request, Timestamp::now());
                    Ok(admit(example.as_bytes(), &Limits::default())?)
                });
                examples.collect::<anyhow::Result<_>>()?
            }
            other => anyhow::bail!("unknown source of events: {other}"),
        };
        let items = events.iter().cycle().take(self.count).enumerate();
        let items = items.map(|(index, event)| {
            Ok(Arc::new(Item {
                offset: Offset::new(u64::try_from(index)?),
                id: uuid::Uuid::from_u128(fastrand::u128(..)),
                event_type: Arc::clone(&event.event_type),
                occurred_at: event.occurred_at,
                appended_at: Some(event.occurred_at),
                event_time: event.occurred_at.to_string(),
                form: Form::Canvas(Bytes::from(event.bytes.to_vec())),
                jwt: None,
            }))
        });
        items.collect()
    }

    /// Returns events of a simulated term.
    fn term(&self) -> anyhow::Result<Vec<Event>> {
        let triggers = Triggers::new(Arc::new(Catalog::built_in()), TriggerOptions::default())?;
        let options = TermOptions {
            students: 500,
            days: 10,
            ..TermOptions::default()
        };
        let mut events = Vec::new();
        for change in Campus::new(options) {
            events.extend(triggers.events(&change, Timestamp::UNIX_EPOCH)?.events);
            if events.len() >= self.count {
                break;
            }
        }
        Ok(events)
    }

    /// Writes the events through a sink with a new position.
    async fn write(&self, items: &[Arc<Item>], round: usize) -> anyhow::Result<()> {
        let guard = Arc::new(|| Guard {
            loopback_allowed: true,
            ..Guard::default()
        });
        let catalog = Arc::new(Catalog::built_in());
        let sink = SqlSink::new(SqlSinkOptions {
            database: PgOptions::new(&SecretUrl::new(self.database.as_str()), None, guard)?,
            schema: EASEL.to_owned(),
            tables: Arc::new(EventTables::new(catalog, TableLayout::Typed, Vec::new())),
            views: TableViews::Off,
            key: CursorKey {
                folder: "bench".to_owned(),
                subscription: round.to_string(),
                replay: 0,
            },
            promote: PromoteFields::Manual,
            rows_may_exist: false,
            epoch: 1,
            max_items: self.batch,
            gather: Duration::ZERO,
        });
        for part in items.chunks(self.batch) {
            let batch = Batch {
                subscription: Arc::from("bench"),
                attempt: NonZeroU32::MIN,
                replay: None,
                keys: Vec::new(),
                items: part.to_vec(),
            };
            let outcome = sink.send(&batch).await;
            if let Some(failure) = outcome.first_failure(part.len()) {
                anyhow::bail!("{failure}");
            }
        }
        Ok(())
    }

    /// Creates the tables of the bare COPY, and returns the rows of each batch.
    async fn prepare_bare(&self, client: &Client) -> anyhow::Result<Vec<Vec<TableCopy>>> {
        let tables = "select relname::text, string_agg(quote_ident(attname), ', ' order by attnum) \
             from pg_class c join pg_attribute a on attrelid = c.oid and attnum > 0 and attgenerated = '' \
             where relnamespace = $1::text::regnamespace and relkind = 'r' and relname not like 'easel%' group by 1";
        let tables = client.query(tables, &[&EASEL]).await?;
        client
            .batch_execute(&format!(
                "create schema {BARE}; create table {BARE}.easel_cursor (next_offset bigint); \
                 insert into {BARE}.easel_cursor values (0)"
            ))
            .await?;
        let mut by_table = BTreeMap::new();
        for row in tables {
            let (name, columns): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let create =
                format!("create table {BARE}.{name:?} (like {EASEL}.{name:?} including all)");
            client.batch_execute(&create).await?;
            by_table.insert(name, columns);
        }
        let mut batches = Vec::new();
        for first in (0..self.count).step_by(self.batch) {
            let mut copies = Vec::new();
            for (table, columns) in &by_table {
                let select = format!(
                    "copy (select {columns} from {EASEL}.{table:?} where easel_offset >= {first} \
                     and easel_offset < {} order by 1) to stdout (format binary)",
                    first + self.batch
                );
                let rows: Vec<Bytes> = client.copy_out(&select).await?.try_collect().await?;
                let bytes = rows.concat();
                // The header and the trailer alone have 21 bytes.
                if bytes.len() > 21 {
                    let chunks = bytes.chunks(64 << 10).map(Bytes::copy_from_slice);
                    copies.push(TableCopy {
                        table: table.clone(),
                        columns: columns.clone(),
                        chunks: chunks.collect(),
                    });
                }
            }
            batches.push(copies);
        }
        ensure!(!batches.is_empty(), "there are no events");
        Ok(batches)
    }
}

/// Empties the tables of both ways.
async fn empty(client: &Client) -> anyhow::Result<()> {
    let tables = "select string_agg(format('%I.%I', nspname, relname), ', ') from pg_class c \
         join pg_namespace n on n.oid = relnamespace where nspname in ($1::text, $2::text) and relkind = 'r' \
         and relname not like 'easel%'";
    let row = client.query_one(tables, &[&EASEL, &BARE]).await?;
    let names: String = row.try_get(0)?;
    let statements = format!("truncate {names}; checkpoint");
    for statement in statements.split("; ") {
        client
            .batch_execute(statement)
            .await
            .context("the role must be a superuser, to make a checkpoint")?;
    }
    Ok(())
}

/// Copies all batches, each in a transaction.
async fn copy(client: &Client, batches: &[Vec<TableCopy>]) -> anyhow::Result<()> {
    for batch in batches {
        client.batch_execute("begin").await?;
        for TableCopy {
            table,
            columns,
            chunks,
        } in batch
        {
            let copy = format!("copy {BARE}.{table:?} ({columns}) from stdin (format binary)");
            let mut rows = Box::pin(client.copy_in(&copy).await?);
            for chunk in chunks {
                rows.feed(chunk.clone()).await?;
            }
            rows.as_mut().finish().await?;
        }
        let update = format!("update {BARE}.easel_cursor set next_offset = next_offset + 1");
        client.batch_execute(&update).await?;
        client.batch_execute("commit").await?;
    }
    Ok(())
}

async fn timed(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Duration> {
    #[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
    let start = Instant::now();
    work.await?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
