//! The order in which a lane sends.
//!
//! The source returns failed batches first, then new events by offset. An ordered sink has one batch in
//! flight at a time, and a failure holds the lane. So offsets reach the destination in order.

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
