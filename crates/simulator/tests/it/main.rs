//! Tests of the simulator.

#[cfg(test)]
mod terms;
