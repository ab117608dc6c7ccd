//! Which dead letters a command or a list is about.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use easel_log::Offset;
use easel_subscriptions::EventGlob;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api_error::ApiError;
use crate::events::glob;
use crate::lane_name::{self, LaneNameJson};
use crate::request::Body;

/// The code when a selection cannot be read.
const INVALID: &str = "invalid_selection";

/// Which dead letters. What is given must all hold. Say `{"all": true}` to choose all of them.
#[derive(Deserialize, ToSchema)]
#[schema(as = DeadLetterSelection)]
#[serde(deny_unknown_fields)]
pub(crate) struct SelectionJson {
    #[schema(schema_with = lane_name::schema)]
    #[serde(default)]
    lane: LaneNameJson,
    /// Only these offsets.
    #[schema(value_type = Option<Vec<u64>>)]
    offsets: Option<BTreeSet<u64>>,
    /// Only event types that this pattern matches.
    #[schema(value_type = Option<String>, example = "grade_*")]
    event: Option<EventGlob>,
    /// Only those whose reason contains this text.
    reason: Option<String>,
    /// All of them. It must be said if nothing else is.
    #[serde(default)]
    all: bool,
}

/// Which dead letters.
pub(crate) struct Selection {
    offsets: Option<BTreeSet<u64>>,
    matches: Box<dyn Fn(&str) -> bool + Send + Sync>,
    reason: Option<String>,
}

impl SelectionJson {
    /// Reads which lane and which dead letters a command is about.
    pub(super) fn read(body: &Body) -> Result<(LaneNameJson, Selection), ApiError> {
        let Self {
            lane,
            offsets,
            event,
            reason,
            all,
        } = body.read(INVALID)?;
        let is_narrowed = offsets.is_some() || event.is_some() || reason.is_some();
        if all && is_narrowed {
            let detail = "Say `all` or a selection, not both.";
            return Err(ApiError::invalid(INVALID, detail).at("/all"));
        }
        if !all && !is_narrowed {
            let detail =
                "Say which dead letters: `offsets`, `event` or `reason`, or `{\"all\": true}`.";
            return Err(ApiError::invalid("selection_missing", detail));
        }
        let selection = Selection {
            offsets,
            matches: matches(event),
            reason,
        };
        Ok((lane, selection))
    }
}

impl Selection {
    /// The selection of a query.
    pub(super) fn of_query(event: Option<&str>, reason: Option<String>) -> Result<Self, ApiError> {
        let event = event.map(|event| glob(Some(event))).transpose()?;
        Ok(Self {
            offsets: None,
            matches: matches(event),
            reason,
        })
    }

    /// From the first of its offsets to the last.
    pub(super) fn offsets(&self) -> RangeInclusive<Offset> {
        let Some(offsets) = &self.offsets else {
            return Offset::ZERO..=Offset::new(u64::MAX);
        };
        let first = offsets.first().copied().unwrap_or(0);
        let last = offsets.last().copied().unwrap_or(0);
        Offset::new(first)..=Offset::new(last)
    }

    /// Whether it is about the delivery at an offset.
    pub(super) fn covers(&self, offset: Offset, event_type: &str, reason: &str) -> bool {
        self.offsets
            .as_ref()
            .is_none_or(|offsets| offsets.contains(&offset.get()))
            && (self.matches)(event_type)
            && self.reason.as_ref().is_none_or(|it| reason.contains(it))
    }
}

/// Whether a pattern matches an event type. Without a pattern all do, those of Easel itself too.
fn matches(event: Option<EventGlob>) -> Box<dyn Fn(&str) -> bool + Send + Sync> {
    match event {
        Some(event) => Box::new(event.matcher()),
        None => Box::new(|_event_type| true),
    }
}
