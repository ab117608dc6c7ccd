//! The order in which a lane sends.
//!
//! The batcher returns failed batches first, then new events by offset. With an ordered sink, one batch is
//! in flight at a time, and a failure puts the lane on hold. So offsets reach the destination in order.

use easel_sinks::{Order, SinkLimits};

/// Returns the limits of a sink, with one batch in flight if the sink is ordered.
pub(super) const fn ordered_limits(limits: SinkLimits) -> SinkLimits {
    let max_in_flight = match limits.order {
        Order::Any => limits.max_in_flight,
        Order::Offset => 1,
    };
    SinkLimits {
        max_in_flight,
        ..limits
    }
}
