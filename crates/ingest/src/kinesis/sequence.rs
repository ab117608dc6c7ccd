//! Sequence numbers: 21 digits, of which the first says where the record is and the others are
//! its offset there.
//!
//! They sort as the offsets do, as text and as numbers, and an event's number is never mistaken
//! for that of a record in quarantine.

use std::fmt;

use easel_log::Offset;
use serde::{Serialize, Serializer};

/// Where a record that was accepted is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// On the log.
    Event(Offset),
    /// In quarantine.
    Quarantined(Offset),
}

impl Sequence {
    /// Reads the number of an event; others lead nowhere.
    pub(super) fn read_event(text: &str) -> Option<Offset> {
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
    fn the_number_of_a_quarantined_record_is_no_event_s() {
        let quarantined = Sequence::Quarantined(Offset::new(7)).to_string();
        assert_eq!(Sequence::read_event(&quarantined), None);
    }

    #[test]
    fn what_only_looks_like_a_number_is_none() {
        for text in [
            "",
            "4",
            "4+0000000000000000007",
            "499999999999999999999",
            "4é0000000000000000000",
        ] {
            assert_eq!(Sequence::read_event(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_reads_back_and_sorts_as_its_offset(one: u64, two: u64) {
            let text = |offset| Sequence::Event(Offset::new(offset)).to_string();
            prop_assert_eq!(Sequence::read_event(&text(one)), Some(Offset::new(one)));
            prop_assert_eq!(text(one).cmp(&text(two)), one.cmp(&two));
        }
    }
}
