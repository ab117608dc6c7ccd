//! Computed values of outcomes and of their results.

use easel_catalog::GlobalId;
use serde_json::Value;

use crate::change_context::ChangeContext;
use crate::id::id_of;

pub(super) fn associated_asset_id(ctx: ChangeContext<'_>) -> Option<Value> {
    associated_asset(ctx, "association_id", "associated_asset_id")
}

pub(super) fn associated_asset_type(ctx: ChangeContext<'_>) -> Option<Value> {
    associated_asset(ctx, "association_type", "associated_asset_type")
}

/// Returns the asset of a result. A result without its own asset has the asset of the rubric
/// association.
fn associated_asset(
    ctx: ChangeContext<'_>,
    rubric_column: &str,
    own_column: &str,
) -> Option<Value> {
    let column = ctx.get(own_column);
    // This column is read in every case, so that the recorder sees the read.
    let association = ctx.related("rubric_association");
    let asset = association.and_then(|row| row.get(rubric_column));
    let has_asset = ctx.value("associated_asset_id").is_some();
    let is_from_rubric = ctx.text("artifact_type") == Some("RubricAssessment")
        && ctx
            .text("association_type")
            .is_none_or(|kind| kind == "RubricAssociation");
    let is_deleted = ctx.text("workflow_state") == Some("deleted");
    if has_asset || !is_from_rubric || is_deleted {
        return column.cloned();
    }
    asset.or(column).cloned()
}

/// Returns the id of the original of a copied outcome. An id of another shard becomes a local id.
pub(super) fn copied_from_outcome_id(ctx: ChangeContext<'_>) -> Option<Value> {
    let column = ctx.get("copied_from_outcome_id")?;
    match id_of(column) {
        Some(id) if is_of_another_shard(ctx, id) => Some(id.local().into()),
        _ => Some(column.clone()),
    }
}

/// Returns the UUID of the root account of the original, if the original is on another shard.
pub(super) fn original_root_account_uuid(ctx: ChangeContext<'_>) -> Option<Value> {
    let id = ctx.value("copied_from_outcome_id").and_then(id_of)?;
    let account = ctx.related("original_root_account");
    let uuid = account?.get("uuid")?;
    is_of_another_shard(ctx, id).then(|| uuid.clone())
}

/// Returns whether an id belongs to another shard. False if `triggers.shard` is not set.
fn is_of_another_shard(ctx: ChangeContext<'_>, id: GlobalId) -> bool {
    let own_shard = ctx.options.shard;
    own_shard != 0 && id.shard() != 0 && id.shard() != own_shard
}
