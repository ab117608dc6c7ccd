//! Tests of failed deliveries through the commands, with a real receiver.
//!
//! They cover an endpoint that fails from time to time, a rejected event, redelivery, a replay, a hold and
//! skipped events. After every step the balance adds up.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use easel_testkit::Receiver;
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::easel::{Ran, check};
use crate::running::Running;

/// The terms whose sum is the number of accepted events.
const TERMS: [&str; 6] = [
    "delivered",
    "filtered",
    "pending",
    "parked",
    "dead",
    "expired",
];

/// A server with the subscription `grades` and its receiver.
struct Fixture {
    running: Running,
    receiver: Receiver,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn open() -> Self {
        let folder = tempdir().unwrap();
        let running = Running::start(&folder.path().join("data"));
        let receiver = Receiver::start().await;
        let url = receiver.url();
        let add = ["subscriptions", "add", "grades", "--webhook", &url];
        let retry = ["--retry", "1s,1s", "--start", "earliest"];
        running.easel(&[&add[..], &retry].concat()).stdout();
        Self {
            running,
            receiver,
            _folder: folder,
        }
    }

    fn easel(&self, command: &str) -> Ran {
        let args: Vec<_> = command.split_whitespace().collect();
        self.running.easel(&args)
    }

    fn json(&self, command: &str) -> Value {
        let printed = self.easel(&format!("{command} --json")).stdout();
        serde_json::from_str(&printed).unwrap()
    }

    /// Returns the balance, which must add up.
    fn balance(&self) -> Value {
        let balance = self.json("balance grades");
        let counts = TERMS.map(|term| balance[term].as_u64().unwrap());
        let sum: u64 = counts.into_iter().sum();
        assert_eq!(balance["accepted"], sum, "{balance}");
        balance
    }

    /// Polls the balance with a command until it has these terms.
    #[track_caller]
    fn settle(&self, wanted: &Value) {
        let has_wanted_terms = |balance: &Value| {
            let mut wanted = wanted.as_object().unwrap().iter();
            wanted.all(|(term, count)| balance[term] == *count)
        };
        let mut latest = Value::Null;
        for _ in 0..1_000 {
            latest = self.balance();
            if has_wanted_terms(&latest) {
                return;
            }
        }
        panic!("{wanted} was not reached: {latest}");
    }

