//! Invalid values in messages.

/// The maximum characters of a value that a message shows. Words, sizes and times are shorter.
const MAX_CHARS: usize = 20;
/// How many characters of a longer value a message shows.
const SHOWN_CHARS: usize = 4;

/// Returns an invalid value in quotes for a message. A long value may be a secret in the wrong place, so only
/// its first four characters are shown.
pub(crate) fn excerpt(value: &str) -> String {
    if value.chars().count() <= MAX_CHARS {
        return format!("{value:?}");
    }
    let start: String = value.chars().take(SHOWN_CHARS).chain(['…']).collect();
    format!("{start:?}")
}

/// Shortens an invalid value that a message has in quotes.
pub(super) fn with_excerpt(message: &str, value: &str) -> String {
    message.replace(&format!("{value:?}"), &excerpt(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_start_of_a_long_value_is_shown() {
        assert_eq!(excerpt(""), "\"\"");
        assert_eq!(excerpt("a\nb"), r#""a\nb""#);
        assert_eq!(excerpt("12345678901234567890"), "\"12345678901234567890\"");
        assert_eq!(excerpt("123456789012345678901"), "\"1234…\"");
        assert_eq!(excerpt(&"é".repeat(20)), format!("{:?}", "é".repeat(20)));
        assert_eq!(excerpt(&"é".repeat(21)), "\"éééé…\"");
    }

    #[test]
    fn a_long_value_in_a_message_is_shortened() {
        let token = "a-long-token-0123456789";
        let message = format!("must be \"on\", not {token:?}");
        assert_eq!(
            with_excerpt(&message, token),
            "must be \"on\", not \"a-lo…\""
        );
        assert_eq!(with_excerpt("not \"on\"", "on"), "not \"on\"");
    }
}
