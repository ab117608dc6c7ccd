//! Compares the position that a destination stores with the log.
//!
//! An old copy of a log gets other events at the offsets after the copy. If a lane continued at a position of
//! the newer log, these events would count as delivered. So the position must not be beyond the head, and the log
//! must have the destination's last event right before the position.

use std::sync::Arc;

use easel_log::{Found, Offset, ReadError, Reader, Record, SharedLog};
use easel_sinks::StoredPosition;

/// Returns why the position is not one of this log; `None` if it can be.
pub(super) async fn find_contradiction(
    log: &SharedLog,
    position: StoredPosition,
) -> Result<Option<String>, ReadError> {
    let head = log.bounds().borrow().head;
    let StoredPosition {
        next_offset,
        last_event_id,
    } = position;
    if next_offset > head {
        return Ok(Some(format!(
            "its destination has events up to offset {next_offset}, but the log ends at {head}"
        )));
    }
    let (Some(last_event_id), Some(last)) = (last_event_id, next_offset.get().checked_sub(1))
    else {
        return Ok(None);
    };
    let last = Offset::new(last);
    let mut reader = Reader::new(Arc::clone(log), last);
    let Some(Found::Block { block, .. }) = reader.try_next().await? else {
        // The log no longer has the event.
        return Ok(None);
    };
    let is_other = |record: Record| record.id != last_event_id;
    Ok(block.record(last).is_some_and(is_other).then(|| {
        format!(
            "its destination has events up to offset {next_offset}, but the log, which ends at {head}, \
             has another event at offset {last}"
        )
    }))
}
