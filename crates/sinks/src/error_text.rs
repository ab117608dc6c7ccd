//! The text of an error with its causes.

use std::error::Error;

/// Returns the text of an error and of all its causes, each after a colon.
pub fn text_with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
