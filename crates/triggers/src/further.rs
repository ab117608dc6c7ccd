//! Members of a body that the catalogue does not list. They come from the row.

use easel_catalog::{Column, EventType};
use serde_json::{Map, Value};

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;
use crate::computed;
use crate::fault::Notes;

/// Returns the members that the computation `further` of the event type yields, without those that have
/// the name of a listed field.
///
/// Notes a fault if the column is missing or is not an object.
pub(crate) fn further(
    event_type: &EventType,
    ctx: ChangeContext<'_>,
    notes: &mut Notes,
) -> Option<Map<String, Value>> {
    let Some(Column::ComputedBy(computed_name)) = event_type.further else {
        return None;
    };
    match computed::computation(computed_name).and_then(|compute| compute(ctx)) {
        Some(Value::Object(members)) => Some(
            members
                .into_iter()
                .filter(|(name, _)| event_type.body.iter().all(|field| field.name != name))
                .collect(),
        ),
        _ => {
            let name = event_type.name;
            let what = format!(
                "this object is missing; the body of {name} is computed from it (`@{computed_name}`)"
            );
            notes.fault(ChangePath::Computed(computed_name, ctx), what);
            None
        }
    }
}
