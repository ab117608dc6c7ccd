//! Tests that compare every value of the tables with the events as delivered, column by column.
//!
//! `clients/compare_tables.py` compares. It uses no code of Easel. The events as delivered come from a webhook
//! with the same masking. `EASEL_TEST_PYTHON` names a Python; the program needs nothing else but `psql`.
//!
//! The term is small. `EASEL_TABLES_STUDENTS=2000 EASEL_TABLES_DAYS=30` is the term of the acceptance.
//! `EASEL_SEED` is the random seed of the releases.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bytes::Bytes;
use easel_catalog::{Catalog, EventOrigin};
use easel_sink_sql::table_name;
use easel_testkit::{Postgres, Receiver, TableReader, report_missing};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::caller::{Balance, Caller};
use crate::easel::easel;
use crate::releases::{EVENTS_PER_RELEASE, Releases};
use crate::running::Running;

const SCRIPT: &str = "tests/clients/compare_tables.py";

/// A server that delivers each event to tables and to a webhook.
struct Compared {
    running: Running,
    caller: Caller,
    receiver: Receiver,
    postgres: Postgres,
    python: OsString,
    folder: TempDir,
}

/// What the program compared.
#[derive(Debug, Deserialize)]
struct Summary {
    events: u64,
    rows: u64,
    event_types: usize,
    tables: usize,
    values: u64,
    in_extra: u64,
}

