//! The storm: for minutes, many failures happen together between a log and its subscribers. At the end, an
//! oracle outside the server compares the acknowledged events with the received ones.
//!
//! `EASEL_STORM_SECONDS` is the duration. `EASEL_SEED` is the random seed; each run prints its seed.

mod endpoint;

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::caller::Caller;
use crate::kill::load::Load;
use crate::kill::number;
use crate::kill::oracle::Oracle;
use crate::running::Running;
use endpoint::{Accepted, Endpoint, Fault};

/// The default duration.
const SECONDS: u64 = 45;

/// The maximum number of deliveries per subscription that one kill may repeat.
const MAX_REPEATS: usize = 1_000;

/// The pause of each producer between two requests, so that the events of an hour fit into memory.
const PAUSE: Duration = Duration::from_millis(80);

/// At the end, the number of open deliveries must become smaller within this time. The time is longer than
/// any pause of a schedule or of a hold.
const PROGRESS_TIMEOUT: Duration = Duration::from_mins(6);

/// The permanent subscriptions, with parts of their specs.
const STEADY: [(&str, &str); 3] = [
    ("every", ""),
    ("grades", r#""events":["grade_*"],"#),
    ("keyed", r#""order":"key","on_exhausted":"hold_key","#),
];

/// A schedule with short pauses, so that a delivery has many retries.
const RETRY: &str = r#""retry":["1s","1s","1s","2s","2s","3s","5s","5s","5s","5s"],"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_event_is_lost_changed_or_out_of_order_whatever_fails() {
    let seconds = number("EASEL_STORM_SECONDS").unwrap_or(SECONDS);
    let seed = number("EASEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut storm = Storm::begin(&folder.path().join("data"), &mut random).await;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut steps = 0;
    while Instant::now() < deadline {
        storm.step(&mut random).await;
        storm.check_balances().await;
        steps += 1;
        sleep(Duration::from_millis(random.u64(50..800))).await;
    }
    let kills = storm.kills;
    let summary = storm.end().await;
    writeln!(
        std::io::stderr(),
        "{seconds} s, {steps} steps, {kills} kills, seed {seed}: {summary}"
    )
    .unwrap();
}

struct Storm {
    running: Option<Running>,
    data: std::path::PathBuf,
    caller: Caller,
    load: Load,
    endpoints: HashMap<&'static str, Endpoint>,
    kills: usize,
    temporary_number: u32,
}

impl Storm {
    async fn begin(data: &Path, random: &mut fastrand::Rng) -> Self {
        let running = start(data);
        let caller = Caller::new(&running);
        let mut endpoints = HashMap::new();
        for (name, more) in STEADY {
            let endpoint = Endpoint::start(random.fork()).await;
            let spec = format!("{more}{RETRY}");
            caller
                .subscribe_with_timeout(name, &spec, &endpoint.url())
                .await;
            endpoints.insert(name, endpoint);
        }
        let load = Load::start_slow(random, PAUSE);
        load.connect(caller.clone());
        Self {
            running: Some(running),
            data: data.to_owned(),
            caller,
            load,
            endpoints,
            kills: 0,
            temporary_number: 0,
        }
    }

    /// Does one random step.
    async fn step(&mut self, random: &mut fastrand::Rng) {
        let (name, _) = STEADY[random.usize(..STEADY.len())];
        match random.u8(..16) {
            0 | 1 => self.kill(random).await,
            2..=5 => {
                let share = [0, 20, 100, 500, 1_000][random.usize(..5)];
                let fault = Fault::ALL[random.usize(..Fault::ALL.len())];
                self.endpoints[name].fail(share, fault);
            }
            6 | 7 => self.endpoints[name].fail(0, Fault::Status(500)),
            8 => self.move_endpoint(name, random).await,
            9 => {
                self.request(Method::POST, &format!("{name}/pause"), None)
                    .await;
                sleep(Duration::from_millis(random.u64(0..500))).await;
            }
            10 | 11 => self.restore(name).await,
            12 => {
                let in_flight = [1, 4, 16, 64][random.usize(..4)];
                self.request(Method::PATCH, name, Some(json!({"in_flight": in_flight})))
                    .await;
            }
            13 => {
                let all = json!({"all": true});
                self.request(
                    Method::POST,
                    &format!("{name}/dead-letters/redeliver"),
                    Some(all),
                )
                .await;
            }
            14 => self.replay(random).await,
            _ => self.change_temporary(random).await,
        }
    }

    async fn kill(&mut self, random: &mut fastrand::Rng) {
        self.load.disconnect();
        if let Some(running) = self.running.take() {
            running.kill();
        }
        self.kills += 1;
        sleep(Duration::from_millis(random.u64(0..300))).await;
        let running = start(&self.data);
        self.caller = Caller::new(&running);
        self.running = Some(running);
        self.load.connect(self.caller.clone());
    }

    /// Sets the URL of a subscription to a closed port, to a name that does not resolve, or to a port
    /// without TLS.
    async fn move_endpoint(&self, name: &str, random: &mut fastrand::Rng) {
        let here = self.endpoints[name].address();
        let url = match random.u8(..3) {
            0 => "http://127.0.0.1:9/".to_owned(),
            1 => "http://nowhere.invalid/".to_owned(),
            _ => format!("https://{here}/"),
        };
        self.request(Method::PATCH, name, Some(json!({"webhook": {"url": url}})))
            .await;
    }

    /// Restores a subscription: sets its URL and resumes it.
    async fn restore(&self, name: &str) {
        let url = self.endpoints[name].url();
        self.request(Method::PATCH, name, Some(json!({"webhook": {"url": url}})))
            .await;
        self.request(Method::POST, &format!("{name}/resume"), None)
            .await;
    }

    async fn replay(&self, random: &mut fastrand::Rng) {
        let replays = self.request(Method::GET, "every/replays", None).await;
        let replays = replays["replays"].as_array().cloned().unwrap_or_default();
        if replays.len() > 3 {
            let number = &replays[random.usize(..replays.len())]["number"];
            self.request(Method::DELETE, &format!("every/replays/{number}"), None)
                .await;
            return;
        }
        let head = self.head().await;
        let from = random.u64(..=head);
        let to = from + random.u64(..=head - from);
        let body = json!({"from": from, "to": to, "max_rate": 2_000});
        self.request(Method::POST, "every/replays", Some(body))
            .await;
    }

    /// Removes older temporary subscriptions and in half of the cases adds one. Only a few exist at any time;
    /// otherwise they would be most of the load after an hour.
    async fn change_temporary(&mut self, random: &mut fastrand::Rng) {
        if let Some(oldest) = self.temporary_number.checked_sub(1) {
            let oldest = format!("temp-{oldest}");
            self.request(Method::DELETE, &oldest, None).await;
        }
        if random.bool() {
            let latest = format!("temp-{}", self.temporary_number);
            self.request(Method::DELETE, &latest, None).await;
            return;
        }
        self.temporary_number += 1;
        let url = self.endpoints["grades"]
            .url()
            .replace("/hook", "/temporary");
        let spec = json!({
            "name": format!("temp-{}", self.temporary_number), "start": "earliest",
            "webhook": {"url": url, "timeout": "1s"},
        });
        self.request(Method::POST, "", Some(spec)).await;
    }

    /// Sends a request to the API of subscriptions. A rejection is allowed, because a random step can be
    /// invalid.
    async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let slash = if path.is_empty() { "" } else { "/" };
        let path = format!("/v1/subscriptions{slash}{path}");
        let answer = self.caller.call(method, &path, body).await.unwrap();
        let is_bug = answer.status.is_server_error();
        assert!(!is_bug, "{path}: {answer:?}");
        if answer.body.is_empty() || answer.status == StatusCode::NO_CONTENT {
            return Value::Null;
        }
        answer.json()
    }

    async fn head(&self) -> u64 {
        let status: Value = self.caller.read("/v1/status").await;
        status["log"]["head"].as_u64().unwrap()
    }

    /// Checks that the balance of every subscription adds up.
    async fn check_balances(&self) {
        let balances: Value = self.caller.read("/v1/balance").await;
        for balance in balances["subscriptions"].as_array().unwrap() {
            let count = |name: &str| balance[name].as_u64().unwrap();
            let terms = [
                "delivered",
                "filtered",
                "pending",
                "parked",
                "dead",
                "expired",
            ];
            let sum: u64 = terms.into_iter().map(count).sum();
            assert_eq!(count("accepted"), sum, "{balance}");
        }
    }

    /// Redelivers dead letters until no delivery is open. Fails if there is no progress.
    async fn redeliver_until_settled(&self, name: &str) -> Value {
        let mut resumes = 0;
        let path = format!("/v1/subscriptions/{name}/balance");
        let (mut fewest, mut fewer_at) = (u64::MAX, Instant::now());
        loop {
            let balance: Value = self.caller.read(&path).await;
            let terms = ["pending", "parked", "dead"];
            let open = terms
                .into_iter()
                .map(|term| balance[term].as_u64().unwrap());
            let open: u64 = open.sum();
            if open == 0 {
                return balance;
            }
            if open < fewest {
                (fewest, fewer_at) = (open, Instant::now());
            }
            let unchanged_for = fewer_at.elapsed();
            assert!(
                unchanged_for < PROGRESS_TIMEOUT,
                "{name} is still {balance}"
            );
            // A 410 that was under way when the storm ended may pause the lane after its last resume.
            if self.is_gone(name).await {
                resumes += 1;
                assert!(resumes <= 2, "{name} was paused again: {balance}");
                self.restore(name).await;
            }
            let all = Some(json!({"all": true}));
            let redeliver = format!("{name}/dead-letters/redeliver");
            self.request(Method::POST, &redeliver, all).await;
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Returns true if a subscription is paused because its endpoint answered 410.
    async fn is_gone(&self, name: &str) -> bool {
        let subscription = self.request(Method::GET, name, None).await;
        let reason = subscription["reason"].as_str().unwrap_or_default();
        subscription["state"] == "paused" && reason.ends_with("(410)")
    }

    /// Ends the storm, waits until all events arrive, and checks everything.
    async fn end(mut self) -> String {
        for endpoint in self.endpoints.values() {
            endpoint.fail(0, Fault::Status(500));
            endpoint.accept_poison();
        }
        for (name, _) in STEADY {
            self.restore(name).await;
        }
        let sent = self.load.stop().await;
        let mut balances = HashMap::new();
        for (name, _) in STEADY {
            balances.insert(name, self.redeliver_until_settled(name).await);
        }
        let log = self.caller.log().await;
        let oracle = Oracle::check_log(sent, &log);
        let mut summary = oracle.to_string();
        for (name, more) in STEADY {
            let prefix = if more.contains("grade_") {
                "grade_"
            } else {
                ""
            };
            let accepted = self.endpoints[name].accepted();
            let repeats = check_arrivals(&oracle, &accepted, prefix, name);
            let bound = self.kills * MAX_REPEATS;
            assert!(repeats <= bound, "{name}: {repeats} repeats");
            summary = format!(
                "{summary}; {name}: {} accepted, {repeats} repeated",
                accepted.len()
            );
            let wanted = oracle.numbers(prefix).len() as u64;
            assert_eq!(balances[name]["delivered"], json!(wanted), "{name}");
            assert_eq!(balances[name]["expired"], json!(0), "{name}");
        }
        drop(self.running.take());
        summary
    }
}

/// Checks that all wanted events arrived unchanged, and for `keyed` that the events of each key arrived in
/// order. Returns the number of repeats.
fn check_arrivals(oracle: &Oracle, accepted: &[Accepted], prefix: &str, name: &str) -> usize {
    let wanted = oracle.numbers(prefix);
    let (mut arrived, mut live_count) = (HashSet::new(), 0);
    let mut latest: HashMap<u64, u64> = HashMap::new();
    for Accepted {
        number,
        id,
        is_replay,
    } in accepted
    {
        let number = number.unwrap_or_else(|| panic!("{name}: an event was altered"));
        let known: Option<uuid::Uuid> = oracle.id(number).parse().ok();
        assert_eq!(*id, known, "{name}");
        assert!(wanted.contains(&number), "{name}: {number} is not wanted");
        if *is_replay {
            continue;
        }
        live_count += 1;
        if arrived.insert(number) && name == "keyed" {
            let (key, offset) = (number % 10, oracle.offset(number));
            let previous = latest.insert(key, offset);
            assert!(
                previous.is_none_or(|previous| previous < offset),
                "key {key} is out of order"
            );
        }
    }
    let missing: Vec<_> = wanted.difference(&arrived).collect();
    assert!(missing.is_empty(), "{name} never received {missing:?}");
    live_count - wanted.len()
}

fn start(data: &Path) -> Running {
    Running::start_with(data, &["--auth", "none"], |_command| ())
}
