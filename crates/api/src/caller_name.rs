//! The subscription that a caller means by a name.

use easel_catalog::Reach;
use easel_subscriptions::{FullName, Subscriptions};

use crate::api_error::ApiError;

/// Returns the full name that a caller means by `text`.
pub(crate) fn full_name(text: &str) -> Result<FullName, ApiError> {
    Ok(Subscriptions::full_name(&Reach::Everything, text)?)
}
