//! The names of what this room measures.
//!
//! A subscription's name is a label. Names are made by whoever manages subscriptions, so their number
//! is bounded: the first 1,000 names of a process have series of their own, all others share the name
//! `other`.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use easel_sinks::SendError;
use easel_subscriptions::{Balance, Term};
use metrics::{Counter, counter, describe_counter, describe_gauge, gauge};

const ATTEMPTS: &str = "easel_attempts_total";
const DELIVERIES: &str = "easel_deliveries_total";
const DEATHS: &str = "easel_dead_letters_total";
const DEAD: &str = "easel_dead_letters";
const PARKED: &str = "easel_parked_deliveries";
const LAG_EVENTS: &str = "easel_lane_lag_events";
const LAG_SECONDS: &str = "easel_lane_lag_seconds";
const LANES: &str = "easel_lanes";
const LANES_HOLDING: &str = "easel_lanes_holding";
const UNBALANCED: &str = "easel_unbalanced_subscriptions";
const UNTRANSLATED: &str = "easel_untranslated_events_total";
const UNREADABLE: &str = "easel_untranslated_values_total";

/// The outcome of an attempt that succeeded.
const DELIVERED: &str = "delivered";

/// Names of subscriptions with series of their own.
const MAX_NAMES: usize = 1_000;

/// The label of all subscriptions beyond those.
const OTHER: &str = "other";

/// Says what each of them means, and has each begin at 0; to say it again changes nothing. What is
/// counted by subscription begins with the subscription.
pub(crate) fn describe() {
    describe_counter!(
        ATTEMPTS,
        "Requests made to deliver one event or a batch, by subscription and outcome."
    );
    describe_counter!(
        DELIVERIES,
        "Events that a subscriber answered that it has, by subscription."
    );
    describe_counter!(DEATHS, "Deliveries that were given up, by subscription.");
    describe_gauge!(
        DEAD,
        "Dead letters that were neither redelivered nor discarded, by subscription."
    );
    describe_gauge!(
        PARKED,
        "Deliveries that failed and wait for their next attempt, by subscription."
    );
    describe_gauge!(LAG_EVENTS, "Events a subscription has not settled yet.");
    describe_gauge!(
        LAG_SECONDS,
        "Age of the oldest event a subscription has not settled yet."
    );
    describe_gauge!(LANES, "Lanes running.");
    describe_gauge!(
        LANES_HOLDING,
        "Lanes that wait for the next attempt after a failed one."
    );
    describe_gauge!(
        UNBALANCED,
        "Subscriptions whose balance does not add up, which is a bug."
    );
    describe_counter!(
        UNTRANSLATED,
        "Events of a type with a Caliper form that could not be translated; they count as filtered."
    );
    describe_counter!(
        UNREADABLE,
        "Values left out of a translation to Caliper because they are not of their field's kind."
    );
    counter!(UNTRANSLATED).increment(0);
    unreadable(0);
    lanes(LaneTotals::default());
}

/// The names that have series of their own.
#[derive(Debug, Default)]
struct SeriesNames(HashSet<Arc<str>>);

impl SeriesNames {
    /// The label of the subscription `name`.
    fn label(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        if self.0.len() >= MAX_NAMES {
            return Arc::from(OTHER);
        }
        let name = Arc::from(name);
        self.0.insert(Arc::clone(&name));
        name
    }
}

/// The label of a subscription, the same for as long as the process lives.
fn label(subscription: &str) -> Arc<str> {
    static NAMES: LazyLock<Mutex<SeriesNames>> = LazyLock::new(Mutex::default);
    NAMES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .label(subscription)
}

/// What one lane counts. Its counters are there from when it is made.
pub(crate) struct LaneCounts {
    label: Arc<str>,
    attempts: Vec<(&'static str, Counter)>,
    deliveries: Counter,
    deaths: Counter,
}

impl LaneCounts {
    /// The counters of the subscription `name`.
    pub(crate) fn new(name: &str) -> Self {
        let label = label(name);
        let attempts = |outcome: &'static str| {
            let counter =
                counter!(ATTEMPTS, "subscription" => Arc::clone(&label), "outcome" => outcome);
            counter.increment(0);
            (outcome, counter)
        };
        let outcomes = [DELIVERED].into_iter().chain(SendError::NAMES);
        let attempts = outcomes.map(attempts).collect();
        let deliveries = counter!(DELIVERIES, "subscription" => Arc::clone(&label));
        deliveries.increment(0);
        let deaths = counter!(DEATHS, "subscription" => Arc::clone(&label));
        deaths.increment(0);
        Self {
            label,
            attempts,
            deliveries,
            deaths,
        }
    }

