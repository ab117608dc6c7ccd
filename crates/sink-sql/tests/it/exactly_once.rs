//! Every event is one row, whatever happens to connections, servers and other writers.

use std::sync::Arc;

use easel_sink_sql::{SqlSink, TableViews};
use easel_sinks::{Blame, Item, SendError, Sink};

use crate::campus::{event, options, position, send, sink};
use easel_testkit::{Cut, CutProxy};
use easel_testkit::{Postgres, PostgresSync, url_through};

const COUNT: &str = "select count(*) from live.logged_out";

/// Returns events with rising offsets, all of one event type.
fn events(offsets: std::ops::Range<u64>) -> Vec<Arc<Item>> {
    offsets
        .map(|offset| event(offset, "logged_out", r#"{"mood":"good"}"#))
        .collect()
}

fn is_endpoint(failure: &SendError) -> bool {
    matches!(failure.blame(), Blame::Endpoint { .. } | Blame::Host)
}

#[tokio::test]
async fn the_position_is_that_after_the_last_row() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    assert_eq!(position(&sink).await, None);
    let reader = postgres.reader().await;
    let schemas = "select count(*) from pg_namespace where nspname = 'live'";
    assert_eq!(
        reader.number(schemas).await,
        0,
        "a question must create nothing"
    );
    send(&sink, events(3..10)).await.unwrap();
    assert_eq!(position(&sink).await, Some(10));
    send(&sink, events(20..21)).await.unwrap();
    assert_eq!(position(&sink).await, Some(21));
    assert_eq!(reader.number(COUNT).await, 8);
}

#[tokio::test]
async fn a_batch_that_was_committed_already_is_not_doubled() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    send(&sink, events(0..10)).await.unwrap();
    send(&sink, events(0..10)).await.unwrap();
    send(&sink, events(5..15)).await.unwrap();
    assert_eq!(postgres.reader().await.number(COUNT).await, 15);
    assert_eq!(position(&sink).await, Some(15));
}

#[tokio::test]
async fn rows_of_many_tables_are_not_doubled_either() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let all: Vec<_> = crate::campus::examples()
        .iter()
        .map(|(offset, json)| crate::campus::item(*offset, json))
        .collect();
    let half = all.len() / 2;
    send(&sink, all[..half].to_vec()).await.unwrap();
    let again: Vec<_> = all[10..].to_vec();
    send(&sink, again).await.unwrap();
    let reader = postgres.reader().await;
    let counts = "select sum(event_count) from live.activity_by_day";
    assert_eq!(
        usize::try_from(reader.number(counts).await).unwrap(),
        all.len()
    );
}

#[tokio::test]
async fn a_refused_row_in_one_of_many_tables_is_the_failure_of_the_batch() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let names = [
        "grade_change",
        "logged_in",
        "logged_out",
        "syllabus_updated",
    ];
    let items = |from: u64| {
        let numbered = names.iter().zip(from..);
        numbered
            .map(|(name, offset)| event(offset, name, "{}"))
            .collect::<Vec<_>>()
    };
    send(&sink, items(0)).await.unwrap();
    let reader = postgres.reader().await;
    reader
        .execute("alter table live.logged_in add check (easel_offset <> 5)")
        .await;
    let failure = send(&sink, items(4)).await.unwrap_err();
    assert_eq!(failure.blame(), Blame::Event, "{failure}");
    assert!(failure.to_string().contains("23514"), "{failure}");
    assert_eq!(position(&sink).await, Some(4));
    send(&sink, items(8)).await.unwrap();
    assert_eq!(
        reader.number("select count(*) from live.logged_in").await,
        2
    );
}

#[tokio::test]
async fn a_redelivered_row_fills_its_gap_and_leaves_the_cursor_alone() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    send(&sink, events(0..4)).await.unwrap();
    send(&sink, events(5..10)).await.unwrap();
    send(&sink, events(4..5)).await.unwrap();
    assert_eq!(position(&sink).await, Some(10));
    assert_eq!(postgres.reader().await.number(COUNT).await, 10);
}

