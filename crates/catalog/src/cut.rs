//! How Canvas cuts long text.

use std::borrow::Cow;

/// The most characters of a text that Canvas cuts, unless a site is set otherwise.
pub const MAX_TEXT_CHARS: usize = 8192;

/// What stands at the end of a cut text.
const DOTS: &str = "...";

/// Cuts `text` to at most `max_chars` characters, as Canvas does.
///
/// A text that is not longer stays as it is. A longer one ends before the last space that leaves
/// room for three dots, or where that room begins if there is no space, and has the dots after it.
/// Characters count, not bytes. HTML is cut like any other text, so tags can stay open. With fewer
/// than three characters there is no room for dots, and none are put.
pub fn cut_text(text: &str, max_chars: usize) -> Cow<'_, str> {
    // No character has less than a byte.
    if text.len() <= max_chars || text.chars().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    let byte_of = |chars: usize| {
        text.char_indices()
            .nth(chars)
            .map_or(text.len(), |(at, _)| at)
    };
    let Some(room) = max_chars.checked_sub(DOTS.len()) else {
        return Cow::Borrowed(text.get(..byte_of(max_chars)).unwrap_or(text));
    };
    // The space may stand where the dots would begin, since it goes.
    let last = byte_of(room + 1);
    let head = text.get(..last).unwrap_or(text);
    let end = head.rfind(' ').unwrap_or_else(|| byte_of(room));
    let kept = text.get(..end).unwrap_or(text);
    Cow::Owned([kept, DOTS].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, max_chars: usize, wanted: &str) {
        assert_eq!(cut_text(text, max_chars), wanted, "{text:?} to {max_chars}");
    }

    #[test]
    fn text_that_is_not_longer_stays() {
        check("", 0, "");
        check("sånn", 4, "sånn");
    }

    #[test]
    fn longer_text_ends_before_the_last_space_that_leaves_room_for_dots() {
        check("one two three", 12, "one two...");
        check("one two three", 10, "one two...");
        check("one two three", 9, "one...");
        check(" blank", 5, "...");
    }

    #[test]
    fn without_a_space_it_ends_where_the_dots_begin() {
        check("kløverblad", 9, "kløver...");
        check("a\nb\tcdefghij", 8, "a\nb\tc...");
    }

    #[test]
    fn where_there_is_no_room_for_dots_there_are_none() {
        check("abcd", 3, "...");
        check("abcd", 2, "ab");
        check("abcd", 0, "");
    }
}
