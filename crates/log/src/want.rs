//! The event types that a reader wants.

use std::fmt;
use std::sync::Arc;

use crate::BlockInfo;

/// The event types that a reader wants. A log can skip blocks without them.
///
/// It selects blocks, not records: a block with a wanted record is read whole.
#[derive(Clone)]
pub struct Want(Option<Arc<WantsType>>);

/// A function that returns whether an event type is wanted.
type WantsType = dyn Fn(&str) -> bool + Send + Sync;

impl Want {
    /// Every event type.
    pub const ALL: Self = Self(None);

    /// Wants the event types for which `wants` returns true.
    pub fn event_types(wants: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(wants)))
    }

    /// Returns whether events of this type are wanted.
    pub fn wants(&self, event_type: &str) -> bool {
        self.0.as_ref().is_none_or(|wants| wants(event_type))
    }

    /// Returns whether a block may contain a wanted record.
    ///
    /// Returns true if the block has no event types, because then damage hides them.
    pub fn wants_block(&self, block: &BlockInfo) -> bool {
        let mut event_types = block.event_types.iter();
        block.event_types.is_empty() || event_types.any(|event_type| self.wants(event_type))
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
