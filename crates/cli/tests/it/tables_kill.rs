//! The kill test of tables: kills a busy server and its PostgreSQL many times, and cuts their connections. Every
//! event of the log is exactly one row, except those that PostgreSQL refuses: these are dead letters.
//!
//! `EASEL_TABLE_KILLS` is the number of kills of Easel, and `EASEL_TABLE_STOPS` that of PostgreSQL.
//! `EASEL_SEED` is the random seed; each run prints its seed.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use easel_testkit::{Cut, CutProxy, Postgres, PostgresSync, event, url_through};
use fastrand::Rng;
use tokio::time::{Instant, sleep, timeout};

use crate::caller::{Caller, Shown};
use crate::kill::load::Load;
use crate::kill::oracle::Oracle;
use crate::kill::{number, start, start_and_kill};

/// The default numbers of kills.
const KILLS: u64 = 20;
const STOPS: u64 = 4;

/// The time between two kills, in milliseconds. A transaction waits 250 ms for more events.
const LIFETIME: Range<u64> = 20..400;

/// The additional time in a step without a cut connection, in milliseconds. Most transactions end in such steps.
const UNDISTURBED: Range<u64> = 0..1_200;

/// The time without PostgreSQL, in milliseconds.
const OUTAGE: Range<u64> = 0..400;

/// How long the proxy waits for the bytes at which it cuts a connection. A lane on hold does not send them.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// How long a lane is on hold after a cut connection, with some time for the transaction after it.
const RECOVERY: Duration = Duration::from_millis(6_500);

/// One of this many cuts is followed by such a pause, so that the lane recovers without a restart.
const RECOVERIES: u8 = 8;

/// One of this many kills hits a server that is still starting.
const EARLY: u8 = 6;

/// The number of steps between two checks.
const CHECK_EVERY: usize = 10;

/// The pause of a producer between two requests.
const PAUSE: Duration = Duration::from_millis(60);

/// What the subscription wants. The load also sends `course_updated`.
const WANTED: [&str; 2] = ["grade_change", "course_created"];

/// The bytes of a connection at which it is cut, and where.
const CUTS: [(&[u8], Cut); 6] = [
    (b"PGCOPY\n", Cut::BeforeServer),
    (b"PGCOPY\n", Cut::HalfWay),
    (b"update \"live\"", Cut::BeforeServer),
    (b"commit\0", Cut::BeforeServer),
    (b"commit\0", Cut::BeforeAnswer),
    (b"begin\0", Cut::BeforeAnswer),
];

/// PostgreSQL refuses rows of `grade_change` whose offset has this remainder.
const POISON: &str = "easel_offset % 499 <> 13";

const fn is_poison(offset: u64) -> bool {
    offset % 499 == 13
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    KillEasel,
    StopPostgres,
}

/// The log and the tables, as the campaign checks them.
struct Campaign {
    data: PathBuf,
    postgres: Postgres,
    proxy: CutProxy,
    random: Rng,
    /// The log, by offset, as far as it was read.
    log: Vec<Shown>,
    /// The number of cuts, by their place in [`CUTS`]; with the connection closed, and with a kill while it is
    /// silent.
    closed: [u64; CUTS.len()],
    killed: [u64; CUTS.len()],
    check_count: u64,
}

