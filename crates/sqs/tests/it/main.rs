//! Tests of the sink against a stand-in for SQS that speaks the JSON protocol and fails on purpose.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod stand_in;
