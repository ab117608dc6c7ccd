//! Members of a body that the catalogue does not list. They come from the row.

use easel_catalog::{Column, EventType};
use serde_json::{Map, Value};

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;
use crate::computed;
use crate::fault::Notes;

/// Returns the members that the computation `further` of the event type yields. A listed field wins
/// over a member of the same name.
///
/// Notes a fault if the column is missing or is not an object.
pub(crate) fn further(
    event_type: &EventType,
    ctx: ChangeContext<'_>,
    notes: &mut Notes,
) -> Option<Map<String, Value>> {
    let Some(Column::ComputedBy(rule)) = event_type.further else {
        return None;
    };
    match computed::rule(rule).and_then(|compute| compute(ctx)) {
        Some(Value::Object(members)) => Some(
            members
                .into_iter()
                .filter(|(name, _)| event_type.body.iter().all(|field| field.name != name))
                .collect(),
        ),
        _ => {
            let name = event_type.name;
            let what = format!("`@{rule}` finds no object here; the body of {name} needs it");
            notes.fault(ChangePath::Computed(rule, ctx), what);
            None
        }
    }
}
