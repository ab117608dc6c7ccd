//! Cuts long text as Canvas does.

use std::borrow::Cow;

/// The length in characters to which Canvas cuts long text by default.
pub const MAX_TEXT_CHARS: usize = 8192;

/// The end of a cut text.
const DOTS: &str = "...";

/// Cuts `text` to at most `max_chars` characters, as Canvas does.
///
/// A text that is not longer stays unchanged. A longer text ends in three dots: it is cut at the
/// last space that leaves room for the dots, or where the dots must begin if there is no space.
/// Lengths are in characters, not bytes. HTML is cut like any other text, so tags can stay open.
/// If `max_chars` is less than three, the text gets no dots.
pub fn cut_text(text: &str, max_chars: usize) -> Cow<'_, str> {
    // A character has at least one byte.
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
    // The space may also be where the dots begin, because the cut removes the space.
    let head_end = byte_of(room + 1);
    let head = text.get(..head_end).unwrap_or(text);
    let end = head.rfind(' ').unwrap_or_else(|| byte_of(room));
    let shortened = text.get(..end).unwrap_or(text);
    Cow::Owned([shortened, DOTS].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, max_chars: usize, wanted: &str) {
        assert_eq!(cut_text(text, max_chars), wanted, "{text:?} to {max_chars}");
    }

    #[test]
    fn text_that_is_not_longer_stays_unchanged() {
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
    fn text_without_a_space_is_cut_where_the_dots_begin() {
        check("kløverblad", 9, "kløver...");
        check("a\nb\tcdefghij", 8, "a\nb\tc...");
    }

    #[test]
    fn only_text_cut_to_three_or_more_characters_has_dots() {
        check("abcd", 3, "...");
        check("abcd", 2, "ab");
        check("abcd", 0, "");
    }
}