impl Compared {
    /// Starts the server. Returns `None` if a program is missing.
    async fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("EASEL_TEST_PYTHON") else {
            report_missing("a Python; scripts/test installs one");
            return None;
        };
        let postgres = Postgres::start().await?;
        let folder = tempdir().unwrap();
        let running = Running::start(&folder.path().join("data"));
        let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
        caller.subscribe("webhook", "", &receiver.url()).await;
        caller.subscribe_tables("tables", "", &postgres.url()).await;
        Some(Self {
            running,
            caller,
            receiver,
            postgres,
            python,
            folder,
        })
    }

    /// Stops the server, and starts another on its data folder. The new server knows the tables only from the
    /// database.
    fn restarted(self) -> Self {
        let data = self.running.data().to_owned();
        self.running.terminate();
        let (status, stderr) = self.running.ended();
        assert!(status.success(), "{stderr}");
        let running = Running::start(&data);
        Self {
            caller: Caller::new(&running),
            running,
            ..self
        }
    }

    /// Sends events, one on each line. The server must accept all.
    async fn send(&self, lines: &str) {
        let lines: Vec<_> = lines.lines().collect();
        for chunk in lines.chunks(250) {
            let events = chunk.join("\n");
            let answer = self.caller.post_events("application/x-ndjson", events);
            assert_eq!(answer.await.unwrap().accepted().len(), chunk.len());
        }
    }

    /// Waits until all events are delivered. The tables must take each batch at the first attempt. Returns the
    /// balance of the tables.
    async fn settled(&self) -> Balance {
        #[derive(Debug, Deserialize)]
        struct Shown {
            state: String,
            reason: Option<String>,
            balance: Balance,
            attempts: Attempts,
        }
        #[derive(Debug, Deserialize)]
        struct Attempts {
            outcomes: BTreeMap<String, u64>,
        }
        let is_over = |balance: &Balance| balance.pending + balance.parked == 0;
        let mut delivered = 0;
        loop {
            let path = "/v1/subscriptions/tables";
            let has_moved = |shown: &Shown| {
                let has_failed = shown
                    .attempts
                    .outcomes
                    .keys()
                    .any(|name| name != "delivered");
                has_failed || is_over(&shown.balance) || shown.balance.delivered > delivered
            };
            let shown = self.caller.wait_until(path, has_moved).await;
            assert_eq!(
                (shown.state.as_str(), &shown.reason),
                ("active", &None),
                "{shown:?}"
            );
            let outcomes: Vec<_> = shown.attempts.outcomes.into_keys().collect();
            assert_eq!(outcomes, ["delivered"]);
            delivered = shown.balance.delivered;
            // The webhook is slower.
            let path = "/v1/subscriptions/webhook/balance";
            let has_moved = |webhook: &Balance| is_over(webhook) || webhook.delivered >= delivered;
            self.caller.wait_until(path, has_moved).await;
            if is_over(&shown.balance) {
                self.caller.settled("webhook").await;
                let balance = self.caller.balance("tables").await;
                assert_eq!((balance.dead, balance.expired, balance.damaged), (0, 0, 0));
                return balance;
            }
        }
    }

    /// Writes the events as delivered, with what the log knows of them. Returns the path and the number of
    /// events.
    async fn write_events(&self) -> (PathBuf, usize) {
        #[derive(Deserialize)]
        struct Page {
            events: Vec<Stored>,
            next: u64,
        }
        #[derive(Deserialize)]
        struct Stored {
            offset: u64,
            id: String,
            appended_at: String,
        }
        let received = self.receiver.received();
        let mut delivered: HashMap<&str, &Bytes> = HashMap::new();
        for request in &received {
            let previous = delivered.insert(request.header("webhook-id"), &request.body);
            assert_eq!(previous, None, "the webhook got an event twice");
        }
        let path = self.folder.path().join("events.ndjson");
        let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
        let (mut from, mut count) = (0, 0);
        loop {
            let path = format!("/v1/events?from={from}&limit=1000");
            let page: Page = self.caller.read(&path).await;
            if page.next == from {
                break;
            }
            from = page.next;
            for stored in page.events {
                // The webhook does not get Easel's own events, and the tables do not get them.
                let Some(event) = delivered.remove(stored.id.as_str()) else {
                    continue;
                };
                let (offset, id, time) = (stored.offset, stored.id, stored.appended_at);
                write!(
                    file,
                    r#"{{"offset":{offset},"id":"{id}","appended_at":"{time}","event":"#
                )
                .unwrap();
                file.write_all(event).unwrap();
                file.write_all(b"}\n").unwrap();
                count += 1;
            }
        }
        assert!(delivered.is_empty(), "{delivered:?} is not in the log");
        file.into_inner().unwrap();
        (path, count)
    }

    /// Runs the program that compares.
    fn run_comparison(&self, events: &Path) -> Output {
        let folder = self.folder.path();
        let schemas = folder.join("schemas.json");
        let printed = easel(folder, &["catalog", "*", "--schema"]).stdout();
        std::fs::write(&schemas, printed).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT);
        let mut command = Command::new(&self.python);
        command.arg(script).arg("--events").arg(events);
        command.arg("--schemas").arg(schemas);
        command.args(["--database", &self.postgres.url(), "--psql"]);
        command.arg(self.postgres.program("psql"));
        command.output().unwrap()
    }

    /// Compares all rows with all events.
    async fn compare(&self) -> Summary {
        let (events, count) = self.write_events().await;
        let output = self.run_comparison(&events);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let summary: Summary = serde_json::from_slice(&output.stdout).unwrap();
        writeln!(std::io::stderr(), "{summary:?}").unwrap();
        let wanted = u64::try_from(count).unwrap();
        assert_eq!((summary.events, summary.rows), (wanted, wanted));
        summary
    }

    /// Gives a field a column. Returns the table and the column.
    async fn promote(&self, event_type: &str, field: &str) -> String {
        let path = "/v1/subscriptions/tables/tables/promotions";
        let body = json!({ "event": event_type, "field": field });
        let answer = self.caller.call(Method::POST, path, Some(body)).await;
        let answer = answer.unwrap();
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "{event_type} {field}: {answer:?}"
        );
        let column: Value = answer.json();
        format!(
            "{}.{}",
            table_name(event_type),
            column["column"].as_str().unwrap()
        )
    }
}

