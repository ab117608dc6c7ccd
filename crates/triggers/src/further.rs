//! Members of a body that the catalogue does not list, made of the record.

use easel_catalog::{Column, EventType};
use serde_json::{Map, Value};

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;
use crate::computed;
use crate::fault::Notes;

/// The members that the catalogue's `further` rule gives and that are no listed field: a listed
/// field takes the place of a member of its name.
///
/// A fault names the column where what the rule takes is missing or holds no members.
pub(crate) fn further(
    event_type: &EventType,
    scene: ChangeContext<'_>,
    notes: &mut Notes,
) -> Option<Map<String, Value>> {
    let Some(Column::ComputedBy(rule)) = event_type.further else {
        return None;
    };
    match computed::rule(rule).and_then(|work| work(scene)) {
        Some(Value::Object(members)) => Some(
            members
                .into_iter()
                .filter(|(name, _)| event_type.body.iter().all(|field| field.name != name))
                .collect(),
        ),
        _ => {
            let name = event_type.name;
            let what = format!("`@{rule}` finds no object here; the body of {name} is made of it");
            notes.fault(ChangePath::Computed(rule, scene), what);
            None
        }
    }
}
