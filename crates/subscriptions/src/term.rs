//! The terms of the balance, defined once.
//!
//! The account counts events under terms, and the store saves the counts by name. The API, its OpenAPI
//! document and the command line list the terms. To add a term, add it here and count it in the
//! account.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One term of the balance, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Sent and accepted by the endpoint.
    Delivered,
    /// Not wanted by the subscription's filter, or without a form in its format.
    Filtered,
    /// The part of `Filtered` that is outside the subscription's reach.
    OutOfReach,
    /// The part of `Filtered` that the filter wants, but that has no form in the subscription's format.
    OtherFormat,
    /// Owed, being sent, or not yet matched. This count is not stored: `Account::balance` calculates it.
    Pending,
    /// Failed, and stored on disk until the next attempt.
    Parked,
    /// Given up, and stored as a dead letter.
    Dead,
    /// The part of `Dead` that was discarded by an operator or at the end of its retention.
    Discarded,
    /// Lost before delivery.
    Expired,
    /// The part of `Expired` that the log could not read.
    Damaged,
    /// The part of `Expired` that an operator skipped.
    Skipped,
}

impl Term {
    /// All terms in display order. A part follows its whole.
    pub const ALL: [Self; 11] = [
        Self::Delivered,
        Self::Filtered,
        Self::OutOfReach,
        Self::OtherFormat,
        Self::Pending,
        Self::Parked,
        Self::Dead,
        Self::Discarded,
        Self::Expired,
        Self::Damaged,
        Self::Skipped,
    ];

    /// The terms that add up to the accepted events: all terms that are not parts of others.
    pub const SUMMANDS: [Self; 6] = [
        Self::Delivered,
        Self::Filtered,
        Self::Pending,
        Self::Parked,
        Self::Dead,
        Self::Expired,
    ];

    /// Returns the name in JSON and on disk.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Filtered => "filtered",
            Self::OutOfReach => "out_of_reach",
            Self::OtherFormat => "other_format",
            Self::Pending => "pending",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Damaged => "damaged",
            Self::Skipped => "skipped",
        }
    }

    /// Returns the description in the OpenAPI document.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Delivered => "Sent and accepted by the endpoint.",
            Self::Filtered => {
                "Not matched by the subscription's filter, or without a form in its format."
            }
            Self::OutOfReach => "The part of `filtered` that is outside the subscription's reach.",
            Self::OtherFormat => {
                "The part of `filtered` that the filter matches, but that cannot be sent in the subscription's format."
            }
            Self::Pending => "Not delivered yet: waiting, being sent, or not matched yet.",
            Self::Parked => "Failed, and stored on disk until the next attempt.",
            Self::Dead => "Given up, and stored as dead letters.",
            Self::Discarded => {
                "The part of `dead` that was discarded by an operator or at the end of its retention."
            }
            Self::Expired => "Lost before delivery: trimmed, unreadable, or skipped.",
            Self::Damaged => "The part of `expired` that the log could not read.",
            Self::Skipped => "The part of `expired` that an operator skipped.",
        }
    }

    /// Returns the term that this term is a part of; `None` for a summand. The events of a part also count
    /// in its whole.
    pub const fn part_of(self) -> Option<Self> {
        match self {
            Self::OutOfReach | Self::OtherFormat => Some(Self::Filtered),
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

/// One count per term. A part is counted in its whole too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Term::ALL.len()]);

impl Counts {
    /// Returns the sum of all terms. Each event counts once.
    pub fn sum(&self) -> u64 {
        Term::SUMMANDS.into_iter().map(|term| self[term]).sum()
    }

    /// Adds `count` to a term, and to its whole if the term is a part.
    pub fn add(&mut self, term: Term, count: u64) {
        self[term] += count;
        if let Some(whole) = term.part_of() {
            self[whole] += count;
        }
    }
}

impl Index<Term> for Counts {
    type Output = u64;

    #[expect(clippy::indexing_slicing, reason = "the array has one count per term")]
    fn index(&self, term: Term) -> &u64 {
        &self.0[term as usize]
    }
}

impl IndexMut<Term> for Counts {
    #[expect(clippy::indexing_slicing, reason = "the array has one count per term")]
    fn index_mut(&mut self, term: Term) -> &mut u64 {
        &mut self.0[term as usize]
    }
}

/// Serializes an object of the terms that are not zero. This is the format on disk.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counted = Term::ALL.into_iter().filter(|term| self[*term] > 0);
        serializer.collect_map(counted.map(|term| (term.name(), self[term])))
    }
}

/// Reads a missing term as zero. Rejects an unknown term, because its events would not be counted.
impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let by_name = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let mut counts = Self::default();
        for (name, count) in by_name {
            let term = Term::ALL.into_iter().find(|term| term.name() == name);
            let term = term.ok_or_else(|| {
                serde::de::Error::custom(format_args!("balance term {name:?} is unknown"))
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
        assert_eq!((counts[Term::Filtered], counts[Term::OutOfReach]), (3, 1));
        assert_eq!((counts[Term::Expired], counts[Term::Damaged]), (3, 1));
        assert_eq!((counts[Term::Dead], counts[Term::Skipped]), (2, 1));
        assert_eq!(counts.sum(), 11);
    }

    #[test]
    fn counts_survive_serialization_and_unknown_terms_are_rejected() {
        let mut counts = Counts::default();
        counts.add(Term::Damaged, 7);
        let written = serde_json::to_string(&counts).unwrap();
        assert_eq!(written, r#"{"expired":7,"damaged":7}"#);
        assert_eq!(serde_json::from_str::<Counts>(&written).unwrap(), counts);
        let refused = serde_json::from_str::<Counts>(r#"{"vanished":1}"#).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("term \"vanished\" is unknown"), "{text}");
    }

    #[test]
    fn every_term_has_its_own_index_and_is_a_summand_or_a_part() {
        for (index, term) in Term::ALL.into_iter().enumerate() {
            assert_eq!(term as usize, index);
        }
        let summands = Term::ALL
            .into_iter()
            .filter(|term| term.part_of().is_none());
        assert_eq!(summands.collect::<Vec<_>>(), Term::SUMMANDS);
    }
}
