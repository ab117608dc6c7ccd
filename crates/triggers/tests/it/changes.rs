//! One change or action for each event type, with the expected events written by hand.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use easel_catalog::Catalog;
use easel_triggers::{
    Change, ChangeFaults, ChangeOutcome, Nulls, SubmissionRule, TriggerOptions, Triggers,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// A change and its expected events.
#[derive(Deserialize)]
pub(crate) struct Fixture {
    /// What the fixture shows.
    pub(crate) case: String,
    #[serde(default)]
    pub(crate) options: OptionsJson,
    pub(crate) change: Value,
    pub(crate) events: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptionsJson {
    #[serde(default)]
    shard: u64,
    nulls: Option<String>,
    submission_rule: Option<String>,
}

impl OptionsJson {
    pub(crate) fn triggers(&self) -> Triggers {
        // The inputs of the rules are computed once for each set of options.
        static ALL: Mutex<Vec<(TriggerOptions, Triggers)>> = Mutex::new(Vec::new());
        let options = TriggerOptions {
            shard: self.shard,
            nulls: match self.nulls.as_deref() {
                Some("kept") => Nulls::Kept,
                _ => Nulls::Dropped,
            },
            submission_rule: match self.submission_rule.as_deref() {
                Some("published") => SubmissionRule::Published,
                _ => SubmissionRule::Newest,
            },
            ..TriggerOptions::default()
        };
        let mut all = ALL.lock().unwrap();
        if let Some((_, triggers)) = all.iter().find(|(known, _)| *known == options) {
            return triggers.clone();
        }
        let triggers = Triggers::new(Arc::new(Catalog::built_in()), options).unwrap();
        all.push((options, triggers.clone()));
        triggers
    }
}

impl Fixture {
    pub(crate) fn outcome(&self) -> ChangeOutcome {
        self.events_or_fault()
            .unwrap_or_else(|fault| panic!("{}: {fault}", self.case))
    }

    fn events_or_fault(&self) -> Result<ChangeOutcome, ChangeFaults> {
        let change = Change::from_json(self.change.clone()).expect(&self.case);
        let now = Timestamp::UNIX_EPOCH;
        self.options.triggers().events(&change, now)
    }
}

/// Reads the files of a folder in `tests`, sorted by name.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its test data are files"
)]
pub(crate) fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

pub(crate) fn fixtures() -> Vec<(String, Fixture)> {
    let read = |(name, text): (String, String)| {
        let fixture = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, fixture)
    };
    files("changes").into_iter().map(read).collect()
}

#[test]
fn every_change_makes_the_expected_events() {
    let mut wrong = Vec::new();
    for (name, fixture) in fixtures() {
        let outcome = match fixture.events_or_fault() {
            Ok(outcome) => outcome,
            Err(fault) => {
                wrong.push(format!("{name}: {fault}"));
                continue;
            }
        };
        let events: Vec<Value> = outcome
            .events
            .iter()
            .map(|event| serde_json::from_slice(&event.bytes).unwrap())
            .collect();
        if events != fixture.events {
            wrong.push(format!(
                "{name}:\n{:#}\nand not\n{:#}",
                Value::from(events),
                Value::from(fixture.events)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_event_type_with_a_known_trigger_can_be_reached() {
    let reached: BTreeSet<String> = fixtures()
        .iter()
        .flat_map(|(_, fixture)| fixture.outcome().events)
        .map(|event| event.event_type.to_string())
        .collect();
    let catalog = Catalog::built_in();
    let missing: Vec<_> = catalog
        .types()
        .iter()
        .filter(|event_type| !event_type.columns_only)
        .map(|event_type| event_type.name)
        .filter(|name| !reached.contains(*name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_catalogue_names_the_records_and_actions_of_the_rules() {
    let catalog = Catalog::built_in();
    for rule in easel_triggers::rules() {
        let event_type = catalog.get(rule.event_type).expect(rule.event_type);
        let (easel_catalog::MadeBy::ByRecord(subject) | easel_catalog::MadeBy::ByAction(subject)) =
            event_type.made_by.expect(rule.event_type);
        // An action makes the event of this rule, later.
        let is_made_by_action = rule.subject == "ContextModuleProgression";
        assert!(
            subject == rule.subject || is_made_by_action,
            "{}",
            rule.event_type
        );
    }
}

#[test]
fn only_three_fixtures_have_a_warning() {
    let mut warnings = Vec::new();
    for (name, fixture) in fixtures() {
        let found = fixture.outcome().warnings.into_iter();
        warnings.extend(found.map(|warning| format!("{name} {}: {}", warning.at, warning.what)));
    }
    assert_eq!(
        warnings,
        [
            "account_notification_created /after/message: `message` is cut to 8192 characters",
            "rubric_assessed /related/submission: this is missing; `attempt` needs it",
            "submission_created /related/course/account_id: this is missing; `context_account_id` of the metadata needs it",
        ]
    );
}
