//! Sinks, batches and events for the tests.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use easel_catalog::{Catalog, EventOrigin, Limits, admit};
use easel_keys::SecretUrl;
use easel_log::Offset;
use easel_sink_sql::{
    CursorKey, EventTables, GuardSource, PgOptions, PromoteFields, SqlSink, SqlSinkOptions,
    TableLayout, TableViews,
};
use easel_sinks::{Batch, Form, Guard, Item, SendError, Sink};
use jiff::Timestamp;

/// The time of the first event.
pub(crate) const START: Timestamp = Timestamp::constant(1_770_797_742, 67_000_000);

/// Allows connections to this machine.
pub(crate) fn local_guard() -> GuardSource {
    Arc::new(|| Guard {
        loopback_allowed: true,
        ..Guard::default()
    })
}

/// Returns the options of a sink for the schema `live`, with the epoch 1.
pub(crate) fn options(url: &str) -> SqlSinkOptions {
    let mut database = PgOptions::new(&SecretUrl::new(url), None, local_guard()).unwrap();
    database.statement_timeout = Duration::from_secs(20);
    database.lock_timeout = Duration::from_secs(5);
    SqlSinkOptions {
        database,
        schema: "live".to_owned(),
        tables: tables(TableLayout::Typed),
        views: TableViews::All,
        promote: PromoteFields::Manual,
        rows_may_exist: false,
        key: CursorKey {
            folder: "folder-1".to_owned(),
            subscription: "tables".to_owned(),
            replay: 0,
        },
        epoch: 1,
        max_items: 1_000,
        gather: Duration::ZERO,
    }
}

/// Returns the tables of the built-in catalogue.
pub(crate) fn tables(layout: TableLayout) -> Arc<EventTables> {
    let catalog = Arc::new(Catalog::built_in());
    Arc::new(EventTables::new(catalog, layout, Vec::new()))
}

/// Returns a sink for the schema `live`, with the epoch 1.
pub(crate) fn sink(url: &str) -> SqlSink {
    SqlSink::new(options(url))
}

/// Returns an item with the event's own id.
pub(crate) fn item(offset: u64, json: &str) -> Arc<Item> {
    let event = admit(json.as_bytes(), &Limits::default()).unwrap();
    Arc::new(Item {
        offset: Offset::new(offset),
        id: event.id,
        event_type: Arc::clone(&event.event_type),
        occurred_at: event.occurred_at,
        appended_at: Some(event.occurred_at + Duration::from_secs(1)),
        event_time: event.occurred_at.to_string(),
        form: Form::Canvas(Bytes::from(event.bytes.to_vec())),
        jwt: None,
    })
}

/// Returns an event with this body. Its time rises with `offset`.
pub(crate) fn event(offset: u64, event_type: &str, body: &str) -> Arc<Item> {
    let time = START + Duration::from_secs(offset);
    item(
        offset,
        &format!(
            r#"{{"metadata":{{"event_name":"{event_type}","event_time":"{time}","user_id":"70000000000812"}},"body":{body}}}"#
        ),
    )
}

/// Returns the example of every event type of the catalogue, as requests and as jobs.
pub(crate) fn examples() -> Vec<(u64, String)> {
    let catalog = Catalog::built_in();
    let mut examples = Vec::new();
    for origin in [EventOrigin::Request, EventOrigin::Job] {
        for event_type in catalog.types() {
            let offset = u64::try_from(examples.len()).unwrap();
            let time = START + Duration::from_millis(offset);
            examples.push((offset, catalog.example(event_type, origin, time)));
        }
    }
    examples
}

/// Returns a batch of these items.
pub(crate) fn batch(items: Vec<Arc<Item>>) -> Batch {
    Batch {
        subscription: Arc::from("tables"),
        attempt: NonZeroU32::MIN,
        replay: None,
        keys: Vec::new(),
        items,
    }
}

/// Sends a batch, and returns the first failure.
pub(crate) async fn send(sink: &SqlSink, items: Vec<Arc<Item>>) -> Result<(), SendError> {
    let count = items.len();
    let outcome = sink.send(&batch(items)).await;
    outcome.first_failure(count).cloned().map_or(Ok(()), Err)
}

/// Returns the position that the sink reports.
pub(crate) async fn position(sink: &SqlSink) -> Option<u64> {
    let position = sink.resume_at(None).await.unwrap();
    position.map(|position| position.next_offset.get())
}