#[tokio::test]
async fn a_lost_connection_leaves_nothing_and_blames_the_endpoint() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let proxy = CutProxy::start(postgres.port()).await;
    let sink = sink(&url_through(proxy.port));
    send(&sink, events(0..1)).await.unwrap();
    for trigger in [b"PGCOPY\n".as_slice(), b"update \"live\"", b"begin"] {
        proxy.cut_at(trigger, Cut::BeforeServer);
        let failure = send(&sink, events(1..100)).await.unwrap_err();
        assert!(proxy.has_cut() && is_endpoint(&failure), "{failure}");
        assert_eq!(position(&sink).await, Some(1));
    }
    send(&sink, events(1..100)).await.unwrap();
    assert_eq!(postgres.reader().await.number(COUNT).await, 100);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_looked_up() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let proxy = CutProxy::start(postgres.port()).await;
    let sink = sink(&url_through(proxy.port));
    send(&sink, events(0..1)).await.unwrap();
    proxy.cut_at(b"commit", Cut::BeforeAnswer);
    send(&sink, events(1..50)).await.unwrap();
    assert!(proxy.has_cut());
    let reader = postgres.reader().await;
    assert_eq!(reader.number(COUNT).await, 50);
    // The server does not receive this commit, so the lane sends the batch again.
    proxy.cut_at(b"commit", Cut::BeforeServer);
    let failure = send(&sink, events(50..60)).await.unwrap_err();
    assert!(is_endpoint(&failure), "{failure}");
    assert_eq!(
        (position(&sink).await, reader.number(COUNT).await),
        (Some(50), 50)
    );
    send(&sink, events(50..60)).await.unwrap();
    assert_eq!(reader.number(COUNT).await, 60);
}

#[tokio::test]
async fn killed_backends_and_crashes_of_the_server_neither_lose_nor_double_a_row() {
    let Some(mut postgres) = Postgres::start_with(PostgresSync::On).await else {
        return;
    };
    let mut options = options(&postgres.url());
    options.views = TableViews::Off;
    let sink = SqlSink::new(options);
    let mut next = 0;
    for round in 0..12_u32 {
        let reader = postgres.reader().await;
        let killing = async {
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                 where application_name = 'easel' and state <> 'idle'";
            reader.client.query(kill, &[]).await.unwrap()
        };
        let sending = send(&sink, events(next..next + 500));
        let result = if round % 4 == 3 {
            drop(killing);
            let result = sending.await;
            postgres.stop_immediately();
            postgres.launch().await;
            result
        } else {
            let (result, _killed) = tokio::join!(sending, killing);
            result
        };
        if let Err(failure) = result {
            assert!(is_endpoint(&failure), "{failure}");
        }
        // The first question after a crash may still find the old connection.
        next = match sink.cursor().await {
            Ok(cursor) => cursor,
            Err(_lost) => sink.cursor().await.unwrap(),
        }
        .map_or(0, |cursor| cursor.next_offset);
        let reader = postgres.reader().await;
        let rows = match next {
            0 => 0,
            _ => reader.number(COUNT).await,
        };
        assert_eq!(u64::try_from(rows).unwrap(), next);
    }
    assert!(next >= 1_500, "{next}");
}

#[tokio::test]
async fn a_writer_with_an_older_epoch_stops_for_good() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let old = sink(&postgres.url());
    send(&old, events(0..10)).await.unwrap();
    let mut options = options(&postgres.url());
    options.epoch = 2;
    let new = SqlSink::new(options);
    send(&new, events(10..20)).await.unwrap();
    let failure = send(&old, events(10..20)).await.unwrap_err();
    assert_eq!(failure.blame(), Blame::Gone);
    assert_eq!(old.resume_at(None).await.unwrap_err().blame(), Blame::Gone);
    assert_eq!(postgres.reader().await.number(COUNT).await, 20);
    send(&new, events(20..30)).await.unwrap();
}

#[tokio::test]
async fn two_subscriptions_have_two_positions_and_cannot_mix_their_rows() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let first = sink(&postgres.url());
    send(&first, events(0..10)).await.unwrap();
    let mut options = options(&postgres.url());
    options.key.subscription = "others".to_owned();
    let second = SqlSink::new(options);
    assert_eq!(position(&second).await, None);
    let failure = send(&second, events(5..6)).await.unwrap_err();
    assert!(is_endpoint(&failure), "{failure}");
    assert!(failure.to_string().contains("another writer"), "{failure}");
}

#[tokio::test]
async fn a_refused_row_is_found_while_the_others_are_not_committed() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    send(&sink, events(0..1)).await.unwrap();
    let reader = postgres.reader().await;
    reader
        .execute("alter table live.logged_out add check (easel_offset <> 7)")
        .await;
    // What a lane does: it splits a rejected batch, the first half first.
    let mut parts = vec![events(1..50)];
    let (mut dead, mut attempts) = (Vec::new(), 0);
    while let Some(mut part) = parts.pop() {
        attempts += 1;
        match send(&sink, part.clone()).await {
            Ok(()) => (),
            Err(failure) if part.len() == 1 => dead.push((part[0].offset.get(), failure)),
            Err(failure) => {
                assert_eq!(failure.blame(), Blame::Event, "{failure}");
                assert!(position(&sink).await.unwrap() <= 7);
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
            }
        }
    }
    let [(7, failure)] = dead.as_slice() else {
        panic!("{dead:?}");
    };
    assert!(
        failure
            .to_string()
            .contains("(SQLSTATE 23514, table logged_out, constraint"),
        "{failure}"
    );
    assert!(attempts < 16, "{attempts}");
    assert_eq!(reader.number(COUNT).await, 49);
    assert_eq!(position(&sink).await, Some(50));
    // The operator removes the check and redelivers the dead letter.
    reader
        .execute("alter table live.logged_out drop constraint logged_out_easel_offset_check")
        .await;
    send(&sink, events(7..8)).await.unwrap();
    assert_eq!(reader.number(COUNT).await, 50);
}

