//! How much one event may ask for.

/// How much one event may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes an event may have as it comes in, white space included: what is refused
    /// for its size costs nothing to refuse.
    pub max_event_bytes: usize,
    /// The most objects and arrays that may be open at once, the event itself being the first.
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
