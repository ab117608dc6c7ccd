//! Limits on one event.

/// Limits on the size and depth of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest size of an incoming event in bytes, white space included. The size is checked
    /// before parsing, so rejecting a large event costs nothing.
    pub max_event_bytes: usize,
    /// The deepest nesting of objects and arrays. The event itself is the first level.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_event_bytes: 1024 * 1024,
            max_depth: 128,
        }
    }
}
