//! Confined subscriptions: random histories, in which nobody gets or counts an event of somebody else.

use std::collections::BTreeSet;
use std::time::Duration;

use easel_catalog::Reach;
use easel_log::Offset;
use easel_subscriptions::{Balance, ReplaySpec, Term};
use proptest::prelude::*;
use tokio::time::timeout;

use crate::fixture::{Account, Fixture, full_name, numbers};
use crate::histories::cases;

/// The root accounts of events: by id, by UUID, by both, and none.
const ACCOUNTS: [Account; 5] = [
    (Some("7"), None),
    (None, Some("u8")),
    (Some("8"), Some("u8")),
    (Some("9"), Some("7")),
    (None, None),
];
/// The subscriptions, and the accounts within the reach of each.
const SUBSCRIPTIONS: [(&str, &str, &[usize]); 4] = [
    ("all", "*", &[0, 1, 2, 3, 4]),
    ("seven", "root_account:7", &[0]),
    ("eight", "root_account:8", &[2]),
    ("uuid", "root_account:u8", &[1, 2]),
];
const TYPES: [&str; 2] = ["grade_change", "course_created"];

#[derive(Clone, Debug)]
enum Step {
    /// Appends events with these types and root accounts.
    Append(Vec<(usize, usize)>),
    /// Appends many events of one root account.
    Burst(usize),
    /// Creates the subscription at this index.
    Subscribe {
        who: usize,
        past: bool,
    },
    Hang(usize, bool),
    Pause(usize),
    Resume(usize),
    Wait(u64),
    Crash,
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..SUBSCRIPTIONS.len();
    let event = (0..TYPES.len(), 0..ACCOUNTS.len());
    prop_oneof![
        8 => proptest::collection::vec(event, 1..40).prop_map(Step::Append),
        1 => (0..ACCOUNTS.len()).prop_map(Step::Burst),
        4 => (who(), any::<bool>()).prop_map(|(who, past)| Step::Subscribe { who, past }),
        2 => (who(), any::<bool>()).prop_map(|(who, hang)| Step::Hang(who, hang)),
        2 => who().prop_map(Step::Pause),
        2 => who().prop_map(Step::Resume),
        4 => (0..20_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::Drain),
    ]
}

/// The events in the log, and where each subscription began.
struct History {
    fixture: Fixture,
    events: Vec<(usize, usize)>,
    starts: [Option<usize>; SUBSCRIPTIONS.len()],
}

impl History {
    async fn append(&mut self, events: Vec<(usize, usize)>) {
        let first = u64::try_from(self.events.len()).unwrap();
        let numbered = (first..).zip(&events);
        let records =
            numbered.map(|(n, (event_type, account))| (TYPES[*event_type], n, ACCOUNTS[*account]));
        self.fixture.append_for(records).await;
        self.events.extend(events);
    }

    /// Returns the full name of a subscription that exists.
    fn name(&self, who: usize) -> Option<String> {
        self.starts[who]?;
        let (name, reach, _) = SUBSCRIPTIONS[who];
        Some(match reach.strip_prefix("root_account:") {
            Some(account) => format!("{name}@{account}"),
            None => name.to_owned(),
        })
    }

    /// Returns the numbers of the events within the reach of a subscription since it began.
    fn covered(&self, who: usize) -> Vec<u64> {
        let accounts = SUBSCRIPTIONS[who].2;
        let events = (0..).zip(&self.events).skip(self.starts[who].unwrap());
        let covered = events.filter(|(_, (_, account))| accounts.contains(account));
        covered.map(|(n, _)| n).collect()
    }

