//! `easel translate`

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use clap::ValueEnum;
use easel_caliper::{Dialect, Translator};
use easel_catalog::{Limits, UrlMasker, admit_stored};
use jiff::Timestamp;

use crate::catalog;
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::input::{Input, InputBatch, InputValue};
use crate::output;
use crate::settings::Settings;

const AFTER_HELP: &str = "\
The command prints one envelope per line, in the order of the input. On stderr,
it reports each invalid event and the number of events without a Caliper form.
The exit code is 65 if there was an invalid event.

Examples:
  easel translate --to caliper events.ndjson > caliper.ndjson
  easel tail -n 1 | easel translate --to caliper-strict --pretty
  easel translate --to caliper --only-event archive/*.gz";

/// Translate Canvas events from files or stdin to Caliper
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TranslateArgs {
    #[command(flatten)]
    input: Input,
    /// Format to translate to
    #[arg(long, value_enum)]
    to: TargetFormat,
    /// Print the Caliper events without their envelopes
    #[arg(long)]
    only_event: bool,
    /// Print indented JSON
    #[arg(long)]
    pretty: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TargetFormat {
    /// Caliper as Canvas publishes it
    Caliper,
    /// Caliper that conforms to the standard
    CaliperStrict,
}

/// The output for a batch of events.
#[derive(Debug, Default)]
struct Translated {
    text: Vec<u8>,
    /// Messages about invalid events and events that could not be translated.
    complaints: Vec<String>,
    count: u64,
    faults: u64,
    /// Values that were omitted because they do not have the type of their field.
    unreadable: u64,
    /// Events without a Caliper form, by type.
    unmapped: BTreeMap<String, u64>,
}

struct Translation<'a> {
    args: &'a TranslateArgs,
    translator: Translator,
    masker: UrlMasker,
    dialect: Dialect,
}

impl TranslateArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let config = Settings::load(global, &[])?.config;
        let options = config.caliper.options();
        let catalog = Arc::new(catalog::load(global)?);
        let work = Translation {
            args: &self,
            translator: Translator::new(catalog, options).or_exit(Code::Configuration)?,
            masker: UrlMasker::with_names(config.masking.names).or_exit(Code::Configuration)?,
            dialect: match self.to {
                TargetFormat::Caliper => Dialect::Compatible,
                TargetFormat::CaliperStrict => Dialect::Strict,
            },
        };
        let mut all = Translated::default();
        self.input.each_batch(
            |batch| work.translate(batch),
            |translated| {
                output::raw(&translated.text)?;
                translated.complaints.iter().for_each(output::notice);
                all.add(translated);
                Ok(())
            },
        )?;
        all.report()
    }
}

impl Translation<'_> {
    fn translate(&self, batch: &InputBatch) -> Translated {
        let mut translated = Translated::default();
        for value in batch.elements() {
            match value {
                Ok(value) => self.translate_event(batch, value, &mut translated),
                Err((line, fault)) => translated.add_complaint(batch, line, &fault.to_string()),
            }
        }
        translated
    }

    fn translate_event(
        &self,
        batch: &InputBatch,
        value: InputValue<'_>,
        translated: &mut Translated,
    ) {
        let event = match admit_stored(value.bytes, &Limits::default()) {
            Ok(event) => event,
            Err(fault) => {
                let line = value.line + fault.at.line - 1;
                return translated.add_complaint(batch, line, fault.message());
            }
        };
        if !self.translator.translates(&event.event_type) {
            let unmapped = translated
                .unmapped
                .entry(event.event_type.as_ref().to_owned());
            *unmapped.or_default() += 1;
            return;
        }
        let (event_type, dialect) = (&event.event_type, self.dialect);
        let masked = self.masker.mask(&event.bytes);
        match self
            .translator
            .translate(event_type, &masked, event.id, dialect)
        {
            Ok(caliper) => {
                translated.count += 1;
                translated.unreadable += u64::from(caliper.unreadable);
                if self.args.only_event {
                    self.write(&caliper.json, &mut translated.text);
                } else {
                    self.write(&caliper.envelope(Timestamp::now()), &mut translated.text);
                }
            }
            Err(error) => {
                let message = format!(
                    "{} cannot be translated: {error}",
                    event_type.escape_debug()
                );
                translated.add_complaint(batch, value.line, &message);
            }
        }
    }

    fn write(&self, json: &[u8], out: &mut Vec<u8>) {
        let tree = |json| serde_json::from_slice::<serde_json::Value>(json).ok();
        match Some(json).filter(|_| self.args.pretty).and_then(tree) {
            Some(tree) => out.extend_from_slice(format!("{tree:#}").as_bytes()),
            None => out.extend_from_slice(json),
        }
        out.push(b'\n');
    }
}

impl Translated {
    fn add_complaint(&mut self, batch: &InputBatch, line: usize, what: &str) {
        self.faults += 1;
        self.complaints
            .push(format!("{}:{line}: {what}", batch.file));
    }

    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.faults += other.faults;
        self.unreadable += other.unreadable;
        for (event_type, count) in other.unmapped {
            *self.unmapped.entry(event_type).or_default() += count;
        }
    }

    /// Prints the counts. Fails if any event could not be translated.
    fn report(&self) -> Result<(), Failure> {
        let unmapped: u64 = self.unmapped.values().sum();
        for (event_type, count) in &self.unmapped {
            let name = output::printable(event_type);
            output::notice(format_args!("{name} has no Caliper form: {count} skipped"));
        }
        let (count, faults) = (self.count, self.faults);
        output::notice(format_args!(
            "{count} translated, {unmapped} without a Caliper form"
        ));
        if self.unreadable > 0 {
            let values = self.unreadable;
            output::notice(format_args!(
                "values omitted because their type does not match the field: {values}"
            ));
        }
        if faults == 0 {
            return Ok(());
        }
        Err(Failure::new(
            Code::BadInput,
            anyhow!("events that could not be translated: {faults}"),
        ))
    }
}
