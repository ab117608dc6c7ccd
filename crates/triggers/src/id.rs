//! Ids in columns.

use easel_catalog::GlobalId;
use serde_json::Value;

use crate::TriggerOptions;

/// Parses the id in a column. The result has shard 0 if the column has a local id.
pub(crate) fn id_of(value: &Value) -> Option<GlobalId> {
    match value {
        Value::Number(number) => number.as_u64().map(GlobalId::from),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Returns `id` with a shard. An id without one (shard 0) gets the shard of `options`.
pub(crate) fn with_shard(id: GlobalId, options: TriggerOptions) -> Option<GlobalId> {
    match id.shard() {
        0 => GlobalId::new(options.shard, id.local()).ok(),
        _ => Some(id),
    }
}
