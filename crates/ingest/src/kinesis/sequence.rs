//! Sequence numbers: 21 digits. The first digit is 4 for an event and 9 for a quarantined record. The
//! other digits are the offset.
//!
//! As strings and as numbers, they sort like the offsets. The numbers of events and of quarantined
//! records are always different.

use std::fmt;

use easel_log::Offset;
use serde::{Serialize, Serializer};

/// The place of an accepted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// On the log.
    Event(Offset),
    /// In quarantine.
    Quarantined(Offset),
}

impl Sequence {
    /// Parses the number of an event. `None` for any other text.
    pub(super) fn parse_event(text: &str) -> Option<Offset> {
        let digits = text.strip_prefix('4').filter(|digits| digits.len() == 20)?;
        digits
            .bytes()
            .all(|digit| digit.is_ascii_digit())
            .then_some(())?;
        digits.parse().ok().map(Offset::new)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(offset) => write!(f, "4{:020}", offset.get()),
            Self::Quarantined(offset) => write!(f, "9{:020}", offset.get()),
        }
    }
}

impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_of_a_quarantined_record_is_not_the_number_of_an_event() {
        let quarantined = Sequence::Quarantined(Offset::new(7)).to_string();
        assert_eq!(Sequence::parse_event(&quarantined), None);
    }

    #[test]
    fn a_text_that_only_resembles_a_number_is_rejected() {
        for text in [
            "",
            "4",
            "4+0000000000000000007",
            "499999999999999999999",
            "4é0000000000000000000",
        ] {
            assert_eq!(Sequence::parse_event(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_parses_to_its_offset_and_sorts_like_it(first: u64, second: u64) {
            let text = |offset| Sequence::Event(Offset::new(offset)).to_string();
            prop_assert_eq!(Sequence::parse_event(&text(first)), Some(Offset::new(first)));
            prop_assert_eq!(text(first).cmp(&text(second)), first.cmp(&second));
        }
    }
}
