//! Metric names and descriptions of this crate.
//!
//! A subscription's name is a label. Operators may use any number of names, so the number of labels is
//! limited: the first 1,000 names in a process have their own series. All other names share the label
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
const LANES_ON_HOLD: &str = "easel_lanes_holding";
const UNBALANCED: &str = "easel_unbalanced_subscriptions";
const OTHER_FORMAT: &str = "easel_other_format_events";
const UNTRANSLATED: &str = "easel_untranslated_events_total";
const UNREADABLE: &str = "easel_untranslated_values_total";

/// The outcome of an attempt that succeeded.
const DELIVERED: &str = "delivered";

/// The maximum number of subscription names with their own series.
const MAX_NAMES: usize = 1_000;

/// The label of all other subscriptions.
const OTHER: &str = "other";

/// Describes each metric and starts it at 0. A second call changes nothing. The metrics of one subscription
/// start when its first lane is created.
pub(crate) fn describe() {
    describe_counter!(
        ATTEMPTS,
        "Attempts to deliver one event or a batch, by subscription and outcome."
    );
    describe_counter!(
        DELIVERIES,
        "Events that the subscriber confirmed, by subscription."
    );
    describe_counter!(DEATHS, "Deliveries that were given up, by subscription.");
    describe_gauge!(
        DEAD,
        "Dead letters that were neither redelivered nor discarded, by subscription."
    );
    describe_gauge!(
        PARKED,
        "Failed deliveries that wait for their next attempt, by subscription."
    );
    describe_gauge!(
        OTHER_FORMAT,
        "Events that a subscription wants, but that cannot be sent in its format, by subscription."
    );
    describe_gauge!(LAG_EVENTS, "Pending events of a subscription.");
    describe_gauge!(
        LAG_SECONDS,
        "Age of the oldest pending event of a subscription."
    );
    describe_gauge!(LANES, "Lanes running.");
    describe_gauge!(LANES_ON_HOLD, "Lanes on hold after a failed attempt.");
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
        "Values omitted from a translation to Caliper because they have the wrong kind."
    );
    counter!(UNTRANSLATED).increment(0);
    count_unreadable_values(0);
    set_lanes(LaneTotals::default());
}

/// The names that have their own series.
#[derive(Debug, Default)]
struct SeriesNames(HashSet<Arc<str>>);

impl SeriesNames {
    /// Returns the label of the subscription `name`.
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

/// Returns the label of a subscription. It stays the same until the process ends.
fn label(subscription: &str) -> Arc<str> {
    static NAMES: LazyLock<Mutex<SeriesNames>> = LazyLock::new(Mutex::default);
    NAMES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .label(subscription)
}

/// The counters of one lane.
pub(crate) struct LaneCounts {
    label: Arc<str>,
    attempts: Vec<(&'static str, Counter)>,
    deliveries: Counter,
    deaths: Counter,
}

impl LaneCounts {
    /// Creates the counters of the subscription `name`, and starts them at 0.
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

    /// Counts an attempt that delivered `event_count` events.
    pub(crate) fn delivered(&self, event_count: usize) {
        self.attempted(DELIVERED);
        self.deliveries.increment(event_count as u64);
    }

    /// Counts a delivery that was given up.
    pub(crate) fn died(&self) {
        self.deaths.increment(1);
    }

    /// Counts a failed attempt that still delivered `delivered_count` events.
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

pub(crate) fn count_untranslated() {
    counter!(UNTRANSLATED).increment(1);
}

pub(crate) fn count_unreadable_values(values: u32) {
    counter!(UNREADABLE).increment(values.into());
}

/// The lag of the subscriptions, with one entry per label.
#[derive(Debug, Default)]
pub(crate) struct Lags(BTreeMap<Arc<str>, Lag>);

#[derive(Clone, Copy, Debug, Default)]
struct Lag {
    events: u64,
    seconds: f64,
    parked: u64,
    dead: u64,
    other_format: u64,
}

impl Lags {
    /// Adds a subscription. If several subscriptions share a label, their events are summed, and the oldest age
    /// counts.
    pub(crate) fn add(&mut self, subscription: &str, balance: &Balance, seconds: f64) {
        self.add_as(label(subscription), balance, seconds);
    }

    fn add_as(&mut self, label: Arc<str>, balance: &Balance, seconds: f64) {
        let lag = self.0.entry(label).or_default();
        lag.events += balance.get(Term::Pending);
        lag.seconds = lag.seconds.max(seconds);
        lag.parked += balance.get(Term::Parked);
        lag.dead += balance.get(Term::Dead) - balance.get(Term::Discarded);
        lag.other_format += balance.get(Term::OtherFormat);
    }

    /// Sets the gauges.
    pub(crate) fn publish(self) {
        for (label, lag) in self.0 {
            let counts = [
                (LAG_EVENTS, lag.events),
                (PARKED, lag.parked),
                (DEAD, lag.dead),
                (OTHER_FORMAT, lag.other_format),
            ];
            for (name, count) in counts {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge is a float; no count reaches 2^53"
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
    /// Running lanes.
    pub(crate) running: usize,
    /// Lanes on hold after a failed attempt.
    pub(crate) on_hold: usize,
    /// Subscriptions whose balance does not add up.
    pub(crate) unbalanced: usize,
}

/// Sets the gauges of lanes and subscriptions.
pub(crate) fn set_lanes(lanes: LaneTotals) {
    let counts = [
        (LANES, lanes.running),
        (LANES_ON_HOLD, lanes.on_hold),
        (UNBALANCED, lanes.unbalanced),
    ];
    for (name, count) in counts {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; no count reaches 2^53"
        )]
        gauge!(name).set(count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_names_have_their_own_label_and_all_others_share_one() {
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
    fn under_a_shared_label_events_are_summed_and_the_oldest_age_counts() {
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
