//! The terms of the balance, written down once.
//!
//! The account counts by them, the store saves them by name, and the API, its document and the
//! command line list what is here. To add a term: add it here, and count it in the account.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One term of the balance, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Sent, and the subscriber answered that it has the event.
    Delivered,
    /// Not covered by the subscription's filter.
    Filtered,
    /// The part of `Filtered` that lies outside of the subscription's reach.
    OutOfReach,
    /// Still owed, under way, or not yet matched. It is never counted, it is what remains.
    Pending,
    /// Failed, and kept on disk until the next attempt.
    Parked,
    /// Given up, and kept as a dead letter.
    Dead,
    /// The part of `Dead` that an operator, or the end of its retention, has discarded.
    Discarded,
    /// Gone before the event could be delivered.
    Expired,
    /// The part of `Expired` that could not be read back from the disk.
    Damaged,
    /// The part of `Expired` that an operator has skipped.
    Skipped,
}

impl Term {
    /// All of them, in the order in which they are shown; a part follows its whole.
    pub const ALL: [Self; 10] = [
        Self::Delivered,
        Self::Filtered,
        Self::OutOfReach,
        Self::Pending,
        Self::Parked,
        Self::Dead,
        Self::Discarded,
        Self::Expired,
        Self::Damaged,
        Self::Skipped,
    ];

    /// Those that add up to what was accepted: all but the parts of others.
    pub const SUMMANDS: [Self; 6] = [
        Self::Delivered,
        Self::Filtered,
        Self::Pending,
        Self::Parked,
        Self::Dead,
        Self::Expired,
    ];

    /// Its name in JSON and on disk.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Filtered => "filtered",
            Self::OutOfReach => "out_of_reach",
            Self::Pending => "pending",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Damaged => "damaged",
            Self::Skipped => "skipped",
        }
    }

    /// What it counts, for whoever reads the API's document.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Delivered => "Sent, and the subscriber answered that it has them.",
            Self::Filtered => "Not covered by the subscription's filter.",
            Self::OutOfReach => {
                "The part of `filtered` that lies outside of the subscription's reach."
            }
            Self::Pending => "Still owed, under way, or not yet looked at.",
            Self::Parked => "Failed, and kept on disk until the next attempt.",
            Self::Dead => "Given up, and kept as dead letters.",
            Self::Discarded => {
                "The part of `dead` that an operator, or the end of its retention, has discarded."
            }
            Self::Expired => {
                "Gone before they could be delivered: trimmed, unreadable, or skipped."
            }
            Self::Damaged => "The part of `expired` that could not be read back from the disk.",
            Self::Skipped => "The part of `expired` that an operator has skipped.",
        }
    }

    /// The term that it is a part of. A part is counted in its whole too, so it is no summand.
    pub const fn part_of(self) -> Option<Self> {
        match self {
            Self::OutOfReach => Some(Self::Filtered),
            Self::Discarded => Some(Self::Dead),
            Self::Damaged | Self::Skipped => Some(Self::Expired),
            Self::Delivered
            | Self::Filtered
            | Self::Pending
            | Self::Parked
            | Self::Dead
            | Self::Expired => None,
        }
    }
}

/// A number for each term. A part is counted in its whole too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Term::ALL.len()]);

impl Counts {
    /// The sum of all terms, each event counted once.
    pub fn sum(&self) -> u64 {
        Term::SUMMANDS.into_iter().map(|term| self[term]).sum()
    }

    /// Adds to a term, and to the whole that it is a part of.
    pub fn add(&mut self, term: Term, count: u64) {
        self[term] += count;
        if let Some(whole) = term.part_of() {
            self[whole] += count;
        }
    }
}

impl Index<Term> for Counts {
    type Output = u64;

    #[expect(clippy::indexing_slicing, reason = "there is a number for every term")]
    fn index(&self, term: Term) -> &u64 {
        &self.0[term as usize]
    }
}

impl IndexMut<Term> for Counts {
    #[expect(clippy::indexing_slicing, reason = "there is a number for every term")]
    fn index_mut(&mut self, term: Term) -> &mut u64 {
        &mut self.0[term as usize]
    }
}

/// An object with the terms that are not zero. This is the form on disk.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counted = Term::ALL.into_iter().filter(|term| self[*term] > 0);
        serializer.collect_map(counted.map(|term| (term.name(), self[term])))
    }
}

/// A term that is missing is zero; an unknown one is refused, since its events would be lost.
impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let by_name = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let mut counts = Self::default();
        for (name, count) in by_name {
            let term = Term::ALL.into_iter().find(|term| term.name() == name);
            let term = term.ok_or_else(|| {
                serde::de::Error::custom(format_args!("unknown term {name:?} of the balance"))
            })?;
            counts[term] = count;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_counted_in_its_whole_and_once_in_the_sum() {
        let mut counts = Counts::default();
        for term in Term::ALL {
            counts.add(term, 1);
        }
        assert_eq!((counts[Term::Filtered], counts[Term::OutOfReach]), (2, 1));
        assert_eq!((counts[Term::Expired], counts[Term::Damaged]), (3, 1));
        assert_eq!((counts[Term::Dead], counts[Term::Skipped]), (2, 1));
        assert_eq!(counts.sum(), 10);
    }

    #[test]
    fn what_is_written_is_read_back_and_an_unknown_term_is_refused() {
        let mut counts = Counts::default();
        counts.add(Term::Damaged, 7);
        let written = serde_json::to_string(&counts).unwrap();
        assert_eq!(written, r#"{"expired":7,"damaged":7}"#);
        assert_eq!(serde_json::from_str::<Counts>(&written).unwrap(), counts);
        let refused = serde_json::from_str::<Counts>(r#"{"vanished":1}"#).unwrap_err();
        assert!(refused.to_string().contains("unknown term \"vanished\""));
    }

    #[test]
    fn every_term_has_its_own_place_and_is_a_summand_or_a_part_of_one() {
        for (place, term) in Term::ALL.into_iter().enumerate() {
            assert_eq!(term as usize, place);
        }
        let summands = Term::ALL
            .into_iter()
            .filter(|term| term.part_of().is_none());
        assert_eq!(summands.collect::<Vec<_>>(), Term::SUMMANDS);
    }
}
