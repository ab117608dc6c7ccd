//! Members of a body that the catalogue does not list, made of the record.

use easel_catalog::{Column, EventType};
use serde_json::{Map, Value};

use crate::fault::Notes;
use crate::place::Place;
use crate::scene::Scene;
use crate::worked;

/// The members that the catalogue's `further` rule gives and that are no listed field: a listed
/// field takes the place of a member of its name.
///
/// A fault names the column where what the rule takes is missing or holds no members.
pub(crate) fn further(
    event_type: &EventType,
    scene: Scene<'_>,
    notes: &mut Notes,
) -> Option<Map<String, Value>> {
    let Some(Column::Worked(rule)) = event_type.further else {
        return None;
    };
    match worked::rule(rule).and_then(|work| work(scene)) {
        Some(Value::Object(members)) => Some(
            members
                .into_iter()
                .filter(|(name, _)| event_type.body.iter().all(|field| field.name != name))
                .collect(),
        ),
        _ => {
            let name = event_type.name;
            let what = format!("`@{rule}` finds no object here; the body of {name} is made of it");
            notes.fault(Place::Worked(rule, scene), what);
            None
        }
    }
}
