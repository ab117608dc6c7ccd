//! Compares creating events from changes with parsing and writing the same changes.

use std::hint::black_box;
use std::sync::Arc;

use easel_catalog::Catalog;
use easel_simulator::{Campus, TermOptions};
use easel_triggers::{Change, TriggerOptions, Triggers};
use jiff::Timestamp;
use serde_json::Value;

use crate::rounds::{Variant, compare};

#[derive(clap::Args)]
pub(crate) struct TriggersArgs {
    /// Rounds per variant
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Students of the simulated campus
    #[arg(long, default_value_t = 100)]
    students: u32,
}

impl TriggersArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let triggers = Triggers::new(Arc::new(Catalog::built_in()), TriggerOptions::default())?;
        let options = TermOptions {
            students: self.students,
            days: 10,
            ..TermOptions::default()
        };
        let campus = || Campus::new(options);
        let changes: Vec<Change> = campus().collect();
        let lines: Vec<String> = changes
            .iter()
            .map(|change| change.to_json().to_string())
            .collect();
        let bytes = lines.iter().map(String::len).sum();
        let now = Timestamp::UNIX_EPOCH;
        let variants = vec![
            Variant {
                name: "parse and write (serde_json)",
                work: Box::new(|| {
                    for line in &lines {
                        let tree: Value = serde_json::from_str(line).unwrap_or_default();
                        black_box(serde_json::to_vec(&tree).is_ok());
                    }
                }),
            },
            Variant {
                name: "simulate the campus",
                work: Box::new(|| {
                    black_box(campus().count());
                }),
            },
            Variant {
                name: "triggers, changes already read",
                work: Box::new(|| {
                    for change in &changes {
                        black_box(triggers.events(change, now).is_ok());
                    }
                }),
            },
            Variant {
                name: "read and triggers",
                work: Box::new(|| {
                    for line in &lines {
                        let change = Change::read(line.as_bytes());
                        black_box(
                            change
                                .and_then(|change| triggers.events(&change, now))
                                .is_ok(),
                        );
                    }
                }),
            },
        ];
        compare(variants, self.rounds, changes.len(), bytes);
        Ok(())
    }
}
