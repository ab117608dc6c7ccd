//! `easel check --caliper`: validates envelopes instead of events.

use std::collections::BTreeMap;

use anyhow::anyhow;
use easel_caliper::{Breach, Level, Rule, check};
use serde_json::json;

use super::{FindingStyle, push_line};
use crate::exit_code::{Code, Failure};
use crate::input::{Input, InputBatch};
use crate::output;

/// The findings of a batch of envelopes.
#[derive(Debug, Default)]
struct CheckedEnvelopes {
    lines: String,
    envelopes: u64,
    flawed: u64,
    /// The number of envelopes with another data version. Their data was not validated.
    other_version: u64,
    /// How often each rule was broken.
    rules: BTreeMap<(Level, &'static str), u64>,
    /// The number of values that are not JSON or are nested too deeply.
    faults: u64,
}

/// Validates every envelope of the input against the standard.
pub(super) fn run(input: &Input, style: FindingStyle, as_json: bool) -> Result<(), Failure> {
    let mut all = CheckedEnvelopes::default();
    input.each_batch(
        |batch| check_batch(batch, style),
        |checked| {
            output::text(&checked.lines)?;
            all.add(&checked);
            Ok(())
        },
    )?;
    all.print(as_json)?;
    match (all.flawed, all.faults) {
        (0, 0) => Ok(()),
        (flawed, faults) => {
            let error = anyhow!(
                "envelopes with findings: {flawed}, values that cannot be parsed: {faults}"
            );
            Err(Failure::new(Code::BadInput, error))
        }
    }
}

fn check_batch(batch: &InputBatch, style: FindingStyle) -> CheckedEnvelopes {
    let mut checked = CheckedEnvelopes::default();
    for value in batch.elements() {
        let file = &batch.file;
        let (line, result) = match value {
            Ok(value) => match check(value.bytes) {
                Ok(breaches) => (value.line, Ok(breaches)),
                Err(error) => {
                    let fault = error.fault();
                    let detail = format!("the envelope cannot be parsed: {}", fault.message());
                    (value.line + fault.at.line - 1, Err(detail))
                }
            },
            Err((line, fault)) => (line, Err(fault.to_string())),
        };
        match result {
            Ok(breaches) => {
                checked.envelopes += 1;
                checked.flawed += u64::from(!breaches.is_empty());
                let is_other_version = breaches.iter().any(|breach| breach.rule == Rule::E6);
                checked.other_version += u64::from(is_other_version);
                for breach in breaches {
                    let rule = (breach.rule.level(), breach.rule.code());
                    *checked.rules.entry(rule).or_default() += 1;
                    push_breach(&mut checked.lines, &breach, style, file, line);
                }
            }
            Err(error) => {
                checked.faults += 1;
                match style {
                    FindingStyle::Nothing => (),
                    FindingStyle::Lines => {
                        push_line(&mut checked.lines, format_args!("{file}:{line}: {error}"));
                    }
                    FindingStyle::Json => push_line(
                        &mut checked.lines,
                        json!({ "file": &**file, "line": line, "rule": null, "detail": error }),
                    ),
                }
            }
        }
    }
    checked
}

fn push_breach(lines: &mut String, breach: &Breach, style: FindingStyle, file: &str, line: usize) {
    match style {
        FindingStyle::Nothing => (),
        FindingStyle::Lines => {
            let path = output::printable(&breach.path);
            let detail = output::printable(&breach.to_string());
            push_line(lines, format_args!("{file}:{line}: {path} {detail}"));
        }
        FindingStyle::Json => push_line(
            lines,
            json!({
                "file": file, "line": line, "rule": breach.rule.code(),
                "level": breach.rule.level().code(), "path": breach.path, "detail": breach.detail,
            }),
        ),
    }
}

impl CheckedEnvelopes {
    fn add(&mut self, other: &Self) {
        self.envelopes += other.envelopes;
        self.flawed += other.flawed;
        self.other_version += other.other_version;
        self.faults += other.faults;
        for (rule, count) in &other.rules {
            *self.rules.entry(*rule).or_default() += count;
        }
    }

    fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            let rules = self
                .rules
                .iter()
                .map(|((_, rule), count)| ((*rule).to_owned(), json!(count)));
            let rules: serde_json::Map<_, _> = rules.collect();
            return output::line(json!({ "summary": {
                "envelopes": self.envelopes, "flawed": self.flawed, "rules": rules,
                "no_json": self.faults, "other_version": self.other_version,
            } }));
        }
        let rows: Vec<_> = self
            .rules
            .iter()
            .map(|((level, rule), count)| {
                let meaning = easel_caliper::Rule::ALL
                    .iter()
                    .find(|known| known.code() == *rule);
                let meaning = meaning.map_or("", |known| known.meaning());
                [
                    (*rule).to_owned(),
                    level.code().to_owned(),
                    count.to_string(),
                    meaning.to_owned(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            output::table(["RULE", "LEVEL", "BROKEN", "REQUIRES"], &rows)?;
        }
        let other_version = match self.other_version {
            0 => String::new(),
            count => format!(", {count} with another data version"),
        };
        output::notice(format_args!(
            "{} envelopes, {} with findings{other_version}",
            self.envelopes, self.flawed
        ));
        Ok(())
    }
}
