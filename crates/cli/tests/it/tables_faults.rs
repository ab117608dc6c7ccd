//! Tests of tables whose PostgreSQL fails, of tables with the events of another log, and of rows that PostgreSQL
//! refuses.

use std::path::Path;
use std::process::Command;

use easel_testkit::{Postgres, TableReader, event};
use http::Method;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::caller::Caller;
use crate::easel::easel;
use crate::kill::start;
use crate::running::Running;

const NAME: &str = "warehouse";
const PATH: &str = "/v1/subscriptions/warehouse";
const COUNT: &str = "select count(*) from live.grade_change";

/// A server that writes to tables.
struct Setup {
    folder: TempDir,
    postgres: Postgres,
    reader: TableReader,
    running: Running,
    caller: Caller,
}

impl Setup {
    /// Starts PostgreSQL and a server, and waits until 10 events are rows. `None` if PostgreSQL is not installed.
    async fn start() -> Option<Self> {
        let postgres = Postgres::start().await?;
        let reader = postgres.reader().await;
        // Easel is not a superuser, so PostgreSQL can refuse it everything.
        reader
            .execute("create role school login; grant create on database postgres to school")
            .await;
        let folder = tempdir().unwrap();
        let running = start(&folder.path().join("data"));
        let caller = Caller::new(&running);
        let url = postgres.url().replace("easel@", "school@");
        caller.subscribe_tables(NAME, "", &url).await;
        send(&caller, 0..10).await;
        caller.settled(NAME).await;
        Some(Self {
            folder,
            postgres,
            reader,
            running,
            caller,
        })
    }

    /// Sends events, and waits until the lane is on hold for a reason with this text.
    async fn assert_holds(&self, numbers: std::ops::Range<u64>, text: &str) {
        send(&self.caller, numbers).await;
        let shown = wait_for_state(&self.caller, "holding").await;
        let reason = shown["reason"].as_str().unwrap();
        assert!(reason.contains(text), "{reason}");
        assert_eq!(self.caller.balance(NAME).await.dead, 0);
    }

    /// Waits until the lane has recovered by itself, and all events are rows.
    async fn assert_recovers(&self, row_count: i64) {
        let balance = self.caller.settled(NAME).await;
        assert_eq!((balance.dead, balance.expired), (0, 0));
        assert_eq!(i64::try_from(balance.delivered).unwrap(), row_count);
        assert_eq!(self.postgres.reader().await.number(COUNT).await, row_count);
        wait_for_state(&self.caller, "active").await;
    }
}

async fn send(caller: &Caller, numbers: std::ops::Range<u64>) {
    let events: Vec<_> = numbers.map(|n| event("grade_change", n)).collect();
    caller.put_records(&events).await.unwrap().stored();
}

async fn wait_for_state(caller: &Caller, state: &str) -> Value {
    caller
        .wait_until(PATH, |shown: &Value| shown["state"] == state)
        .await
}

/// Returns all rows, with everything that a second writer could change.
async fn rows(reader: &TableReader) -> Vec<Value> {
    let sql = "select easel_offset, event_id, (select json_agg(c) from live.easel_cursors c) as cursors \
               from live.grade_change order by easel_offset";
    reader.rows(sql).await
}

/// Waits until the subscription is paused, and asserts that its reason has these texts.
async fn assert_paused(caller: &Caller, texts: &[&str]) {
    let shown = wait_for_state(caller, "paused").await;
    let reason = shown["reason"].as_str().unwrap();
    for text in texts {
        assert!(reason.contains(text), "{text} is missing: {reason}");
    }
}

