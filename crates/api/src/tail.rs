//! `/v1/events/stream`: new events as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use easel_access::Caller;
use easel_audit::{AuditNote, StreamTally};
use easel_log::{Offset, Reader, Record};
use easel_subscriptions::EventGlob;
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use tracing::error;
use utoipa::IntoParams;

use crate::Api;
use crate::api_error::ApiError;
use crate::events::{EventJson, EventListJson, parse_glob, reader, start_offset};
use crate::request::Query;

/// The number of events in one read.
const PAGE: usize = 100;

/// After this time without an event, a comment is sent, so that proxies keep the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailQuery {
    /// The offset to begin at, or `latest` for future events only. The default is `latest`.
    #[param(pattern = "^(latest|[0-9]{1,19})$")]
    from: Option<String>,
    /// Only event types that this pattern matches. Operator events match only a pattern that begins
    /// with `easel.`.
    #[param(min_length = 1, max_length = 128)]
    event: Option<String>,
}

/// Streams new events. With `Last-Event-ID`, the stream continues after that event.
#[utoipa::path(get, path = "/v1/events/stream", operation_id = "stream_events", tag = "events", params(TailQuery), responses((status = OK, content_type = "text/event-stream", body = EventJson), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn stream(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<TailQuery>,
    headers: HeaderMap,
) -> Result<
    (
        Extension<AuditNote>,
        Sse<impl Stream<Item = Result<Event, Infallible>>>,
    ),
    ApiError,
> {
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let from = match last {
        Some(last) => Offset::new(last).next(),
        None => start_offset(&api.log, query.from.as_deref().or(Some("latest")), None).await?,
    };
    let glob = parse_glob(query.event.as_deref())?;
    let tally = Arc::new(StreamTally::default());
    let tail = Tail {
        reader: reader(&api.log, from, &glob),
        glob,
        api: api.clone(),
        caller: caller.clone(),
        tally: Arc::clone(&tally),
    };
    let events = stream::unfold(tail, async |mut tail| Some((tail.fetch().await, tail)))
        .flat_map(stream::iter)
        .take_until(async move { api.wait_for_end(&caller).await });
    let stream = Sse::new(events.map(Ok)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok((Extension(AuditNote::of_stream(tally)), stream))
}

/// The position of one stream.
struct Tail {
    reader: Reader,
    glob: EventGlob,
    api: Api,
    caller: Caller,
    /// The events that the stream has shown.
    tally: Arc<StreamTally>,
}

impl Tail {
    /// Waits for the next events and returns them.
    async fn fetch(&mut self) -> Vec<Event> {
        loop {
            let is_shown = |record: &Record| self.api.shows(&self.caller, record);
            match EventListJson::read(&mut self.reader, PAGE, &self.glob, is_shown).await {
                Ok(page) => {
                    for event in &page.events {
                        self.tally.add(event.offset.get());
                    }
                    let events: Vec<_> = page.events.into_iter().filter_map(sse_event).collect();
                    if !events.is_empty() {
                        return events;
                    }
                }
                Err(error) => error!(%error, "stream cannot read the log"),
            }
            if !self.reader.wait().await {
                // The log is closed, so the server stops, and the stop ends the stream.
                std::future::pending::<()>().await;
            }
        }
    }
}

fn sse_event(json: EventJson) -> Option<Event> {
    let event = Event::default().event("event").id(json.offset.to_string());
    event.json_data(json).ok()
}
