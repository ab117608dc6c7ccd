//! A subscription's balance, as the API returns it.

use easel_server::{Counts, Term};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A subscription's balance.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct BalanceJson {
    pub(crate) subscription: String,
    pub(crate) accepted: u64,
    pub(crate) counts: Counts,
}

impl TryFrom<Map<String, Value>> for BalanceJson {
    type Error = String;

    fn try_from(members: Map<String, Value>) -> Result<Self, String> {
        let member = |name: &str| {
            members
                .get(name)
                .ok_or_else(|| format!("{name} is missing"))
        };
        let count = |name: &str| {
            let count = member(name)?.as_u64();
            count.ok_or_else(|| format!("{name} must be a count"))
        };
        let mut counts = Counts::default();
        for term in Term::ALL {
            counts[term] = count(term.name())?;
        }
        Ok(Self {
            subscription: member("subscription")?
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            accepted: count("accepted")?,
            counts,
        })
    }
}

impl BalanceJson {
    /// Returns whether the terms add up to the accepted events. A server guarantees this.
    pub(crate) fn adds_up(&self) -> bool {
        let terms = Term::SUMMANDS.into_iter().map(|term| self.counts[term]);
        terms.into_iter().try_fold(0, u64::checked_add) == Some(self.accepted)
    }

    /// Returns the balance as one line.
    pub(crate) fn sentence(&self) -> String {
        let terms = Term::SUMMANDS.map(|term| format!("{} {}", self.counts[term], term.name()));
        let (accepted, terms) = (self.accepted, terms.join(" + "));
        format!("{accepted} accepted = {terms}: {}", self.verdict())
    }

    /// Returns in words whether the balance adds up.
    pub(crate) fn verdict(&self) -> String {
        match (self.adds_up(), self.counts[Term::Damaged]) {
            (false, _) => "DOES NOT ADD UP".to_owned(),
            (true, 0) => "adds up".to_owned(),
            (true, damaged) => format!("adds up; {damaged} of the expired events were damaged"),
        }
    }
}