async fn resume(caller: &Caller) {
    let path = format!("{PATH}/resume");
    caller.call(Method::POST, &path, None).await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    for (from, to) in [
        (from, to),
        (&*from.with_extension("key"), &*to.with_extension("key")),
    ] {
        let copied = Command::new("cp").arg("-r").args([from, to]).status();
        assert!(copied.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_refuse_a_log_that_was_restored_from_a_backup() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    setup.running.easel(&["backup", "copy"]).stdout();
    send(&setup.caller, 10..30).await;
    setup.caller.settled(NAME).await;
    setup.running.kill();
    let before = rows(&setup.reader).await;
    assert_eq!(before.len(), 30);

    let folder = setup.folder.path();
    easel(folder, &["restore", "copy", "--data", "restored"]).stdout();
    let key = |name: &str| folder.join(name).with_extension("key");
    std::fs::copy(key("data"), key("restored")).unwrap();
    let running = start(&folder.join("restored"));
    let caller = Caller::new(&running);
    assert_paused(
        &caller,
        &[
            "events of another data folder up to offset 30",
            "the log ends at 10",
        ],
    )
    .await;
    // New events get the offsets of other events in the tables. Resuming does not mix them.
    send(&caller, 1_000..1_050).await;
    resume(&caller).await;
    assert_paused(&caller, &["up to offset 30", "the log ends at 60"]).await;
    assert_eq!(rows(&setup.reader).await, before);
    // None of the new events counts as delivered. The copy may be older than the last save.
    assert!(caller.balance(NAME).await.delivered <= 10);

    // Another schema takes them, and a replay fills it.
    let edit = ["subscriptions", "edit", NAME, "--schema", "restored"];
    running.easel(&edit).stdout();
    resume(&caller).await;
    caller.settled(NAME).await;
    let replay = ["replay", "start", NAME, "--from", "0", "--wait"];
    running.easel(&replay).stdout();
    let count = "select count(*) from restored.grade_change";
    assert_eq!(setup.reader.number(count).await, 60);
    assert_eq!(rows(&setup.reader).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_refuse_an_old_copy_of_the_data_folder_also_after_its_log_has_grown() {
    let Some(mut setup) = Setup::start().await else {
        return;
    };
    let folder = setup.folder.path();
    let (data, old) = (folder.join("data"), folder.join("old"));
    setup.running.kill();
    copy(&data, &old);
    let running = start(&data);
    let caller = Caller::new(&running);
    send(&caller, 10..30).await;
    caller.settled(NAME).await;
    running.kill();
    let before = rows(&setup.reader).await;
    assert_eq!(before.len(), 30);

    // The log grows before the lane can ask for the position.
    setup.postgres.stop_immediately();
    let running = start(&old);
    let caller = Caller::new(&running);
    send(&caller, 1_000..1_050).await;
    wait_for_state(&caller, "holding").await;
    setup.postgres.launch().await;
    let texts = [
        "has events up to offset 30, but the log, which ends at 6",
        "another event at offset 29",
    ];
    assert_paused(&caller, &texts).await;
    resume(&caller).await;
    assert_paused(&caller, &texts).await;
    assert_eq!(rows(&setup.postgres.reader().await).await, before);
    // None of the new events counts as delivered. The copy may be older than the last save.
    assert!(caller.balance(NAME).await.delivered <= 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_with_copies_of_a_data_folder_only_the_newer_one_writes() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    let folder = setup.folder.path();
    let copied = folder.join("copied");
    copy(&folder.join("data"), &copied);
    let running = start(&copied);
    let caller = Caller::new(&running);
    // The copy has the newer epoch, because it was started later.
    send(&caller, 1_000..1_010).await;
    caller.settled(NAME).await;
    let before = rows(&setup.reader).await;
    assert_eq!(before.len(), 20);
    send(&setup.caller, 2_000..2_010).await;
    assert_paused(&setup.caller, &["another server has written there"]).await;
    assert_eq!(rows(&setup.reader).await, before);
    send(&caller, 1_010..1_020).await;
    assert_eq!(caller.settled(NAME).await.dead, 0);
    assert_eq!(setup.reader.number(COUNT).await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_copies_with_the_same_epoch_only_one_writes() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    let folder = setup.folder.path();
    let (data, copied) = (folder.join("data"), folder.join("copied"));
    setup.running.kill();
    copy(&data, &copied);
    let (first, second) = (start(&data), start(&copied));
    let (first, second) = (Caller::new(&first), Caller::new(&second));
    send(&first, 1_000..1_010).await;
    assert_eq!(first.settled(NAME).await.delivered, 20);
    let before = rows(&setup.reader).await;
    send(&second, 2_000..2_020).await;
    assert_paused(
        &second,
        &["has events up to offset 20", "another event at offset 19"],
    )
    .await;
    assert_eq!(rows(&setup.reader).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_is_waited_for() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    let reader = &setup.reader;
    reader
        .execute("alter system set default_transaction_read_only = on")
        .await;
    reload(&setup.postgres, "default_transaction_read_only", "on").await;
    setup.assert_holds(10..15, "(SQLSTATE 25006").await;
    reader
        .execute("set default_transaction_read_only = off")
        .await;
    reader
        .execute("alter system reset default_transaction_read_only")
        .await;
    reader.execute("select pg_reload_conf()").await;
    setup.assert_recovers(15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_the_permission_to_insert_is_waited_for() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    setup
        .reader
        .execute("revoke insert on live.grade_change from school")
        .await;
    setup
        .assert_holds(
            10..15,
            "permission denied for table grade_change (SQLSTATE 42501",
        )
        .await;
    setup
        .reader
        .execute("grant insert on live.grade_change to school")
        .await;
    setup.assert_recovers(15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_and_one_that_is_away_at_the_start_are_waited_for() {
    let Some(mut setup) = Setup::start().await else {
        return;
    };
    let data = setup.folder.path().join("data");
    setup.running.kill();
    setup.postgres.stop_immediately();
    setup.running = start(&data);
    setup.caller = Caller::new(&setup.running);
    setup
        .assert_holds(10..15, "error connecting to server")
        .await;
    setup.postgres.launch().await;
    setup.assert_recovers(15).await;

    // No connection is left when the server starts again.
    setup.running.kill();
    let reader = setup.postgres.reader().await;
    reader.execute("alter role school connection limit 0").await;
    setup.running = start(&data);
    setup.caller = Caller::new(&setup.running);
    setup.assert_holds(15..20, "(SQLSTATE 53300").await;
    reader
        .execute("alter role school connection limit -1")
        .await;
    setup.assert_recovers(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_is_waited_for() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    let reader = &setup.reader;
    reader
        .execute("begin; lock table live.grade_change in access exclusive mode")
        .await;
    // The lock timeout is 10 s.
    setup.assert_holds(10..15, "(SQLSTATE 55P03").await;
    reader.execute("rollback").await;
    setup.assert_recovers(15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_row_is_one_dead_letter_and_becomes_one_row_when_it_is_redelivered() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    let reader = &setup.reader;
    reader
        .execute("alter table live.grade_change add constraint school check (easel_offset <> 257)")
        .await;
    send(&setup.caller, 10..510).await;
    let balance = setup.caller.settled(NAME).await;
    assert_eq!((balance.delivered, balance.dead), (509, 1));
    assert_eq!(reader.number(COUNT).await, 509);
    let letters: Value = setup.caller.read(&format!("{PATH}/dead-letters")).await;
    let letters = letters["dead_letters"].as_array().unwrap();
    assert_eq!((letters.len(), &letters[0]["offset"]), (1, &257.into()));
    let reason = letters[0]["reason"].as_str().unwrap();
    let words =
        r#"new row for relation "grade_change" violates check constraint "school" (SQLSTATE 23514"#;
    assert!(reason.contains(words), "{reason}");

    // A redelivery while the constraint exists is a dead letter again.
    let redeliver = ["dead-letters", "redeliver", NAME, "--all"];
    setup.running.easel(&redeliver).stdout();
    let balance = setup.caller.settled(NAME).await;
    assert_eq!((balance.delivered, balance.dead), (509, 1));

    setup.running.kill();
    let running = start(&setup.folder.path().join("data"));
    let caller = Caller::new(&running);
    reader
        .execute("alter table live.grade_change drop constraint school")
        .await;
    running.easel(&redeliver).stdout();
    let balance = caller.settled(NAME).await;
    assert_eq!((balance.delivered, balance.dead), (510, 0));
    let before = rows(reader).await;
    assert_eq!(before.len(), 510);
    running.easel(&redeliver).stdout();
    assert_eq!(caller.settled(NAME).await.delivered, 510);
    assert_eq!(rows(reader).await, before);
}

/// Reloads the settings, and waits until new connections have the value.
async fn reload(postgres: &Postgres, setting: &str, value: &str) {
    let reader = postgres.reader().await;
    reader.execute("select pg_reload_conf()").await;
    let current = format!("current_setting('{setting}')");
    while postgres.reader().await.value(&current).await.as_deref() != Some(value) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_restored_while_easel_was_stopped_is_noticed() {
    let Some(setup) = Setup::start().await else {
        return;
    };
    let Setup {
        folder,
        reader,
        running,
        caller,
        postgres: _postgres,
    } = setup;
    // The first events are in a backup of the database, and the others are not.
    reader
        .execute("create table public.saved_rows as select * from live.grade_change")
        .await;
    reader
        .execute("create table public.saved_cursors as select * from live.easel_cursors")
        .await;
    send(&caller, 10..30).await;
    caller.settled(NAME).await;
    running.terminate();
    assert!(running.ended().0.success());
    reader
        .execute("delete from live.grade_change where easel_offset not in (select easel_offset from public.saved_rows)")
        .await;
    reader
        .execute("delete from live.easel_cursors; insert into live.easel_cursors select * from public.saved_cursors")
        .await;

    let data = folder.path().join("data");
    let running = start(&data);
    let caller = Caller::new(&running);
    let lost = ["had events up to offset 30", "but now only up to 10"];
    assert_paused(&caller, &lost).await;
    // A restart changes nothing.
    running.kill();
    let running = start(&data);
    let caller = Caller::new(&running);
    assert_paused(&caller, &lost).await;
    assert_eq!(reader.number(COUNT).await, 10);

    // The operator accepts the loss, and fills in the rows.
    resume(&caller).await;
    let replay = ["replay", "start", NAME, "--from", "0", "--wait"];
    running.easel(&replay).stdout();
    send(&caller, 30..40).await;
    let balance = caller.settled(NAME).await;
    assert_eq!((balance.delivered, balance.dead), (40, 0));
    assert_eq!(reader.number(COUNT).await, 40);

    // A lost schema is noticed too. Another schema is not a loss.
    running.terminate();
    assert!(running.ended().0.success());
    reader.execute("drop schema live cascade").await;
    let running = start(&data);
    let caller = Caller::new(&running);
    assert_paused(
        &caller,
        &["had events up to offset 40", "but now only up to 0"],
    )
    .await;
    let edit = ["subscriptions", "edit", NAME, "--schema", "other"];
    running.easel(&edit).stdout();
    resume(&caller).await;
    send(&caller, 40..50).await;
    caller.settled(NAME).await;
    let other = "select count(*) from other.grade_change";
    assert_eq!(reader.number(other).await, 10);
}