/// Whether PostgreSQL refuses some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poison {
    Refused,
    Accepted,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_one_row_however_often_servers_are_killed_and_connections_are_cut() {
    let Some(postgres) = Postgres::start_with(PostgresSync::On).await else {
        return;
    };
    let kills = number("EASEL_TABLE_KILLS").unwrap_or(KILLS);
    let stops = number("EASEL_TABLE_STOPS").unwrap_or(STOPS);
    let seed = number("EASEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let started = Instant::now();
    say(&format!("seed {seed}"));
    let folder = tempfile::tempdir().unwrap();
    let mut campaign = Campaign {
        data: folder.path().join("data"),
        proxy: CutProxy::start(postgres.port()).await,
        postgres,
        random: Rng::with_seed(seed),
        log: Vec::new(),
        closed: [0; CUTS.len()],
        killed: [0; CUTS.len()],
        check_count: 0,
    };
    let mut running = start(&campaign.data);
    let caller = Caller::new(&running);
    let wanted = format!(r#""events":["{}"],"#, WANTED.join(r#"",""#));
    let url = url_through(campaign.proxy.port);
    caller.subscribe_tables("warehouse", &wanted, &url).await;
    let first = [event("grade_change", 1_000_000_000)];
    caller.put_records(&first).await.unwrap().stored();
    caller.settled("warehouse").await;
    let reader = campaign.postgres.reader().await;
    let refuse =
        format!("alter table live.grade_change add constraint poison check ({POISON}) not valid");
    reader.execute(&refuse).await;

    let mut steps = vec![Step::KillEasel; usize::try_from(kills).unwrap()];
    steps.resize(
        steps.len() + usize::try_from(stops).unwrap(),
        Step::StopPostgres,
    );
    campaign.random.shuffle(&mut steps);
    let mut load = Load::start_slow(&mut campaign.random, PAUSE);
    for (index, step) in steps.into_iter().enumerate() {
        load.connect(Caller::new(&running));
        sleep(Duration::from_millis(campaign.random.u64(LIFETIME))).await;
        campaign.disturb(step).await;
        match step {
            Step::KillEasel => {
                running.kill();
                load.disconnect();
                campaign.proxy.disarm();
                if campaign.random.u8(..EARLY) == 0 {
                    let lifetime = Duration::from_millis(campaign.random.u64(LIFETIME));
                    start_and_kill(&campaign.data, lifetime).await;
                }
                running = start(&campaign.data);
            }
            Step::StopPostgres => {
                campaign.postgres.stop_immediately();
                campaign.proxy.disarm();
                sleep(Duration::from_millis(campaign.random.u64(OUTAGE))).await;
                campaign.postgres.launch().await;
            }
        }
        if index % CHECK_EVERY == CHECK_EVERY - 1 {
            campaign
                .check(&Caller::new(&running), Poison::Refused)
                .await;
        }
    }
    let caller = Caller::new(&running);
    load.connect(caller.clone());
    let sent = load.stop().await;

    let balance = caller.settled("warehouse").await;
    let (row_count, dead_count) = campaign.check(&caller, Poison::Refused).await;
    assert_eq!((balance.delivered, balance.dead), (row_count, dead_count));
    assert_eq!((balance.expired, balance.damaged), (0, 0));
    let logged = u64::try_from(campaign.log.len()).unwrap();
    assert_eq!(balance.filtered, balance.accepted - row_count - dead_count);
    let oracle = Oracle::check_log(sent, &campaign.sent_events());

    // The school removes its constraint. Each dead letter becomes a row, once.
    running.kill();
    let running = start(&campaign.data);
    let caller = Caller::new(&running);
    let reader = campaign.postgres.reader().await;
    reader
        .execute("alter table live.grade_change drop constraint poison")
        .await;
    let redeliver = ["dead-letters", "redeliver", "warehouse", "--all"];
    running.easel(&redeliver).stdout();
    let balance = caller.settled("warehouse").await;
    let (all_count, _none) = campaign.check(&caller, Poison::Accepted).await;
    assert_eq!((balance.delivered, balance.dead), (all_count, 0));
    assert_eq!(all_count, row_count + dead_count);

    let cuts = |counts: [u64; CUTS.len()]| {
        let counts = CUTS.iter().zip(counts);
        counts
            .map(|((bytes, cut), count)| format!("{} {cut:?} {count}", bytes.escape_ascii()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    say(&format!(
        "{kills} kills of Easel and {stops} of PostgreSQL in {:.0?}, seed {seed}: {oracle}; {logged} events in \
         the log, {row_count} rows, {dead_count} dead letters, which became rows later; {} checks; \
         connections cut: {}; killed while silent: {}",
        started.elapsed(),
        campaign.check_count,
        cuts(campaign.closed),
        cuts(campaign.killed),
    ));
}

impl Campaign {
    /// Cuts a connection in two of three steps, at a random place. In half of these steps the connection is only
    /// silent, so that the kill hits an open transaction.
    async fn disturb(&mut self, step: Step) {
        if self.random.u8(..3) == 0 {
            sleep(Duration::from_millis(self.random.u64(UNDISTURBED))).await;
            return;
        }
        let place = self.random.usize(..CUTS.len());
        let (bytes, cut) = CUTS[place];
        let is_silent = self.random.bool();
        if is_silent {
            self.proxy.silence_at(bytes, cut);
        } else {
            self.proxy.cut_at(bytes, cut);
        }
        if timeout(MAX_WAIT, self.proxy.wait_for_cut()).await.is_err() {
            return;
        }
        if is_silent {
            self.killed[place] += 1;
            return;
        }
        self.closed[place] += 1;
        if step == Step::KillEasel && self.random.u8(..RECOVERIES) == 0 {
            sleep(RECOVERY).await;
        }
    }

    /// Compares the tables with the log. Returns the number of rows and of events without a row.
    async fn check(&mut self, caller: &Caller, poison: Poison) -> (u64, u64) {
        self.check_count += 1;
        let (cursor, mut rows) = snapshot(&self.postgres).await;
        let row_count = rows.len();
        // The log has every offset of the tables, because it was synced before.
        let from = self.log.last().map_or(0, |last| last.offset + 1);
        self.log.extend(caller.log_from(from).await);
        let mut dead_count = 0;
        for record in self.log.iter().take_while(|record| record.offset < cursor) {
            let name = event_name(record);
            if !WANTED.contains(&name) {
                continue;
            }
            let offset = record.offset;
            let is_refused =
                poison == Poison::Refused && name == "grade_change" && is_poison(offset);
            let row = rows.remove(&offset);
            let expected = (!is_refused).then(|| (name.to_owned(), record.id.clone()));
            assert_eq!(row, expected, "offset {offset}, cursor {cursor}");
            dead_count += u64::from(is_refused);
        }
        let end = self.log.last().map_or(0, |last| last.offset + 1);
        say(&format!("{row_count} rows, cursor {cursor}, log {end}"));
        assert!(rows.is_empty(), "not in the log before {cursor}: {rows:?}");
        (u64::try_from(row_count).unwrap(), dead_count)
    }

    /// Returns the records of the log that producers of the load sent.
    fn sent_events(&mut self) -> Vec<Shown> {
        let log = std::mem::take(&mut self.log);
        log.into_iter()
            .skip(1)
            .filter(|record| !event_name(record).starts_with("easel."))
            .collect()
    }
}

/// The rows by offset: table and event id.
type Rows = HashMap<u64, (String, String)>;

/// Returns the cursor and all rows of one moment. No offset may be in two rows.
async fn snapshot(postgres: &Postgres) -> (u64, Rows) {
    let reader = postgres.reader().await;
    reader
        .execute("begin isolation level repeatable read, read only")
        .await;
    let cursor = "select next_offset from live.easel_cursors where replay = 0";
    let cursor = u64::try_from(reader.number(cursor).await).unwrap();
    let tables = "select table_name as name from information_schema.columns where table_schema = 'live' \
                  and column_name = 'easel_offset' and table_name in \
                  (select table_name from information_schema.tables where table_type = 'BASE TABLE')";
    let mut rows = Rows::new();
    for table in reader.rows(tables).await {
        let table = table["name"].as_str().unwrap();
        let sql = format!("select easel_offset, event_id::text from live.\"{table}\"");
        for row in reader.client.query(&sql, &[]).await.unwrap() {
            let (offset, id): (i64, String) = (row.get(0), row.get(1));
            let offset = u64::try_from(offset).unwrap();
            assert!(
                offset < cursor,
                "row {offset} is beyond the cursor {cursor}"
            );
            let other = rows.insert(offset, (table.to_owned(), id));
            assert_eq!(other, None, "offset {offset} is also in {table}");
        }
    }
    (cursor, rows)
}

/// Returns the event type of a record.
fn event_name(record: &Shown) -> &str {
    let text = std::str::from_utf8(record.bytes()).unwrap();
    let (_before, name) = text.split_once(r#""event_name":""#).unwrap();
    name.split_once('"').unwrap().0
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}
