//! Whose names and values a table has.

/// Whose names and values a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conventions {
    /// Easel's own. Easel may change the table.
    Easel,
    /// Those of `LEDbelly`, in the table of one event type. Easel never changes a table that exists.
    Ledbelly,
    /// Those of `LEDbelly`, in its table of all event types. Easel never changes a table that exists.
    LedbellyStream,
}
