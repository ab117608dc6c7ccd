//! Compares validation against the catalogue with admitting and parsing the same events.

use std::hint::black_box;

use easel_catalog::{Catalog, Limits, admit};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::events::EventsArgs;
use crate::rounds::{Variant, compare};

#[derive(clap::Args)]
pub(crate) struct CheckBenchArgs {
    #[command(flatten)]
    events: EventsArgs,
    /// Rounds per variant
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Passes over the events per round
    #[arg(long, default_value_t = 200)]
    repeat: usize,
}

impl CheckBenchArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let events = self.events.load()?;
        let catalog = Catalog::built_in();
        let limits = Limits::default();
        let bytes: usize = events.iter().map(|event| event.bytes.len()).sum();
        let repeat = |work: &dyn Fn(&easel_catalog::Event)| {
            for _ in 0..self.repeat {
                events.iter().for_each(work);
            }
        };
        let variants = vec![
            Variant {
                name: "admit",
                work: Box::new(|| {
                    repeat(&|event| {
                        black_box(admit(&event.bytes, &limits).is_ok());
                    });
                }),
            },
            Variant {
                name: "check against the catalogue",
                work: Box::new(|| {
                    repeat(&|event| {
                        let mut findings = 0_usize;
                        catalog.check(&event.event_type, &event.bytes, |_finding| findings += 1);
                        black_box(findings);
                    });
                }),
            },
            Variant {
                name: "parse into a tree (serde_json)",
                work: Box::new(|| {
                    repeat(&|event| {
                        black_box(serde_json::from_slice::<Value>(&event.bytes).is_ok());
                    });
                }),
            },
            Variant {
                name: "parse and discard (serde_json)",
                work: Box::new(|| {
                    repeat(&|event| {
                        black_box(serde_json::from_slice::<IgnoredAny>(&event.bytes).is_ok());
                    });
                }),
            },
        ];
        compare(
            variants,
            self.rounds,
            events.len() * self.repeat,
            bytes * self.repeat,
        );
        Ok(())
    }
}