    /// Counts an attempt that delivered so many events.
    pub(crate) fn delivered(&self, event_count: usize) {
        self.attempted(DELIVERED);
        self.deliveries.increment(event_count as u64);
    }

    /// Counts a delivery that was given up.
    pub(crate) fn died(&self) {
        self.deaths.increment(1);
    }

    /// Counts an attempt that failed, for all but so many events.
    pub(crate) fn failed(&self, error: &SendError, delivered_count: usize) {
        self.attempted(error.name());
        self.deliveries.increment(delivered_count as u64);
    }

    fn attempted(&self, outcome: &'static str) {
        let mut attempts = self.attempts.iter();
        match attempts.find(|(known, _)| *known == outcome) {
            Some((_, counter)) => counter.increment(1),
            None => {
                let label = Arc::clone(&self.label);
                counter!(ATTEMPTS, "subscription" => label, "outcome" => outcome).increment(1);
            }
        }
    }
}

impl std::fmt::Debug for LaneCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneCounts").finish_non_exhaustive()
    }
}

pub(crate) fn untranslated() {
    counter!(UNTRANSLATED).increment(1);
}

pub(crate) fn unreadable(values: u32) {
    counter!(UNREADABLE).increment(values.into());
}

/// How far subscriptions are behind, with one entry for each label.
#[derive(Debug, Default)]
pub(crate) struct Lags(BTreeMap<Arc<str>, Lag>);

#[derive(Clone, Copy, Debug, Default)]
struct Lag {
    events: u64,
    seconds: f64,
    parked: u64,
    dead: u64,
}

impl Lags {
    /// Adds a subscription: of those that share a label the events add up, and the oldest counts.
    pub(crate) fn add(&mut self, subscription: &str, balance: &Balance, seconds: f64) {
        self.add_as(label(subscription), balance, seconds);
    }

    fn add_as(&mut self, label: Arc<str>, balance: &Balance, seconds: f64) {
        let lag = self.0.entry(label).or_default();
        lag.events += balance.get(Term::Pending);
        lag.seconds = lag.seconds.max(seconds);
        lag.parked += balance.get(Term::Parked);
        lag.dead += balance.get(Term::Dead) - balance.get(Term::Discarded);
    }

    /// Shows them.
    pub(crate) fn show(self) {
        for (label, lag) in self.0 {
            let counts = [
                (LAG_EVENTS, lag.events),
                (PARKED, lag.parked),
                (DEAD, lag.dead),
            ];
            for (name, count) in counts {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge is a float; there are no such counts"
                )]
                gauge!(name, "subscription" => Arc::clone(&label)).set(count as f64);
            }
            gauge!(LAG_SECONDS, "subscription" => label).set(lag.seconds);
        }
    }
}

/// Counts of lanes and subscriptions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneTotals {
    /// Lanes that run.
    pub(crate) running: usize,
    /// Those that wait after a failed attempt.
    pub(crate) holding: usize,
    /// Subscriptions whose balance does not add up.
    pub(crate) unbalanced: usize,
}

/// Shows counts of lanes and subscriptions.
pub(crate) fn lanes(lanes: LaneTotals) {
    let counts = [
        (LANES, lanes.running),
        (LANES_HOLDING, lanes.holding),
        (UNBALANCED, lanes.unbalanced),
    ];
    for (name, count) in counts {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; there are no such counts"
        )]
        gauge!(name).set(count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_names_have_labels_of_their_own_and_the_others_share_one() {
        let mut names = SeriesNames::default();
        for number in 0..MAX_NAMES {
            let name = format!("s{number}");
            assert_eq!(&*names.label(&name), name);
        }
        assert_eq!(&*names.label("late"), OTHER);
        assert_eq!(&*names.label("later"), OTHER);
        assert_eq!(&*names.label("s0"), "s0");
    }

    #[test]
    fn of_those_that_share_a_label_events_add_up_and_the_oldest_counts() {
        let mut lags = Lags::default();
        for (events, seconds) in [(2, 5.0), (3, 60.0), (1, 0.0)] {
            let mut balance = Balance::default();
            balance.counts.add(Term::Pending, events);
            lags.add_as(OTHER.into(), &balance, seconds);
        }
        let lag = lags.0[OTHER];
        assert_eq!(lag.events, 6);
        assert!((lag.seconds - 60.0).abs() < f64::EPSILON, "{lag:?}");
    }
}
