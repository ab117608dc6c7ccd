//! Holding events against the catalogue, beside reading and parsing them.

use std::hint::black_box;

use easel_catalog::{Catalog, Limits, admit};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::events::EventsArgs;
use crate::rounds::{Way, compare};

#[derive(clap::Args)]
pub(crate) struct CheckBenchArgs {
    #[command(flatten)]
    events: EventsArgs,
    /// Rounds of each way
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How often the events are gone through in a round
    #[arg(long, default_value_t = 200)]
    repeat: usize,
}

impl CheckBenchArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let events = self.events.load()?;
        let catalog = Catalog::built_in();
        let limits = Limits::default();
        let bytes: usize = events.iter().map(|it| it.bytes.len()).sum();
        let repeat = |work: &dyn Fn(&easel_catalog::Event)| {
            for _ in 0..self.repeat {
                events.iter().for_each(work);
            }
        };
        let ways = vec![
            Way {
                name: "admit",
                work: Box::new(|| {
                    repeat(&|it| {
                        black_box(admit(&it.bytes, &limits).is_ok());
                    });
                }),
            },
            Way {
                name: "check against the catalogue",
                work: Box::new(|| {
                    repeat(&|it| {
                        let mut found = 0_usize;
                        catalog.check(&it.event_type, &it.bytes, |_finding| found += 1);
                        black_box(found);
                    });
                }),
            },
            Way {
                name: "parse into a tree (serde_json)",
                work: Box::new(|| {
                    repeat(&|it| {
                        black_box(serde_json::from_slice::<Value>(&it.bytes).is_ok());
                    });
                }),
            },
            Way {
                name: "parse and keep nothing (serde_json)",
                work: Box::new(|| {
                    repeat(&|it| {
                        black_box(serde_json::from_slice::<IgnoredAny>(&it.bytes).is_ok());
                    });
                }),
            },
        ];
        compare(
            ways,
            self.rounds,
            events.len() * self.repeat,
            bytes * self.repeat,
        );
        Ok(())
    }
}
