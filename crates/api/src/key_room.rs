//! The keys of the server, as the API uses them. The server provides them.

use std::fmt;
use std::sync::Arc;

use easel_keys::Keys;

/// Seals all secrets outside `keys.db` again. Returns how many secrets it sealed.
pub type ResealAll = Arc<dyn Fn() -> Result<usize, String> + Send + Sync>;

/// The keys of the server.
#[derive(Clone)]
pub struct KeyRoom {
    /// The keys.
    pub keys: Arc<Keys>,
    /// Seals all secrets outside `keys.db` again.
    pub reseal: ResealAll,
}

impl fmt::Debug for KeyRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRoom").field(&self.keys).finish()
    }
}