/// Returns a number from the environment.
fn number_or(name: &str, default: &str) -> String {
    let value = std::env::var_os(name).map(|value| value.into_string().unwrap());
    value.unwrap_or_else(|| default.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_a_term_is_one_row_with_every_value_as_delivered() {
    let Some(compared) = Compared::start().await else {
        return;
    };
    let students = number_or("EASEL_TABLES_STUDENTS", "60");
    let days = number_or("EASEL_TABLES_DAYS", "10");
    let term = ["simulate", "--students", &students, "--days", &days];
    let simulated = compared
        .running
        .easel(&[&term[..], &["--to", "events"]].concat());
    assert_eq!(simulated.code, Some(0), "{simulated}");

    // The term does not have all event types.
    let catalog = Catalog::built_in();
    let mut more = String::new();
    for event_type in catalog.types() {
        for origin in [EventOrigin::Request, EventOrigin::Job] {
            more += &catalog.example(event_type, origin, Timestamp::UNIX_EPOCH);
            more.push('\n');
        }
    }
    let secret = "s3cret-in-a-url";
    for number in 0..20 {
        let url = format!("https://lms.example.edu/files/{number}?access_token={secret}&page=2");
        let time = format!("2026-02-11T08:15:{number:02}.067Z");
        let event = json!({
            "metadata": { "event_name": "attachment_created", "event_time": time, "url": url, "shard": 7 },
            "body": { "mood": { "url": url }, "locked": "partly", "display_name": null },
        });
        more += &event.to_string();
        more.push('\n');
    }
    compared.send(&more).await;

    let balance = compared.settled().await;
    let summary = compared.compare().await;
    assert_eq!(summary.rows, balance.delivered);
    assert_eq!(summary.event_types, catalog.types().len());
    assert_eq!(summary.tables, catalog.types().len());
    assert_eq!(summary.in_extra, 3 * 20, "{summary:?}");
    let (events, _count) = compared.write_events().await;
    let delivered = std::fs::read_to_string(&events).unwrap();
    assert!(!delivered.contains(secret) && delivered.contains("access_token="));

    the_program_finds_every_change(&compared, &events).await;
}

/// Changes rows, one after the other, and asserts that the program reports exactly these changes.
async fn the_program_finds_every_change(compared: &Compared, events: &Path) {
    let reader = compared.postgres.reader().await;
    let mut wanted = Vec::new();
    // Table, condition for the row, change, and the column of the reported difference.
    for (table, condition, change, column) in [
        (
            "grade_change",
            "score is not null",
            "score = score + 0.5",
            "score",
        ),
        (
            "submission_created",
            "user_id is not null",
            "user_id = null",
            "user_id",
        ),
        (
            "enrollment_created",
            "true",
            "workflow_state = workflow_state || ' '",
            "workflow_state",
        ),
        (
            "course_created",
            "true",
            "event_id = gen_random_uuid()",
            "event_id",
        ),
        (
            "user_created",
            "true",
            "event_time = event_time + interval '1 ms'",
            "event_time",
        ),
        (
            "wiki_page_created",
            "true",
            "received_at = null",
            "received_at",
        ),
        (
            "logged_out",
            "user_id is not null",
            "user_id = user_id + 10000000000000",
            "user_id",
        ),
        (
            "quiz_submitted",
            "true",
            "time_zone = 'Mars/Olympus'",
            "time_zone",
        ),
        (
            "discussion_entry_created",
            "true",
            "extra = '{\"mood\": 1}'",
            "extra",
        ),
        (
            "attachment_created",
            "extra ? 'mood'",
            "extra = extra - 'mood'",
            "extra",
        ),
        (
            "attachment_created",
            "extra ? 'mood' and easel_offset % 2 = 0",
            "extra = jsonb_set(extra, '{_metadata,shard}', '8')",
            "extra",
        ),
        (
            "attachment_created",
            "extra ? 'mood' and easel_offset % 2 = 1",
            "extra = jsonb_set(extra, '{_mismatch,/body/locked}', '\"fully\"')",
            "extra",
        ),
    ] {
        let offset = changed_row(&reader, table, condition, &format!("set {change}")).await;
        wanted.push(format!("{table}, offset {offset}, column {column}:"));
    }
    let deleted = reader
        .number("select min(easel_offset) from live.logged_in")
        .await;
    let delete = format!("delete from live.logged_in where easel_offset = {deleted}");
    reader.execute(&delete).await;
    wanted.push(format!(
        "logged_in, offset {deleted}, column easel_offset: the event has no row"
    ));
    let doubled = reader
        .number("select min(easel_offset) from live.group_created")
        .await;
    reader
        .execute(&format!(
            "insert into live.group_updated (easel_offset) values ({doubled}), (1000000000)"
        ))
        .await;
    wanted.push(format!(
        "group_updated, offset {doubled}, column easel_offset: group_created"
    ));
    wanted.push("group_updated, offset 1000000000, column easel_offset: there is no".to_owned());

    let output = compared.run_comparison(events);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let (differences, count) = stderr.trim_end().rsplit_once('\n').unwrap();
    for wanted in &wanted {
        let found = differences
            .lines()
            .filter(|line| line.starts_with(wanted))
            .count();
        assert_eq!(found, 1, "{wanted}\n{stderr}");
    }
    assert_eq!(count, format!("{} differences", wanted.len()), "{stderr}");
}

/// Changes the first row that meets the condition. Returns its offset.
async fn changed_row(reader: &TableReader, table: &str, condition: &str, change: &str) -> i64 {
    let sql = format!(
        "update live.{table} {change} where easel_offset = \
         (select min(easel_offset) from live.{table} where {condition}) returning easel_offset"
    );
    let row = reader.client.query_one(&sql, &[]).await;
    row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
}

/// After these releases, the server is restarted.
const RESTARTS: [u32; 3] = [1, 5, 9];

/// The fields that an operator promotes, with their event types, after some releases.
const PROMOTIONS: [(u32, &[(&str, &str)]); 3] = [
    (
        4,
        &[
            ("grade_change", "mood"),
            ("course_created", "Mood"),
            ("Mood_set", "size"),
        ],
    ),
    (
        6,
        &[
            ("grade_change", "points"),
            ("submission_updated", "seen_at"),
            ("logged_out", "extra"),
            ("logged_out", "user_id"),
            ("logged_out", "mo\"od"),
            ("mood_set", "score"),
        ],
    ),
    (
        9,
        &[
            ("grade_change", "MOOD"),
            ("grade_change", "late"),
            ("asset_accessed", "id"),
            ("asset_accessed", "event_id"),
            ("asset_accessed", "page_id"),
            ("course_created", "tags"),
        ],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_releases_of_canvas_stop_nothing_and_every_value_is_found_again() {
    let Some(mut compared) = Compared::start().await else {
        return;
    };
    let seed = number_or("EASEL_SEED", "7").parse().unwrap();
    writeln!(std::io::stderr(), "EASEL_SEED={seed}").unwrap();
    let mut releases = Releases::new(seed);
    let mut promoted = Vec::new();
    for release in 1..=10 {
        let events = releases.next_release();
        let promotions = PROMOTIONS
            .iter()
            .filter(|(number, _fields)| *number == release);
        let promoting = async {
            for (event_type, field) in promotions.flat_map(|(_number, fields)| *fields) {
                promoted.push(compared.promote(event_type, field).await);
            }
        };
        // Rows arrive while an operator promotes fields.
        tokio::join!(compared.send(&events), promoting);
        compared.settled().await;
        if RESTARTS.contains(&release) {
            compared = compared.restarted();
        }
    }
    let summary = compared.compare().await;
    assert_eq!(summary.rows, 10 * EVENTS_PER_RELEASE);
    assert_eq!(summary.tables, summary.event_types);
    assert!(summary.values > 50_000, "{summary:?}");

    let reader = compared.postgres.reader().await;
    let changes = reader
        .rows("select what from live.easel_migrations order by id")
        .await;
    let changes: Vec<_> = changes
        .iter()
        .map(|change| change["what"].as_str().unwrap())
        .collect();
    let created = changes
        .iter()
        .filter(|what| what.starts_with("create table "))
        .count();
    assert_eq!(created, summary.tables);
    for column in promoted {
        assert!(
            changes.contains(&format!("add column {column}").as_str()),
            "{column}: {changes:?}"
        );
    }
    assert!(
        changes
            .iter()
            .any(|what| what.ends_with("from bigint to numeric")),
        "{changes:?}"
    );
    the_listed_migrations_make_the_same_tables(&compared.postgres).await;
}

/// Executes all listed migrations in an empty database, and compares the columns.
async fn the_listed_migrations_make_the_same_tables(postgres: &Postgres) {
    let reader = postgres.reader().await;
    let rows = reader
        .client
        .query("select sql from live.easel_migrations order by id", &[])
        .await;
    let statements: Vec<String> = rows.unwrap().iter().map(|row| row.get(0)).collect();
    let columns = "select string_agg(concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), \
         a.attgenerated), E'\\n' order by c.relname, a.attnum) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 where n.nspname = 'live' and c.relkind = 'r'";
    let wanted = reader.value(columns).await.unwrap();
    reader
        .execute("alter schema live rename to live_before")
        .await;
    reader.execute(&statements.join(";\n")).await;
    assert_eq!(reader.value(columns).await.unwrap(), wanted);
}
