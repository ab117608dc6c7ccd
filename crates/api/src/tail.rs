//! `/v1/events/stream`: events as they are accepted, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use easel_log::{Bounds, Offset};
use easel_subscriptions::EventGlob;
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::watch;
use tracing::error;
use utoipa::IntoParams;

use crate::Api;
use crate::events::{Page, event_json, glob, start};
use crate::failure::Failure;

/// Events fetched at once.
const PAGE: usize = 100;

/// A comment is sent after this much silence, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Pause after the log could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Beginning {
    /// An offset, or `latest`, which is meant when it is left out.
    from: Option<String>,
    /// Only event types this pattern matches.
    event: Option<String>,
}

/// Streams events as they are accepted. `Last-Event-ID` goes on after the event it names.
#[utoipa::path(get, path = "/v1/events/stream", tag = "events", params(Beginning), responses((status = OK, content_type = "text/event-stream", body = crate::events::EventJson), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn stream(
    State(api): State<Api>,
    Query(beginning): Query<Beginning>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let next = match last {
        Some(last) => Offset::new(last).next(),
        None => start(&api.log, beginning.from.as_deref().or(Some("latest")), None).await?,
    };
    let tail = Tail {
        bounds: api.log.bounds(),
        glob: glob(beginning.event.as_deref())?,
        next,
        api,
    };
    let events = stream::unfold(tail, Tail::step).flat_map(stream::iter);
    Ok(Sse::new(events.map(Ok)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Where one stream stands.
struct Tail {
    api: Api,
    glob: EventGlob,
    bounds: watch::Receiver<Bounds>,
    next: Offset,
}

impl Tail {
    /// The next events, however long they take; `None` when the server stops.
    async fn step(mut self) -> Option<(Vec<Event>, Self)> {
        let stop = self.api.stop.clone();
        tokio::select! {
            () = stop.cancelled() => None,
            events = self.fetch() => Some((events, self)),
        }
    }

    async fn fetch(&mut self) -> Vec<Event> {
        loop {
            self.bounds.mark_unchanged();
            match Page::read(&self.api.log, self.next, PAGE, &self.glob).await {
                Ok(page) => {
                    self.next = page.next;
                    let events: Vec<_> = page.records.iter().filter_map(sse_event).collect();
                    if !events.is_empty() {
                        return events;
                    }
                }
                Err(error) => {
                    error!(%error, "stream cannot read the log");
                    tokio::time::sleep(READ_PAUSE).await;
                }
            }
            let at_head = self.next >= self.bounds.borrow().head;
            if at_head && self.bounds.changed().await.is_err() {
                // The log is closed; the stop that follows ends the stream.
                std::future::pending::<()>().await;
            }
        }
    }
}

fn sse_event(record: &easel_log::Record) -> Option<Event> {
    let json = event_json(record)?;
    let event = Event::default().event("event").id(json.offset.to_string());
    event.json_data(json).ok()
}
