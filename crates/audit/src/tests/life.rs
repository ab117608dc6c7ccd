//! Audits that are written, read, trimmed, copied and continued.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::Reach;
use serde_json::json;

use super::{Case, entry};
use crate::{
    AuditActor, AuditLook, AuditQuery, AuditUnavailable, DeclaredSetting, ShownEvents, StreamTally,
    end_copy_at_head,
};

const ALL: AuditQuery = AuditQuery {
    from: 0,
    limit: 1000,
    reach: Reach::Everything,
    actor: None,
    action: None,
    object: None,
    since: None,
    until: None,
};

fn look(actor: &str) -> AuditLook {
    AuditLook {
        actor: AuditActor {
            name: actor.to_owned(),
            address: None,
            reach: Reach::Everything,
        },
        action: "events.read".to_owned(),
        object: String::new(),
    }
}

#[tokio::test]
async fn entries_are_numbered_without_gaps_also_after_a_restart() {
    let case = Case::with_entries(5).await;
    let audit = case.open();
    assert!(audit.found_at_start().is_empty());
    audit.record(entry(6)).await.unwrap();
    let (entries, next) = audit.list(ALL).await.unwrap();
    let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    assert_eq!(next, 7);
    assert_eq!(entries[5].details, json!({ "changed": ["events"] }));
    assert!(audit.verify(None).await.unwrap().is_valid());
    audit.close().await;
    assert!(case.verify().is_valid());
    assert_eq!(audit.record(entry(7)).await, Err(AuditUnavailable));
}

#[tokio::test]
async fn many_entries_at_once_are_all_on_disk() {
    let case = Case::new();
    let audit = Arc::new(case.open());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=500 {
        let audit = Arc::clone(&audit);
        tasks.spawn(async move { audit.record(entry(number)).await.unwrap() });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.unwrap();
    }
    assert!(audit.verify(None).await.unwrap().is_valid());
    audit.close().await;
    let verification = case.verify();
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert_eq!(verification.entry_count, 500);
}

#[tokio::test]
async fn a_head_that_is_behind_by_one_commit_is_no_damage() {
    let case = Case::with_entries(5).await;
    let behind = fs::read(case.head()).unwrap();
    let audit = case.open();
    audit.record(entry(6)).await.unwrap();
    audit.close().await;
    fs::write(case.head(), behind).unwrap();
    assert!(case.verify().is_valid());
    let audit = case.open();
    assert!(audit.found_at_start().is_empty());
    audit.record(entry(7)).await.unwrap();
    audit.close().await;
    let verification = case.verify();
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert_eq!(verification.entry_count, 7);
}

#[tokio::test]
async fn retention_removes_the_oldest_entries_and_says_so() {
    let case = Case::with_entries(20).await;
    case.advance(3_610);
    let audit = case.open_with_max_age(Some(Duration::from_hours(1)));
    let before = fs::read(case.head()).unwrap();
    audit.trim().await.unwrap();
    let (entries, _) = audit.list(ALL).await.unwrap();
    let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (10..=21).collect::<Vec<_>>());
    let last = entries.last().unwrap();
    assert_eq!(last.action, "audit.trim");
    assert_eq!(last.details["count"], 9);
    audit.close().await;
    let verification = case.verify();
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert_eq!(verification.anchor.number, 9);
    // A crash right after the commit leaves the older head.
    fs::write(case.head(), before).unwrap();
    assert!(case.verify().is_valid());
    let audit = case.open();
    assert!(
        audit.found_at_start().is_empty(),
        "{:?}",
        audit.found_at_start()
    );
    audit.close().await;
    assert!(case.verify().is_valid());
    case.change("DELETE FROM entries WHERE number = 10");
    assert_eq!(case.faults(), [("missing", 10, 10)]);
}

