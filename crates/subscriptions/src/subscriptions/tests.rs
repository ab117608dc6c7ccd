//! Creating, changing, saving and restoring subscriptions.

mod losses;
mod notes;
mod owned;
mod reaches;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use easel_catalog::Reach;
use easel_keys::Sealer;
use easel_log::{LogOptions, MemoryLog, NewRecord, Offset, Shape, SharedLog, SystemClock};
use uuid::Uuid;

use super::Subscriptions;
use crate::{
    ChangeError, FullName, GuardState, Origin, Spec, SpecCheck, SpecJson, SqliteStore, Start,
    State, Term,
};

pub(super) fn log() -> SharedLog {
    Arc::new(MemoryLog::new(LogOptions::default(), Arc::new(SystemClock)))
}

/// Parses a full name.
pub(super) fn full_name(text: &str) -> FullName {
    text.parse().unwrap()
}

/// Refuses URLs of other schemes, and the network 10.0.0.0/8.
struct TestCheck;

#[async_trait]
impl SpecCheck for TestCheck {
    fn check(&self, spec: &Spec) -> Result<(), String> {
        let is_valid = spec.sink.url().expose().starts_with("http");
        is_valid
            .then_some(())
            .ok_or("the URL is invalid".to_owned())
    }

    fn check_address(&self, spec: &Spec) -> Result<(), String> {
        let is_allowed = !spec.sink.url().expose().contains("//10.");
        is_allowed
            .then_some(())
            .ok_or("the address is refused".to_owned())
    }

    fn has_same_origin(&self, spec: &Spec, other: &Spec) -> bool {
        spec.sink == other.sink
    }

    async fn check_resolved(&self, spec: &Spec) -> Result<(), String> {
        self.check_address(spec)
    }
}

/// Returns the same sealer for all calls, so that a store can be opened again.
fn sealer() -> Arc<Sealer> {
    static SEALER: LazyLock<Arc<Sealer>> = LazyLock::new(|| Arc::new(Sealer::ephemeral().unwrap()));
    Arc::clone(&SEALER)
}

pub(super) async fn open(folder: &Path, log: &SharedLog) -> Arc<Subscriptions> {
    let store = SqliteStore::open(&folder.join("state.db"), sealer()).unwrap();
    let opened = Subscriptions::open(
        Arc::new(store),
        Arc::clone(log),
        Arc::new(SystemClock),
        Arc::new(TestCheck),
        Arc::new(easel_catalog::Catalog::built_in()),
    );
    Arc::new(opened.await.unwrap())
}

pub(super) fn spec(json: &str) -> Spec {
    serde_json::from_str(json).unwrap()
}

