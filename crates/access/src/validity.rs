//! How long a caller may go on with a stream.

use blake3::Hash;
use jiff::Timestamp;

/// How long a caller may go on with a stream.
#[derive(Clone, Copy)]
pub(crate) enum Validity {
    Unlimited,
    Until(Timestamp),
    /// While the secret with this hash is valid.
    Secret(Hash),
}