#[tokio::test]
async fn looks_within_a_minute_are_summed_up() {
    let case = Case::new();
    let audit = case.open();
    let shown = ShownEvents::of_offsets(10..20);
    for _ in 0..4 {
        audit.look(look("reader"), &shown).await.unwrap();
    }
    audit
        .look(look("other"), &ShownEvents::of_count(1))
        .await
        .unwrap();
    audit.write_due().await.unwrap();
    assert_eq!(audit.list(ALL).await.unwrap().0.len(), 2);
    case.advance(61);
    audit.write_due().await.unwrap();
    let (entries, _) = audit.list(ALL).await.unwrap();
    assert_eq!(entries.len(), 3);
    let sum = &entries[2];
    assert_eq!(
        (sum.actor.as_str(), sum.action.as_str()),
        ("reader", "events.read")
    );
    assert_eq!(sum.details["requests"], 3);
    assert_eq!(sum.details["events"], 30);
    assert_eq!(sum.details["first_offset"], 10);
    assert_eq!(sum.details["last_offset"], 19);
    // The next minute begins with an entry at once, and the rest is written at the stop.
    audit.look(look("reader"), &shown).await.unwrap();
    audit.look(look("reader"), &shown).await.unwrap();
    assert_eq!(audit.list(ALL).await.unwrap().0.len(), 4);
    audit.close().await;
    let audit = case.open();
    assert_eq!(audit.list(ALL).await.unwrap().0.len(), 5);
    audit.close().await;
}

#[tokio::test]
async fn a_stream_is_recorded_at_its_begin_every_minute_and_at_its_end() {
    let case = Case::new();
    let audit = case.open();
    let tally = Arc::new(StreamTally::default());
    audit
        .begin_stream(look("reader"), Arc::clone(&tally))
        .await
        .unwrap();
    tally.add(7);
    tally.add(9);
    case.advance(61);
    audit.write_due().await.unwrap();
    tally.add(12);
    drop(tally);
    audit.write_due().await.unwrap();
    let (entries, _) = audit.list(ALL).await.unwrap();
    let states: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.details["stream"].clone(),
                entry.details["events"].clone(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            (json!("begun"), json!(null)),
            (json!("running"), json!(2)),
            (json!("ended"), json!(1)),
        ]
    );
    audit.close().await;
}

#[tokio::test]
async fn settings_are_compared_with_those_of_the_last_start() {
    let case = Case::new();
    let declare = async |settings: Vec<(&'static str, &str, &str)>| {
        let audit = case.open();
        let settings = settings
            .into_iter()
            .map(|(kind, name, value)| DeclaredSetting {
                kind,
                name: name.to_owned(),
                members: vec![
                    ("url".to_owned(), value.as_bytes().to_vec()),
                    ("format".to_owned(), b"canvas".to_vec()),
                ],
            });
        audit.declare(settings.collect()).await.unwrap();
        let (entries, _) = audit.list(ALL).await.unwrap();
        audit.close().await;
        let shown = entries.into_iter();
        shown
            .map(|entry| format!("{} {} {}", entry.action, entry.object, entry.details))
            .collect::<Vec<_>>()
    };
    let log = ("setting", "log", "1 day");
    let first = declare(vec![("subscription", "a", "secret-1"), log]).await;
    assert_eq!(first, ["subscription.create a {}"]);
    let same = declare(vec![("subscription", "a", "secret-1"), log]).await;
    assert_eq!(same.len(), 1);
    let changed = declare(vec![
        ("subscription", "a", "secret-2"),
        ("kinesis_key", "AKIA", "k"),
        ("setting", "log", "2 days"),
    ])
    .await;
    assert_eq!(
        changed[1..],
        [
            "kinesis_key.create AKIA {}",
            "setting.change log {\"changed\":[\"url\"]}",
            "subscription.change a {\"changed\":[\"url\"]}",
        ]
    );
    let removed = declare(vec![log]).await;
    assert!(
        removed.contains(&"subscription.remove a {}".to_owned()),
        "{removed:?}"
    );
    assert!(
        removed.contains(&"kinesis_key.remove AKIA {}".to_owned()),
        "{removed:?}"
    );
    let bytes = fs::read(case.path()).unwrap();
    assert!(
        !bytes
            .windows(8)
            .any(|part| part == b"secret-1" || part == b"secret-2")
    );
}