    /// Returns the numbers of the grade changes among them, which the subscription wants.
    fn wanted(&self, who: usize) -> BTreeSet<u64> {
        let is_wanted = |n: &u64| self.events[usize::try_from(*n).unwrap()].0 == 0;
        self.covered(who).into_iter().filter(is_wanted).collect()
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Append(events) => self.append(events).await,
            Step::Burst(account) => self.append(vec![(0, account); 1_500]).await,
            Step::Subscribe { who, past } if self.starts[who].is_none() => {
                let (name, reach, _) = SUBSCRIPTIONS[who];
                let start = if past { "earliest" } else { "now" };
                let json = format!(
                    r#"{{"name":"{name}","events":["grade_*"],"start":"{start}",
                        "webhook":{{"url":"http://localhost/"}}}}"#
                );
                let reach: Reach = reach.parse().unwrap();
                self.fixture.subscribe_within(reach, &json).await;
                self.starts[who] = Some(if past { 0 } else { self.events.len() });
            }
            Step::Subscribe { .. } => (),
            Step::Hang(who, hang) => self.fixture.sink(SUBSCRIPTIONS[who].0).hang(hang),
            Step::Pause(who) | Step::Resume(who) => {
                let Some(name) = self.name(who) else {
                    return;
                };
                let subscriptions = &self.fixture.subscriptions;
                let changed = match step {
                    Step::Pause(_) => subscriptions.pause(&full_name(&name)).await,
                    _ => subscriptions.resume(&full_name(&name)).await,
                };
                changed.unwrap();
            }
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            Step::Crash => {
                self.fixture.crash().await;
                self.fixture.start();
            }
            Step::Drain => {
                self.fixture.drain().await;
                self.fixture.start();
            }
        }
    }

    /// Asserts that no number is greater than what the events within the reach allow.
    fn check(&self) {
        for who in 0..SUBSCRIPTIONS.len() {
            if let Some(name) = self.name(who) {
                let balance = self.fixture.balance(&name).within_reach();
                assert!(balance.adds_up(), "{name} {balance:?}");
                let covered = self.covered(who).len() as u64;
                assert!(balance.accepted <= covered, "{name} {covered} {balance:?}");
            }
        }
    }

    /// Waits until the balance is exactly that of the events within the reach.
    async fn finish(&mut self, who: usize) {
        let Some(name) = self.name(who) else {
            return;
        };
        let covered = self.covered(who).len() as u64;
        let wanted = self.wanted(who);
        // A lane that follows nothing counts as pending what it has not matched, and no more.
        let paused = self
            .fixture
            .reached(&name, |balance| balance.within_reach().accepted == covered);
        let waited = timeout(Duration::from_hours(1), paused).await;
        assert!(
            waited.is_ok(),
            "{name} {covered} {:?}",
            self.fixture.balance(&name)
        );
        let sink = self.fixture.sink(SUBSCRIPTIONS[who].0);
        sink.hang(false);
        let resumed = self.fixture.subscriptions.resume(&full_name(&name)).await;
        resumed.unwrap();
        let is_settled = |balance: &Balance| {
            balance.get(Term::Pending) == 0 && balance.within_reach().accepted == covered
        };
        let settled = timeout(
            Duration::from_hours(1),
            self.fixture.reached(&name, is_settled),
        );
        let balance = settled.await.expect("the subscription settles");
        let delivered = u64::try_from(wanted.len()).unwrap();
        assert_eq!(balance.get(Term::Delivered), delivered, "{name}");
        assert_eq!(
            balance.within_reach().get(Term::Filtered),
            covered - delivered
        );
        let received: BTreeSet<_> = numbers(&sink.received()).into_iter().collect();
        assert_eq!(received, wanted, "{name}");
    }

    /// Replays everything, and compares the balance of the replay.
    async fn replay(&self, who: usize) {
        let Some(name) = self.name(who) else {
            return;
        };
        let end = Offset::new(self.events.len() as u64);
        if end == Offset::ZERO {
            return;
        }
        let spec = ReplaySpec::of_range(Offset::ZERO, end);
        let subscriptions = &self.fixture.subscriptions;
        let replay = subscriptions.start_replay(&full_name(&name), spec).await;
        let replay = replay.unwrap();
        let accounts = SUBSCRIPTIONS[who].2;
        let covered = self
            .events
            .iter()
            .filter(|event| accounts.contains(&event.1));
        let (wanted, unwanted): (Vec<&(usize, usize)>, Vec<_>) =
            covered.partition(|event| event.0 == 0);
        let ended = async {
            while !replay.has_ended() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        timeout(Duration::from_hours(1), ended)
            .await
            .expect("the replay ends");
        let balance = subscriptions.balance(&replay);
        assert!(balance.adds_up(), "{balance:?}");
        let within = balance.within_reach();
        assert_eq!(
            (within.get(Term::Delivered), within.get(Term::Filtered)),
            (wanted.len() as u64, unwanted.len() as u64),
            "{name}"
        );
    }
}

async fn run(steps: Vec<Step>) {
    let mut history = History {
        fixture: Fixture::new().await,
        events: Vec::new(),
        starts: [None; SUBSCRIPTIONS.len()],
    };
    for step in steps {
        history.run(step).await;
        history.check();
    }
    for who in 0..SUBSCRIPTIONS.len() {
        history.finish(who).await;
        history.replay(who).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..cases(32) })]
    #[test]
    fn a_confined_subscription_gets_and_counts_only_its_own_events_after_any_history(
        steps in proptest::collection::vec(step(), 1..30),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(steps));
    }
}

/// A second feed in one process counts from its own beginning.
#[test]
fn a_confined_subscription_counts_with_the_feed_that_runs() {
    let steps = vec![
        Step::Subscribe {
            who: 1,
            past: false,
        },
        Step::Append(vec![(1, 0), (0, 0), (1, 2)]),
        Step::Wait(20_000),
        Step::Drain,
        Step::Wait(20_000),
        Step::Append(vec![(0, 3), (1, 0), (0, 0), (1, 4)]),
    ];
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run(steps));
}