    /// Returns the codes of all items that need attention.
    fn attention(&self) -> Vec<String> {
        let ran = self.easel("status --json");
        let status: Value = serde_json::from_str(&ran.stdout).unwrap();
        let attention = status["attention"].as_array().unwrap().iter();
        attention
            .map(|attention| attention["code"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Asserts that no line of a table is wider than a terminal.
#[track_caller]
fn assert_fits(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{ran}");
    let widest = ran.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 80), "{ran}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_delivery_is_retried_and_a_rejected_event_is_dead_until_its_redelivery_succeeds() {
    let fixture = Fixture::open().await;
    // A flaky endpoint: the first attempt of each event fails.
    let seen = Mutex::new(HashSet::new());
    fixture.receiver.answer_with(move |received| {
        let id = received.header("webhook-id").to_owned();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.insert(id) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    });
    fixture.easel("emit grade_change --count 3").stdout();
    fixture.settle(&json!({"accepted": 3, "delivered": 3, "parked": 0}));
    assert_eq!(fixture.receiver.count(), 6);
    let shown = fixture.json("subscriptions show grades");
    let outcomes = json!({"delivered": 3, "refused": 3});
    assert_eq!(shown["attempts"]["outcomes"], outcomes);

    // A rejected event does not stop other deliveries.
    fixture.receiver.set_body("no such quiz");
    fixture
        .receiver
        .answer_with(|received| match received.header("easel-event-name") {
            "quiz_submitted" => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::OK,
        });
    fixture.easel("emit quiz_submitted").stdout();
    fixture.easel("emit grade_change --count 2").stdout();
    fixture.settle(&json!({"accepted": 6, "delivered": 5, "dead": 1, "pending": 0}));
    assert!(fixture.attention().contains(&"dead_letters".to_owned()));
    let list = fixture.easel("dead-letters list grades");
    assert_fits(&list);
    assert!(list.stdout.contains("quiz_submitted"), "{list}");
    let shown = fixture.easel("dead-letters show grades 3").stdout();
    assert!(shown.contains("answer      422: no such quiz\n"), "{shown}");
    assert!(
        shown.contains(r#""event_name":"quiz_submitted""#),
        "{shown}"
    );
    let ran = fixture.easel("dead-letters redeliver grades");
    assert_eq!(ran.code, Some(64), "{ran}");
    assert!(ran.stderr.contains("--all"), "{ran}");
    fixture.balance();

    // While the endpoint still rejects the event, a redelivered delivery becomes a dead letter again. The
    // next redelivery succeeds.
    check!(fixture.easel("dead-letters redeliver grades --event quiz_*"), @r"
        exit 0
        --- stdout
        --- stderr
        redelivered 1
        ");
    fixture.settle(&json!({"parked": 0, "dead": 1}));
    fixture.receiver.set_status(StatusCode::OK);
    fixture
        .easel("dead-letters redeliver grades --all")
        .stdout();
    fixture.settle(&json!({"delivered": 6, "dead": 0, "parked": 0}));
    let ran = fixture.easel("dead-letters list grades");
    assert_eq!(ran.stderr, "no dead letters found\n");

    // A dead letter can also be discarded.
    fixture
        .receiver
        .set_status(StatusCode::UNPROCESSABLE_ENTITY);
    fixture.easel("emit quiz_submitted").stdout();
    fixture.settle(&json!({"accepted": 7, "dead": 1, "discarded": 0}));
    check!(fixture.easel("dead-letters discard grades --reason 422"), @r"
        exit 0
        --- stdout
        --- stderr
        discarded 1
        ");
    fixture.settle(&json!({"dead": 1, "discarded": 1}));
    assert!(!fixture.attention().contains(&"dead_letters".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_has_its_own_balance() {
    let fixture = Fixture::open().await;
    fixture.easel("emit grade_change --count 4").stdout();
    fixture.easel("emit quiz_submitted --count 2").stdout();
    fixture.settle(&json!({"accepted": 6, "delivered": 6}));
    let before = fixture.balance();
    check!(fixture.easel("replay start grades --from 1 --event grade_* --dry-run"), @r"
        exit 0
        --- stdout
        3 of 5 events from 1 to 6 would be sent
        --- stderr
        ");
    check!(fixture.easel("replay start grades --from 1 --event grade_* --wait"), @r"
        exit 0
        --- stdout
        --- stderr
        replay 1 of grades has ended
        5 accepted = 3 delivered + 2 filtered + 0 pending + 0 parked + 0 dead + 0 expired: adds up
        ");
    let received = fixture.receiver.received();
    let replayed = received
        .iter()
        .filter(|request| request.headers.contains_key("easel-replay"));
    assert_eq!(replayed.count(), 3);
    assert_eq!(
        fixture.balance(),
        before,
        "the live balance does not change"
    );
    let list = fixture.easel("replay list grades");
    assert_fits(&list);
    assert!(list.stdout.contains("ended"), "{list}");
    assert!(list.stdout.contains("5/5"), "{list}");

    // A replay has its own dead letters.
    fixture
        .receiver
        .set_status(StatusCode::UNPROCESSABLE_ENTITY);
    fixture
        .easel("replay start grades --from 0 --to 1 --wait")
        .stdout();
    let dead = fixture.json("dead-letters list grades --lane 2");
    assert_eq!(dead["dead_letters"][0]["offset"], 0, "{dead}");
    let live = fixture.json("dead-letters list grades");
    assert_eq!(live["dead_letters"], json!([]));
    assert!(fixture.attention().contains(&"dead_letters".to_owned()));
    check!(fixture.easel("replay cancel grades 2"), @r"
        exit 0
        --- stdout
        --- stderr
        cancelled replay 2 of grades
        ");
    assert!(!fixture.attention().contains(&"dead_letters".to_owned()));
    assert_eq!(
        fixture.json("replay list grades")["replays"][0]["number"],
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_holds_while_its_endpoint_is_down_and_its_backlog_can_be_skipped() {
    let fixture = Fixture::open().await;
    fixture
        .receiver
        .set_status(StatusCode::INTERNAL_SERVER_ERROR);
    fixture.easel("emit grade_change --count 60").stdout();
    let holds = |shown: &Value| shown["state"] == "holding";
    let mut polls = (0..1_000).map(|_| fixture.json("subscriptions show grades"));
    let holding = polls.find(holds).unwrap();
    assert!(holding["held_since"].is_string(), "{holding}");
    assert_eq!(holding["reason"], "send: the endpoint answered 500");
    let shown = fixture.easel("subscriptions show grades");
    assert_fits(&shown);
    assert!(
        shown.stdout.contains("\nstate       holding since "),
        "{shown}"
    );
    assert!(fixture.attention().contains(&"holding".to_owned()));
    let balance = fixture.balance();
    assert!(balance["parked"].as_u64().unwrap() > 0, "{balance}");

    check!(fixture.easel("subscriptions resume grades --from now"), @r"
        exit 65
        --- stdout
        --- stderr
        error: subscription grades: it must be paused before events are skipped (invalid_resume)
        ");
    fixture.easel("subscriptions pause grades").stdout();
    fixture.receiver.set_status(StatusCode::OK);
    // Deliveries that were running at the pause are parked by now.
    fixture.settle(&json!({"delivered": 0, "dead": 0}));
    check!(fixture.easel("subscriptions resume grades --from now"), @r"
        exit 0
        --- stdout
        --- stderr
        grades is active
        ");
    fixture.settle(&json!({"pending": 0, "parked": 0}));
    let balance = fixture.balance();
    // The skipped events may include an event of Easel itself about the hold.
    assert!(balance["skipped"].as_u64().unwrap() >= 60, "{balance}");
    assert_eq!(balance["expired"], balance["skipped"]);
    fixture.easel("emit grade_change").stdout();
    fixture.settle(&json!({"delivered": 1, "pending": 0}));
    let events = fixture.receiver.received();
    let attempt = events.last().unwrap().header("easel-attempt").to_owned();
    assert_eq!(attempt, "1", "the backlog was not sent");
}
