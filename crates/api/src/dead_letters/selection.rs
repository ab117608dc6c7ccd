//! Selects dead letters, for a command or for the list. Parked deliveries that wait for an operator are
//! selected in the same way.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use easel_log::Offset;
use easel_subscriptions::EventGlob;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api_error::ApiError;
use crate::events::parse_glob;
use crate::lane_name::{self, LaneNameJson};
use crate::request::Body;

/// The code of a problem with a selection.
const INVALID: &str = "invalid_selection";

/// Selects dead letters. A dead letter must meet all conditions. `{"all": true}` selects all of them.
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
    /// Only dead letters whose reason contains this text.
    reason: Option<String>,
    /// Whether to select all dead letters. Required if there is no other condition.
    #[serde(default)]
    all: bool,
}

/// A selection of dead letters, ready to match.
pub(crate) struct Selection {
    offsets: Option<BTreeSet<u64>>,
    matches: Box<dyn Fn(&str) -> bool + Send + Sync>,
    reason: Option<String>,
}

impl SelectionJson {
    /// Parses the body of a command: the lane and the selected dead letters.
    pub(super) fn parse(body: &Body) -> Result<(LaneNameJson, Selection), ApiError> {
        let Self {
            lane,
            offsets,
            event,
            reason,
            all,
        } = body.parse(INVALID)?;
        let is_narrowed = offsets.is_some() || event.is_some() || reason.is_some();
        if all && is_narrowed {
            let detail = "`all` must not be combined with `offsets`, `event` or `reason`.";
            return Err(ApiError::invalid(INVALID, detail).with_pointer("/all"));
        }
        if !all && !is_narrowed {
            let detail =
                "A selection is required: `offsets`, `event` or `reason`, or `{\"all\": true}`.";
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
    /// Creates the selection of a query.
    pub(super) fn from_query(
        event: Option<&str>,
        reason: Option<String>,
    ) -> Result<Self, ApiError> {
        let event = event.map(|event| parse_glob(Some(event))).transpose()?;
        Ok(Self {
            offsets: None,
            matches: matches(event),
            reason,
        })
    }

    /// Returns the range from the first selected offset to the last.
    pub(super) fn offsets(&self) -> RangeInclusive<Offset> {
        let Some(offsets) = &self.offsets else {
            return Offset::ZERO..=Offset::new(u64::MAX);
        };
        let first = offsets.first().copied().unwrap_or(0);
        let last = offsets.last().copied().unwrap_or(0);
        Offset::new(first)..=Offset::new(last)
    }

    /// Returns whether the delivery at `offset` is selected.
    pub(super) fn covers(&self, offset: Offset, event_type: &str, reason: &str) -> bool {
        self.offsets
            .as_ref()
            .is_none_or(|offsets| offsets.contains(&offset.get()))
            && (self.matches)(event_type)
            && self
                .reason
                .as_ref()
                .is_none_or(|part| reason.contains(part))
    }
}

/// Returns a function that tests an event type. Without a pattern, every event type matches, also
/// those of operator events.
fn matches(event: Option<EventGlob>) -> Box<dyn Fn(&str) -> bool + Send + Sync> {
    match event {
        Some(event) => Box::new(event.matcher()),
        None => Box::new(|_event_type| true),
    }
}