#[tokio::test]
async fn a_query_finds_what_it_asks_for_and_a_confined_one_only_its_reach() {
    let case = Case::new();
    let audit = case.open();
    let reach: Reach = "root_account:7".parse().unwrap();
    for number in 1..=6 {
        let mut entry = entry(number);
        if number % 2 == 0 {
            entry.actor.reach = reach.clone();
        }
        if number > 3 {
            entry.action = "token.create".to_owned();
        }
        audit.record(entry).await.unwrap();
    }
    let objects = async |query: AuditQuery| -> Vec<String> {
        let (entries, _) = audit.list(query).await.unwrap();
        entries.into_iter().map(|entry| entry.object).collect()
    };
    let confined = AuditQuery {
        reach: reach.clone(),
        ..ALL
    };
    assert_eq!(objects(confined).await, ["s2", "s4", "s6"]);
    let tokens = AuditQuery {
        action: Some("token.*".to_owned()),
        ..ALL
    };
    assert_eq!(objects(tokens).await, ["s4", "s5", "s6"]);
    let none = AuditQuery {
        action: Some("token.[a-z]*".to_owned()),
        ..ALL
    };
    assert_eq!(objects(none).await, [""; 0]);
    let actor = AuditQuery {
        actor: Some("token5".to_owned()),
        ..ALL
    };
    assert_eq!(objects(actor).await, ["s5"]);
    let object = AuditQuery {
        object: Some("s3".to_owned()),
        ..ALL
    };
    assert_eq!(objects(object).await, ["s3"]);
    let between = AuditQuery {
        since: Some(entry(2).at),
        until: Some(entry(4).at),
        ..ALL
    };
    assert_eq!(objects(between).await, ["s2", "s3"]);
    let page = AuditQuery {
        from: 3,
        limit: 2,
        ..ALL
    };
    assert_eq!(audit.list(page).await.unwrap().1, 5);
    audit.close().await;
}

#[tokio::test]
async fn a_copy_of_a_growing_audit_ends_at_its_head() {
    let case = Case::with_entries(10).await;
    let copy = Case {
        sealer: Arc::clone(&case.sealer),
        ..Case::new()
    };
    fs::copy(case.head(), copy.head()).unwrap();
    let audit = case.open();
    for number in 11..=15 {
        audit.record(entry(number)).await.unwrap();
    }
    audit.close().await;
    fs::copy(case.path(), copy.path()).unwrap();
    assert!(end_copy_at_head(&copy.path()).unwrap());
    let verification = copy.verify();
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert_eq!(verification.entry_count, 10);

    // Retention between the two copies is no reason for a copy that looks damaged.
    fs::copy(case.head(), copy.head()).unwrap();
    case.advance(3_610);
    let audit = case.open_with_max_age(Some(Duration::from_hours(1)));
    audit.trim().await.unwrap();
    audit.close().await;
    fs::copy(case.path(), copy.path()).unwrap();
    assert!(!end_copy_at_head(&copy.path()).unwrap());
}

#[tokio::test]
async fn an_audit_that_cannot_be_written_says_so_and_writes_the_entries_later() {
    let case = Case::with_entries(3).await;
    let audit = case.open();
    let blocker = rusqlite::Connection::open(case.path()).unwrap();
    blocker
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT raise(ABORT, 'full'); END",
        )
        .unwrap();
    assert_eq!(audit.record(entry(4)).await, Err(AuditUnavailable));
    assert!(audit.is_failing());
    assert_eq!(
        audit.look(look("reader"), &ShownEvents::of_count(1)).await,
        Err(AuditUnavailable)
    );
    blocker.execute_batch("DROP TRIGGER full").unwrap();
    audit.write_due().await.unwrap();
    assert!(!audit.is_failing());
    audit.close().await;
    let verification = case.verify();
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert_eq!(verification.entry_count, 5);
}

#[tokio::test]
async fn the_head_file_that_cannot_be_written_is_written_later() {
    let case = Case::with_entries(3).await;
    let audit = case.open();
    let blocker = case.folder.path().join("audit.head.new");
    fs::create_dir(&blocker).unwrap();
    assert_eq!(audit.record(entry(4)).await, Err(AuditUnavailable));
    assert_eq!(audit.record(entry(5)).await, Err(AuditUnavailable));
    fs::remove_dir(&blocker).unwrap();
    audit.write_due().await.unwrap();
    audit.close().await;
    let verification = case.verify();
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert_eq!(verification.entry_count, 5);
}
