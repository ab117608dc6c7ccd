//! Tests with random histories: every owed event arrives, and the balance adds up.

use std::collections::BTreeSet;
use std::time::Duration;

use easel_sinks::SendError;
use easel_subscriptions::Term;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use tokio::time::timeout;

use crate::fixture::{Fixture, full_name, numbers};

const NAMES: [&str; 3] = ["one", "two", "three"];
const TYPES: [&str; 3] = ["grade_change", "course_created", "user_updated"];
const GLOBS: [&str; 3] = [r#"["*"]"#, r#"["grade_*"]"#, r#"["*_created","user_*"]"#];

#[derive(Clone, Debug)]
enum Step {
    /// Appends events of these types.
    Append(Vec<usize>),
    /// Appends many events of one type.
    Burst(usize),
    Subscribe {
        /// The index of the subscription in `NAMES`, as in all steps.
        who: usize,
        glob: usize,
        past: bool,
        in_flight: usize,
    },
    /// The endpoint fails one of `every` attempts.
    Fail {
        who: usize,
        every: u64,
    },
    /// The endpoint accepts everything again.
    StopFailing(usize),
    Hang(usize, bool),
    Pause(usize),
    Resume(usize),
    Wait(u64),
    Crash,
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..NAMES.len();
    prop_oneof![
        8 => proptest::collection::vec(0..TYPES.len(), 1..40).prop_map(Step::Append),
        1 => (0..TYPES.len()).prop_map(Step::Burst),
        4 => (who(), 0..GLOBS.len(), any::<bool>(), 1..20_usize).prop_map(
            |(who, glob, past, in_flight)| Step::Subscribe { who, glob, past, in_flight }
        ),
        3 => (who(), 1..5_u64).prop_map(|(who, every)| Step::Fail { who, every }),
        2 => who().prop_map(Step::StopFailing),
        2 => (who(), any::<bool>()).prop_map(|(who, hang)| Step::Hang(who, hang)),
        1 => who().prop_map(Step::Pause),
        2 => who().prop_map(Step::Resume),
        4 => (0..20_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::Drain),
    ]
}

/// The events that one subscription must have received at the end.
#[derive(Default)]
struct Owed {
    glob: Option<usize>,
    numbers: BTreeSet<u64>,
}

fn matches(glob: usize, event_type: usize) -> bool {
    match glob {
        0 => true,
        1 => event_type == 0,
        _ => event_type != 0,
    }
}

async fn run(steps: Vec<Step>) -> TestCaseResult {
    let mut fixture = Fixture::new().await;
    let mut events: Vec<usize> = Vec::new();
    let mut owed: [Owed; 3] = std::array::from_fn(|_| Owed::default());
    for step in steps {
        match step {
            Step::Append(types) => append(&fixture, &mut events, &mut owed, types).await,
            Step::Burst(event_type) => {
                append(&fixture, &mut events, &mut owed, vec![event_type; 1_500]).await;
            }
            Step::Subscribe {
                who,
                glob,
                past,
                in_flight,
            } => {
                if owed[who].glob.is_none() {
                    let (name, globs) = (NAMES[who], GLOBS[glob]);
                    let start = if past { "earliest" } else { "now" };
                    let json = format!(
                        r#"{{"name":"{name}","events":{globs},"start":"{start}",
                            "in_flight":{in_flight},"webhook":{{"url":"http://localhost/"}}}}"#
                    );
                    fixture.subscribe(&json).await;
                    let since = if past { 0 } else { events.len() };
                    let wanted = (0..).zip(&events).skip(since);
                    let wanted = wanted.filter(|(_, event_type)| matches(glob, **event_type));
                    owed[who] = Owed {
                        glob: Some(glob),
                        numbers: wanted.map(|(n, _)| n).collect(),
                    };
                }
            }
            Step::Fail { who, every } => {
                let mut number = 0;
                fixture.sink(NAMES[who]).answer_with(move |_| {
                    number += 1;
                    if number % every == 0 {
                        Err(SendError::TimedOut)
                    } else {
                        Ok(())
                    }
                });
            }
            Step::StopFailing(who) => fixture.sink(NAMES[who]).answer_with(|_| Ok(())),
            Step::Hang(who, hang) => fixture.sink(NAMES[who]).hang(hang),
            Step::Pause(who) if owed[who].glob.is_some() => {
                fixture
                    .subscriptions
                    .pause(&full_name(NAMES[who]))
                    .await
                    .unwrap();
            }
            Step::Resume(who) if owed[who].glob.is_some() => {
                fixture
                    .subscriptions
                    .resume(&full_name(NAMES[who]))
                    .await
                    .unwrap();
            }
            Step::Pause(_) | Step::Resume(_) => (),
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            Step::Crash => {
                fixture.crash().await;
                fixture.start();
            }
            Step::Drain => {
                fixture.drain().await;
                fixture.start();
            }
        }
        for (name, _) in NAMES
            .iter()
            .zip(&owed)
            .filter(|(_, owed)| owed.glob.is_some())
        {
            fixture.balance(name);
        }
    }
    for (name, owed) in NAMES.iter().zip(&owed) {
        let sink = fixture.sink(name);
        sink.hang(false);
        sink.answer_with(|_| Ok(()));
        if owed.glob.is_some() {
            fixture
                .subscriptions
                .resume(&full_name(name))
                .await
                .unwrap();
            let settled = timeout(Duration::from_hours(1), fixture.settled(name)).await;
            let Ok(balance) = settled else {
                let stuck = fixture.subscriptions.get(&full_name(name)).unwrap();
                return Err(TestCaseError::fail(format!("{name} is stuck: {stuck:?}")));
            };
            prop_assert_eq!(balance.get(Term::Expired), 0);
            prop_assert_eq!(
                balance.get(Term::Delivered),
                u64::try_from(owed.numbers.len()).unwrap()
            );
        }
        let received: BTreeSet<_> = numbers(&sink.received()).into_iter().collect();
        prop_assert_eq!(&received, &owed.numbers, "{}", name);
    }
    Ok(())
}

async fn append(
    fixture: &Fixture,
    events: &mut Vec<usize>,
    owed: &mut [Owed; 3],
    types: Vec<usize>,
) {
    let first = u64::try_from(events.len()).unwrap();
    fixture
        .append(
            (first..)
                .zip(&types)
                .map(|(n, event_type)| (TYPES[*event_type], n)),
        )
        .await;
    for owed in owed {
        let wants = |event_type| owed.glob.is_some_and(|glob| matches(glob, event_type));
        let wanted = (first..)
            .zip(&types)
            .filter(|(_, event_type)| wants(**event_type));
        let wanted: Vec<_> = wanted.map(|(n, _)| n).collect();
        owed.numbers.extend(wanted);
    }
    events.extend(types);
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..cases(48) })]
    #[test]
    fn every_owed_event_arrives_after_any_history(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(steps))?;
    }
}

/// Returns a configuration with this many cases, unless `PROPTEST_CASES` is set.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig { cases, ..default },
    }
}
