//! What the simulator promises.

#[cfg(test)]
mod terms;