#[tokio::test]
async fn failures_of_the_server_blame_the_endpoint() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let mut options = options(&postgres.url());
    options.database.lock_timeout = std::time::Duration::from_millis(200);
    let sink = SqlSink::new(options);
    send(&sink, events(0..1)).await.unwrap();
    let reader = postgres.reader().await;

    reader
        .execute("begin; lock table live.logged_out in access exclusive mode")
        .await;
    let failure = send(&sink, events(1..2)).await.unwrap_err();
    assert!(
        failure.to_string().contains("55P03") && is_endpoint(&failure),
        "{failure}"
    );
    reader.execute("rollback").await;

    reader
        .execute("alter system set default_transaction_read_only = on")
        .await;
    reader.execute("select pg_reload_conf()").await;
    let failure = loop {
        // The server applies the setting a moment later.
        match send(&sink, events(1..2)).await {
            Ok(()) => tokio::task::yield_now().await,
            Err(failure) => break failure,
        }
    };
    assert!(
        failure.to_string().contains("25006") && is_endpoint(&failure),
        "{failure}"
    );
    let position_failure = sink.resume_at(None).await.unwrap_err();
    assert!(is_endpoint(&position_failure), "{position_failure}");
    reader
        .execute("set default_transaction_read_only = off")
        .await;
    reader
        .execute("alter system reset default_transaction_read_only")
        .await;
    reader.execute("select pg_reload_conf()").await;
    while send(&sink, events(1..3)).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(reader.number(COUNT).await, 3);
}

#[tokio::test]
async fn a_server_that_is_away_is_not_connected() {
    let Some(mut postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    postgres.stop_immediately();
    let failure = send(&sink, events(0..1)).await.unwrap_err();
    assert_eq!(failure.blame(), Blame::Host, "{failure}");
    postgres.launch().await;
    send(&sink, events(0..1)).await.unwrap();
}

#[tokio::test]
async fn another_data_folder_is_refused_with_its_first_question_and_with_its_first_batch() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    send(&sink(&postgres.url()), events(0..10)).await.unwrap();
    let mut options = options(&postgres.url());
    options.key.folder = "folder-2".to_owned();
    options.epoch = 9;
    let restored = SqlSink::new(options);
    let failure = send(&restored, events(10..20)).await.unwrap_err();
    assert_eq!(failure.blame(), Blame::Gone);
    let failure = restored.resume_at(None).await.unwrap_err();
    assert_eq!(failure.blame(), Blame::Gone);
    assert!(
        failure
            .to_string()
            .contains("the schema live has events of another data folder up to offset 10"),
        "{failure}"
    );
    assert_eq!(postgres.reader().await.number(COUNT).await, 10);
}

#[tokio::test]
async fn a_copied_data_folder_with_the_same_epoch_cannot_write_after_the_other_has() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let (original, copied) = (sink(&postgres.url()), sink(&postgres.url()));
    send(&original, events(0..10)).await.unwrap();
    assert_eq!(position(&copied).await, Some(10));
    send(&original, events(10..15)).await.unwrap();
    // The copy has other events at the offsets from 10 on. They must not count as repeated.
    let failure = send(&copied, events(10..20)).await.unwrap_err();
    assert!(is_endpoint(&failure), "{failure}");
    assert!(
        failure.to_string().contains("from offset 10 to 15"),
        "{failure}"
    );
    assert_eq!(postgres.reader().await.number(COUNT).await, 15);
    // Now the lane compares the last event with its log.
    let position = copied.resume_at(None).await.unwrap().unwrap();
    assert_eq!(position.last_event_id, Some(events(14..15)[0].id));
}

#[tokio::test]
async fn tables_that_went_back_are_not_continued_with_a_gap() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    send(&sink, events(0..10)).await.unwrap();
    // As after a failover to a database without the last transactions.
    let reader = postgres.reader().await;
    reader
        .execute(
            "delete from live.logged_out where easel_offset >= 6; \
             update live.easel_cursors set next_offset = 6",
        )
        .await;
    let send_failure = send(&sink, events(10..20)).await.unwrap_err();
    let position_failure = sink.resume_at(None).await.unwrap_err();
    for failure in [send_failure, position_failure] {
        assert_eq!(failure.blame(), Blame::Gone);
        assert!(
            failure
                .to_string()
                .contains("had events up to offset 10, but now only up to 6"),
            "{failure}"
        );
    }
    assert_eq!(reader.number(COUNT).await, 6);
}
