//! In which order a lane sends.
//!
//! A lane takes from its source by offset, and what failed before anything new. So with one batch
//! under way at a time, and nothing else while the lane holds after a failure, offsets reach the
//! destination in order.

use easel_sinks::{Order, SinkLimits};

use super::retries::Retries;

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

/// What an earlier lane had failed to deliver, as far as a lane with these limits may go on with it.
///
/// With order, nothing may be sent before what lies before it. So all of it comes again by offset.
pub(super) fn retries(limits: SinkLimits, retries: Retries) -> Retries {
    match limits.order {
        Order::Any => retries,
        Order::Offset => Retries::default(),
    }
}
