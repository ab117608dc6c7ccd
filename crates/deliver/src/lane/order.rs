//! In which order a lane sends.
//!
//! A lane takes from its source by offset, and what failed before anything new. So with one batch
//! under way at a time, and nothing else while the lane holds after a failure, offsets reach the
//! destination in order.

use easel_sinks::{Order, SinkLimits};

/// The limits of a sink, made to keep its order.
pub(super) const fn within(limits: SinkLimits) -> SinkLimits {
    let max_in_flight = match limits.order {
        Order::Any => limits.max_in_flight,
        Order::Offset => 1,
    };
    SinkLimits {
        max_in_flight,
        ..limits
    }
}
