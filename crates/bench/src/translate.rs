//! Compares masking and translation to Caliper with parsing and writing the same input.

use std::hint::black_box;
use std::sync::Arc;

use easel_caliper::{Dialect, TranslationOptions, Translator};
use easel_catalog::{Catalog, Event, UrlMasker};
use jiff::Timestamp;
use serde_json::Value;

use crate::events::EventsArgs;
use crate::rounds::{Variant, compare};

#[derive(clap::Args)]
pub(crate) struct TranslateBenchArgs {
    #[command(flatten)]
    events: EventsArgs,
    /// Rounds per variant
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Passes over the events per round
    #[arg(long, default_value_t = 200)]
    repeat: usize,
}

impl TranslateBenchArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let catalog = Arc::new(Catalog::built_in());
        let translator = Translator::new(catalog, TranslationOptions::default())?;
        let masker = UrlMasker::default();
        let mut events = self.events.load()?;
        events.retain(|event| translator.translates(&event.event_type));
        let bytes: usize = events.iter().map(|event| event.bytes.len()).sum();
        let repeat = |work: &dyn Fn(&Event)| {
            for _ in 0..self.repeat {
                events.iter().for_each(work);
            }
        };
        let now = Timestamp::UNIX_EPOCH;
        let translate = |dialect| {
            let translator = &translator;
            move |event: &Event| {
                let translated =
                    translator.translate(&event.event_type, &event.bytes, event.id, dialect);
                black_box(translated.is_ok_and(|caliper| !caliper.envelope(now).is_empty()));
            }
        };
        let variant = |name, work: Box<dyn Fn(&Event)>| Variant {
            name,
            work: Box::new(move || repeat(&work)),
        };
        let variants = vec![
            variant(
                "parse and write (serde_json)",
                Box::new(|event| {
                    let tree: Value = serde_json::from_slice(&event.bytes).unwrap_or_default();
                    black_box(serde_json::to_vec(&tree).is_ok());
                }),
            ),
            Variant {
                name: "mask",
                work: Box::new(|| {
                    repeat(&|event| {
                        black_box(masker.mask(&event.bytes));
                    });
                }),
            },
            Variant {
                name: "translate",
                work: Box::new(|| repeat(&translate(Dialect::Compatible))),
            },
            Variant {
                name: "translate, strict",
                work: Box::new(|| repeat(&translate(Dialect::Strict))),
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
