//! Tests of the definitions, and of what survives a restart.

use std::sync::Mutex as StdMutex;

use easel_catalog::OperatorEvent;
use easel_testkit::FakeClock;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::upkeep::Warned;
use super::*;
use crate::{SourceJson, SourceOutcome};

fn spec(json: Value) -> SourceSpec {
    serde_json::from_value::<SourceJson>(json)
        .unwrap()
        .try_into()
        .unwrap()
}

fn queue(name: &str, secret: &str) -> SourceSpec {
    spec(
        json!({"name": name, "kind": "sqs", "queue_url": "https://q/1", "access_key_id": "A",
        "secret_access_key": secret}),
    )
}

fn hosted(name: &str) -> SourceSpec {
    spec(json!({"name": name, "kind": "https"}))
}

struct Place {
    folder: TempDir,
    sealer: Arc<Sealer>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            sealer: Arc::new(Sealer::ephemeral().unwrap()),
        }
    }

    fn open(&self, declared: Vec<SourceSpec>) -> Sources {
        Sources::open(
            &self.folder.path().join("sources.db"),
            Arc::clone(&self.sealer),
            JwksClient::new(b""),
            Arc::new(FakeClock::default()),
            declared,
        )
        .unwrap()
    }

    fn contains(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.into_iter().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
    }
}

#[test]
fn a_source_survives_a_restart_with_its_secret_which_is_not_readable_on_disk() {
    let place = Place::new();
    let sources = place.open(Vec::new());
    sources.create(queue("a", "s3cret-1")).unwrap();
    sources.replace(queue("a", "s3cret-2")).unwrap();
    sources.set_state("a", SourceState::Paused).unwrap();
    drop(sources);
    assert!(!place.contains("s3cret"));
    let source = place.open(Vec::new()).get("a").unwrap();
    assert_eq!(source.spec, queue("a", "s3cret-2"));
    assert_eq!((source.revision, source.state), (2, SourceState::Paused));
}

#[test]
fn a_source_of_the_settings_file_is_changed_only_there_but_can_be_paused() {
    let place = Place::new();
    let sources = place.open(vec![hosted("a")]);
    let error = sources.replace(hosted("a")).unwrap_err();
    assert!(
        matches!(error, SourceChangeError::DefinedInFile { .. }),
        "{error}"
    );
    assert!(matches!(
        sources.remove("a"),
        Err(SourceChangeError::DefinedInFile { .. })
    ));
    assert!(matches!(
        sources.create(hosted("a")),
        Err(SourceChangeError::NameTaken { .. })
    ));
    sources.set_state("a", SourceState::Paused).unwrap();
    drop(sources);
    assert!(!place.open(vec![hosted("a")]).get("a").unwrap().is_active());
}

#[test]
fn a_removed_source_leaves_nothing_for_the_next_one_of_its_name() {
    let place = Place::new();
    let sources = place.open(Vec::new());
    let source = sources.create(hosted("a")).unwrap();
    source.count(SourceOutcome::Accepted, 1, Timestamp::UNIX_EPOCH);
    sources.save_health(Timestamp::UNIX_EPOCH);
    sources.set_state("a", SourceState::Paused).unwrap();
    sources.remove("a").unwrap();
    assert!(matches!(
        sources.remove("a"),
        Err(SourceChangeError::Unknown { .. })
    ));
    let source = sources.create(hosted("a")).unwrap();
    assert!(source.is_active());
    let report = source.health.report(Timestamp::UNIX_EPOCH);
    assert_eq!(report.last_event_at, None);
}

#[test]
fn health_survives_a_restart_and_an_edit() {
    let place = Place::new();
    let sources = place.open(Vec::new());
    let source = sources.create(queue("a", "s3cret")).unwrap();
    source.count(SourceOutcome::Accepted, 2, Timestamp::UNIX_EPOCH);
    sources.replace(queue("a", "other")).unwrap();
    sources.save_health(Timestamp::UNIX_EPOCH);
    drop(sources);
    let source = place.open(Vec::new()).get("a").unwrap();
    let report = source.health.report(Timestamp::UNIX_EPOCH);
    assert_eq!(report.last_day.accepted, 2);
}

#[test]
fn sources_whose_key_is_lost_are_reported_and_can_be_removed() {
    let place = Place::new();
    place.open(Vec::new()).create(queue("a", "s3cret")).unwrap();
    let path = place.folder.path().join("sources.db");
    assert_eq!(lost_sources(&path, &place.sealer).unwrap(), [""; 0]);
    let other = Sealer::ephemeral().unwrap();
    assert_eq!(lost_sources(&path, &other).unwrap(), ["a"]);
    assert_eq!(forget_lost_sources(&path, &other).unwrap(), ["a"]);
    assert!(place.open(Vec::new()).all().is_empty());
}

#[test]
fn operators_are_warned_once_before_hosted_canvas_switches_a_stream_off() {
    let sent = Arc::new(StdMutex::new(Vec::new()));
    let receiver = Arc::clone(&sent);
    let tell = TellOperator::new(move |event| receiver.lock().unwrap().push(event));
    let place = Place::new();
    let sources = place.open(vec![hosted("a")]).with_operator(tell);
    let (source, now) = (sources.get("a").unwrap(), Timestamp::UNIX_EPOCH);
    let mut warned = Warned::new();
    source.count(SourceOutcome::TimedOut, 4_749, now);
    source.count(SourceOutcome::Failed, 13_999, now);
    sources.warn_about(&source, now, &mut warned);
    assert!(sent.lock().unwrap().is_empty());
    source.count(SourceOutcome::TimedOut, 1, now);
    sources.warn_about(&source, now, &mut warned);
    sources.warn_about(&source, now, &mut warned);
    let wanted = OperatorEvent::SourceFailing {
        source: "a".to_owned(),
        kind: "time_outs",
        failure_count: 4_750,
        limit: 9_500,
    };
    assert_eq!(*sent.lock().unwrap(), [wanted]);
}