pub(super) fn grades() -> Spec {
    spec(r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#)
}

pub(super) async fn append(log: &SharedLog, count: u128) {
    let record = |n| NewRecord::new(Uuid::from_u128(n), "grade_change", "{}");
    let first = u128::from(log.bounds().borrow().head.get());
    log.append((first..first + count).map(record).collect())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_subscription_and_its_cursor_survive_a_restart() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    append(&log, 3).await;
    {
        let subscriptions = open(folder.path(), &log).await;
        let made = subscriptions
            .create(Reach::Everything, grades())
            .await
            .unwrap();
        append(&log, 2).await;
        made.shared.account().owe(Offset::new(3));
        made.shared.account().deliver(Offset::new(3));
        subscriptions.save().await.unwrap();
        assert_eq!(made.shared.account().unsaved_delivered_count(), 0);
    }
    let subscriptions = open(folder.path(), &log).await;
    let found = subscriptions.get(&full_name("grades")).unwrap();
    assert_eq!(found.spec, grades());
    assert_eq!(found.origin, Origin::Api);
    let balance = subscriptions.balance(&found);
    assert!(balance.adds_up());
    assert_eq!(
        (
            balance.accepted,
            balance.get(Term::Delivered),
            balance.get(Term::Pending)
        ),
        (2, 1, 1)
    );
    assert_eq!(balance.cursor, Offset::new(4));
}

#[tokio::test]
async fn the_start_is_resolved_when_the_subscription_is_created() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    append(&log, 5).await;
    let subscriptions = open(folder.path(), &log).await;
    for (start, wanted) in [
        (r#""now""#, 5),
        (r#""earliest""#, 0),
        ("2", 2),
        (r#""2020-01-01T00:00:00Z""#, 0),
    ] {
        let json = format!(
            r#"{{"name":"s{wanted}{}","start":{start},"webhook":{{"url":"http://localhost/"}}}}"#,
            start.len()
        );
        let made = subscriptions
            .create(Reach::Everything, spec(&json))
            .await
            .unwrap();
        assert_eq!(
            made.shared.account().start(),
            Offset::new(wanted),
            "{start}"
        );
    }
    let beyond = spec(r#"{"name":"x","start":6,"webhook":{"url":"http://localhost/"}}"#);
    assert!(matches!(
        subscriptions.create(Reach::Everything, beyond).await,
        Err(ChangeError::Invalid { .. })
    ));
}

#[tokio::test]
async fn invalid_and_duplicate_subscriptions_are_rejected() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let bad = spec(r#"{"name":"bad","webhook":{"url":"ftp://x"}}"#);
    assert!(matches!(
        subscriptions.create(Reach::Everything, bad).await,
        Err(ChangeError::Invalid { .. })
    ));
    subscriptions
        .create(Reach::Everything, grades())
        .await
        .unwrap();
    assert!(matches!(
        subscriptions.create(Reach::Everything, grades()).await,
        Err(ChangeError::NameTaken { .. })
    ));
    assert!(matches!(
        subscriptions.get(&full_name("other")),
        Err(ChangeError::Unknown { .. })
    ));
}

#[tokio::test]
async fn only_the_file_changes_its_subscriptions_and_removed_ones_keep_their_cursor() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    subscriptions.declare(vec![grades().into()]).await.unwrap();
    assert!(matches!(
        subscriptions.update(Reach::Everything, grades()).await,
        Err(ChangeError::DeclaredInFile { .. })
    ));
    assert!(matches!(
        subscriptions.remove(&full_name("grades")).await,
        Err(ChangeError::DeclaredInFile { .. })
    ));
    append(&log, 2).await;

    subscriptions.declare(Vec::new()).await.unwrap();
    assert_eq!(
        subscriptions.get(&full_name("grades")).unwrap().state,
        State::UNDECLARED
    );
    append(&log, 2).await;
    subscriptions.declare(vec![grades().into()]).await.unwrap();

    let back = subscriptions.get(&full_name("grades")).unwrap();
    assert_eq!(back.state, State::Active);
    assert_eq!(subscriptions.balance(&back).get(Term::Pending), 4);
}

#[tokio::test]
async fn a_pause_and_its_reason_survive_a_restart() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let reason = Some("the endpoint is gone".to_owned());
    {
        let subscriptions = open(folder.path(), &log).await;
        subscriptions
            .create(Reach::Everything, grades())
            .await
            .unwrap();
        let made = subscriptions.get(&full_name("grades")).unwrap();
        let paused = State::Paused {
            reason: reason.clone(),
        };
        let changed = subscriptions.set_state_if_current(&made, paused).await;
        changed.unwrap().unwrap();
    }
    let subscriptions = open(folder.path(), &log).await;
    assert_eq!(
        subscriptions.get(&full_name("grades")).unwrap().state,
        State::Paused { reason }
    );
    assert_eq!(
        subscriptions
            .resume(&full_name("grades"))
            .await
            .unwrap()
            .state,
        State::Active
    );
}

#[test]
fn an_invalid_spec_is_rejected_with_a_clear_error() {
    #[track_caller]
    fn check(json: &str, wanted: &str) {
        let fault = serde_json::from_str::<Spec>(json).unwrap_err().to_string();
        assert!(fault.contains(wanted), "{fault}");
    }
    check(
        r#"{"name":"Grades!"}"#,
        "name \"Grades!\" is invalid: use 1 to 64 of",
    );
    check(
        r#"{"name":"a","events":[""]}"#,
        "an event glob must be 1 to 128 characters long",
    );
    check(
        r#"{"name":"a","in_flight":0}"#,
        "in_flight must be 1 to 256, not 0",
    );
    check(r#"{"name":"a","start":"tomorrow"}"#, "not \"tomorrow\"");
    check(r#"{"name":"a","start":-1}"#, "not \"-1\"");
    check(
        r#"{"name":"a","webhook":{"url":"x","timeout":"soon"}}"#,
        "the timeout must be 1s to 5m, not \"soon\"",
    );
    check(r#"{"name":"a","colour":"red"}"#, "unknown field `colour`");
    check(
        r#"{"name":"a","max_rate":0}"#,
        "max_rate must be 1 to 100000 events a second, not 0",
    );
    check(
        r#"{"name":"a","key":"user_id"}"#,
        "a key must be a field such as",
    );
    check(r#"{"name":"a","order":"time"}"#, "unknown variant `time`");
    check(r#"{"name":"a","retry":"never"}"#, "retry must be `default`");
    check(
        r#"{"name":"a","retry":["5s","8d"]}"#,
        "a pause must be 1s to 7d, not \"8d\"",
    );
    check(
        r#"{"name":"a","on_exhausted":"drop"}"#,
        "unknown variant `drop`",
    );
}

#[test]
fn delivery_settings_survive_serialization() {
    let read = spec(
        r#"{"name":"a","order":"key","key":"body.course_id","retry":["5s","1m 30s"],"max_rate":50,
            "on_exhausted":"hold_key","webhook":{"url":"http://localhost/"}}"#,
    );
    let written = serde_json::to_value(SpecJson::with_secrets(&read)).unwrap();
    assert_eq!(written["retry"], serde_json::json!(["5s", "1m 30s"]));
    assert_eq!(written["key"], "body.course_id");
    assert_eq!(serde_json::from_value::<Spec>(written).unwrap(), read);
    let plain = serde_json::to_value(SpecJson::with_secrets(&grades())).unwrap();
    assert_eq!(plain["retry"], "default");
    assert_eq!(plain["on_exhausted"], "dead_letter");
    assert_eq!(serde_json::from_value::<Spec>(plain).unwrap(), grades());
}

#[test]
fn settings_that_require_order_by_key_are_rejected_without_it() {
    let catalog = easel_catalog::Catalog::built_in();
    let fault = |rest: &str| {
        let json = format!(r#"{{"name":"a",{rest},"webhook":{{"url":"http://localhost/"}}}}"#);
        spec(&json).validate(&catalog).err()
    };
    let order = r#""order":"key""#;
    for setting in [r#""key":"body.course_id""#, r#""on_exhausted":"hold_key""#] {
        assert!(fault(setting).unwrap().contains("requires order = \"key\""));
        assert_eq!(fault(&format!("{order},{setting}")), None);
    }
}

#[tokio::test]
async fn a_subscription_that_failed_for_too_long_stays_deactivated_after_a_restart() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    subscriptions.declare(vec![grades().into()]).await.unwrap();
    let declared = subscriptions.get(&full_name("grades")).unwrap();
    let failed = State::Deactivated {
        reason: Some("it was on hold for 3days".to_owned()),
    };
    let deactivated = subscriptions
        .set_state_if_current(&declared, failed.clone())
        .await;
    assert_eq!(deactivated.unwrap().unwrap().state, failed);
    // The file still declares the subscription, so only the file may change it. A restart does not
    // resume it.
    drop(subscriptions);
    let subscriptions = open(folder.path(), &log).await;
    subscriptions.declare(vec![grades().into()]).await.unwrap();
    assert_eq!(
        subscriptions.get(&full_name("grades")).unwrap().state,
        failed
    );
    assert!(matches!(
        subscriptions.update(Reach::Everything, grades()).await,
        Err(ChangeError::DeclaredInFile { .. })
    ));
    assert_eq!(
        subscriptions
            .resume(&full_name("grades"))
            .await
            .unwrap()
            .state,
        State::Active
    );
}

#[tokio::test]
async fn a_subscription_can_resume_at_a_later_offset_and_skipped_events_are_counted() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = subscriptions
        .create(Reach::Everything, grades())
        .await
        .unwrap();
    append(&log, 8).await;
    made.shared.account().owe(Offset::new(0));
    made.shared.account().owe(Offset::new(1));
    made.shared.account().deliver(Offset::new(1));
    let refused = subscriptions
        .resume_from(&full_name("grades"), Start::Now)
        .await;
    assert!(
        matches!(refused, Err(ChangeError::Invalid { .. })),
        "an active subscription must be paused first"
    );
    subscriptions.pause(&full_name("grades")).await.unwrap();
    let resumed = subscriptions
        .resume_from(&full_name("grades"), Start::Offset(Offset::new(5)))
        .await;
    let balance = subscriptions.balance(&resumed.unwrap());
    let terms = [Term::Delivered, Term::Expired, Term::Skipped, Term::Pending];
    assert_eq!(terms.map(|term| balance.get(term)), [1, 4, 4, 3]);
    assert!(balance.adds_up());
    subscriptions.pause(&full_name("grades")).await.unwrap();
    let back = subscriptions
        .resume_from(&full_name("grades"), Start::Earliest)
        .await
        .unwrap_err();
    assert!(back.to_string().contains("start a replay"), "{back}");
}

#[tokio::test]
async fn an_undeclared_subscription_can_be_replaced_but_not_resumed() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    subscriptions.declare(vec![grades().into()]).await.unwrap();
    subscriptions.declare(Vec::new()).await.unwrap();
    let resumed = subscriptions.resume(&full_name("grades")).await;
    assert!(matches!(resumed, Err(ChangeError::Deactivated { .. })));
    // A rejected command skips nothing.
    append(&log, 3).await;
    let resumed = subscriptions
        .resume_from(&full_name("grades"), Start::Now)
        .await;
    assert!(matches!(resumed, Err(ChangeError::Deactivated { .. })));
    let known = subscriptions.get(&full_name("grades")).unwrap();
    assert_eq!(subscriptions.balance(&known).get(Term::Pending), 3);
    let replaced = subscriptions
        .update(Reach::Everything, grades())
        .await
        .unwrap();
    assert_eq!(
        (replaced.origin, &replaced.state),
        (Origin::Api, &State::Active)
    );
}

#[tokio::test]
async fn an_outdated_version_cannot_change_the_state() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let old = subscriptions
        .create(Reach::Everything, grades())
        .await
        .unwrap();
    let new = subscriptions
        .update(Reach::Everything, grades())
        .await
        .unwrap();
    assert!(old.is_retired() && !new.is_retired());
    let gone = State::Paused {
        reason: Some("gone".to_owned()),
    };
    let paused = subscriptions
        .set_state_if_current(&old, gone)
        .await
        .unwrap();
    assert!(paused.is_none());
    assert_eq!(
        subscriptions.get(&full_name("grades")).unwrap().state,
        State::Active
    );
}

#[tokio::test]
async fn memory_and_disk_agree_after_concurrent_changes() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    for round in 0..20 {
        let subscriptions = open(folder.path(), &log).await;
        drop(subscriptions.create(Reach::Everything, grades()).await);
        let name = full_name("grades");
        let (removed, updated, paused, resumed) = tokio::join!(
            subscriptions.remove(&name),
            subscriptions.update(Reach::Everything, grades()),
            subscriptions.pause(&name),
            subscriptions.resume(&name),
        );
        removed.unwrap();
        drop((updated, paused, resumed));
        let again = (round % 2 == 0).then(|| subscriptions.create(Reach::Everything, grades()));
        if let Some(again) = again {
            again.await.unwrap();
        }
        let reopened = open(folder.path(), &log).await;
        let states = |subscriptions: &Subscriptions| {
            let list = subscriptions.list();
            list.iter()
                .map(|subscription| (subscription.id, subscription.state.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(states(&subscriptions), states(&reopened));
    }
}

#[tokio::test]
async fn a_caliper_format_requires_event_types_with_a_caliper_form() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let refused = async |more: &str| {
        let json = format!(r#"{{"name":"store","format":"caliper",{more}}}"#);
        match subscriptions.create(Reach::Everything, spec(&json)).await {
            Err(ChangeError::Invalid { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    let error =
        refused(r#""events":["grade_change","grade_override"],"webhook":{"url":"http://a/"}"#)
            .await;
    let start = "grade_override has no Caliper form; the event types with a form are \
                 asset_accessed, assignment_created,";
    assert!(
        error.starts_with(start) && error.ends_with(", wiki_page_updated"),
        "{error}"
    );
    assert_eq!(
        refused(r#""in_flight":6,"webhook":{"url":"http://a/","batch":100}"#).await,
        "in_flight times batch must be at most 500, not 6 times 100"
    );
    let made = subscriptions.create(Reach::Everything, spec(r#"{"name":"store","format":"caliper-strict","events":["grade_*","*"],"webhook":{"url":"http://a/"}}"#)).await.unwrap();
    let has_form = |event_type| made.filter.has_form(event_type, Shape::Canvas);
    assert!(has_form("grade_change") && !has_form("grade_override") && !has_form("nobody_knows"));
    assert!(!made.filter.has_form("grade_change", Shape::Caliper));
    assert!(made.filter.wants_type("nobody_knows"));
    let canvas = spec(r#"{"name":"b","webhook":{"url":"http://a/","batch":2}}"#);
    let refused = subscriptions
        .create(Reach::Everything, canvas)
        .await
        .unwrap_err();
    assert!(matches!(refused, ChangeError::Invalid { .. }), "{refused}");
}

#[test]
fn a_condition_without_values_is_rejected() {
    let spec = |conditions: &str| {
        let json =
            format!(r#"{{"name":"a","conditions":{conditions},"webhook":{{"url":"http://a/"}}}}"#);
        serde_json::from_str::<Spec>(&json)
    };
    let refused = spec(r#"{"course":[]}"#).unwrap_err().to_string();
    assert!(
        refused.contains("a condition must have at least one value"),
        "{refused}"
    );
    let unconditional = spec("{}").unwrap();
    let written = serde_json::to_string(&SpecJson::with_secrets(&unconditional)).unwrap();
    let read = serde_json::from_str::<Spec>(&written).unwrap();
    assert_eq!(read, unconditional);
}

#[tokio::test]
async fn a_refused_address_is_rejected_at_save_unless_the_subscription_is_older_than_the_guard() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let private = |name: &str, path: &str| {
        spec(&format!(
            r#"{{"name":"{name}","webhook":{{"url":"http://10.1.2.3/{path}"}}}}"#
        ))
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/state-v4.db");
    std::fs::copy(golden, folder.path().join("state.db")).unwrap();
    let subscriptions = open(folder.path(), &log).await;
    for refused in [
        subscriptions
            .create(Reach::Everything, private("new", ""))
            .await
            .map(drop),
        subscriptions.declare(vec![private("new", "").into()]).await,
        // With another URL, the guard applies to an older subscription too.
        subscriptions
            .update(Reach::Everything, private("grades", "other"))
            .await
            .map(drop),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("the address is refused"), "{error}");
    }
    let same = private("grades", "hook?key=planted-url-secret");
    let updated = subscriptions.update(Reach::Everything, same).await.unwrap();
    assert_eq!(updated.guard, GuardState::Reported);
    let enforced = subscriptions
        .enforce_guard(&full_name("grades"))
        .await
        .unwrap();
    assert_eq!(enforced.guard, GuardState::Enforced);
    drop(subscriptions);
    let subscriptions = open(folder.path(), &log).await;
    assert_eq!(
        subscriptions.get(&full_name("grades")).unwrap().guard,
        GuardState::Enforced
    );
}
