//! Values of outcomes and of their results.

use easel_catalog::GlobalId;
use serde_json::Value;

use crate::change_context::ChangeContext;
use crate::computed::id_of;

pub(super) fn associated_asset_id(scene: ChangeContext<'_>) -> Option<Value> {
    associated_asset(scene, "association_id", "associated_asset_id")
}

pub(super) fn associated_asset_type(scene: ChangeContext<'_>) -> Option<Value> {
    associated_asset(scene, "association_type", "associated_asset_type")
}

/// What the assessed work was done for: the result's own asset; where it has none, what the rubric
/// is used with.
fn associated_asset(scene: ChangeContext<'_>, of_rubric: &str, own: &str) -> Option<Value> {
    let column = scene.get(own);
    // Read in any case, so that it is known that this column can be read.
    let association = scene.related("rubric_association");
    let asset = association.and_then(|row| row.get(of_rubric));
    let has_asset = scene.value("associated_asset_id").is_some();
    let is_of_rubric = scene.text("artifact_type") == Some("RubricAssessment")
        && scene
            .text("association_type")
            .is_none_or(|kind| kind == "RubricAssociation");
    let is_deleted = scene.text("workflow_state") == Some("deleted");
    if has_asset || !is_of_rubric || is_deleted {
        return column.cloned();
    }
    asset.or(column).cloned()
}

/// The outcome that this one is a copy of, by its local id even if it is on another shard.
pub(super) fn copied_from_outcome_id(scene: ChangeContext<'_>) -> Option<Value> {
    let column = scene.get("copied_from_outcome_id")?;
    match id_of(column) {
        Some(id) if is_elsewhere(scene, id) => Some(id.local().into()),
        _ => Some(column.clone()),
    }
}

/// The root account of an original on another shard.
pub(super) fn original_root_account_uuid(scene: ChangeContext<'_>) -> Option<Value> {
    let id = scene.value("copied_from_outcome_id").and_then(id_of)?;
    let account = scene.related("original_root_account");
    let uuid = account?.get("uuid")?;
    is_elsewhere(scene, id).then(|| uuid.clone())
}

/// Whether an id is of another shard than ours, which nobody knows without shards.
fn is_elsewhere(scene: ChangeContext<'_>, id: GlobalId) -> bool {
    let ours = scene.options.shard;
    ours != 0 && id.shard() != 0 && id.shard() != ours
}
