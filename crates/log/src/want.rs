//! Which event types a reader wants.

use std::fmt;
use std::sync::Arc;

use crate::BlockInfo;

/// Which event types a reader wants, so that a log can skip blocks without one of them.
///
/// It decides about blocks, not records: a block that holds a wanted record is read whole.
#[derive(Clone)]
pub struct Want(Option<Arc<Decide>>);

/// Whether an event type is wanted.
type Decide = dyn Fn(&str) -> bool + Send + Sync;

impl Want {
    /// Every event type.
    pub const ALL: Self = Self(None);

    /// The event types for which `wants` is true.
    pub fn event_types(wants: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(wants)))
    }

    /// Whether it wants events of this type.
    pub fn wants(&self, event_type: &str) -> bool {
        self.0.as_ref().is_none_or(|wants| wants(event_type))
    }

    /// Whether a block may hold what it wants. One that names no event types may: damage hides
    /// what it holds.
    pub fn wants_block(&self, block: &BlockInfo) -> bool {
        block.event_types.is_empty() || block.event_types.iter().any(|it| self.wants(it))
    }
}

impl Default for Want {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Debug for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "Want::ALL",
            Some(_) => "Want::event_types(…)",
        })
    }
}
