//! Tests of the sink and the pollers against stand-ins for SQS that speak the JSON protocol and fail on purpose.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod polling;
#[cfg(test)]
mod queue_stand_in;
#[cfg(test)]
mod stand_in;
