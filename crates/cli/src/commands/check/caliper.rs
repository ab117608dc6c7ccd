//! `easel check --caliper`: envelopes instead of events.

use std::collections::BTreeMap;

use anyhow::anyhow;
use easel_caliper::{Breach, Level, Rule, check};
use serde_json::json;

use super::{FindingStyle, tell};
use crate::exit_code::{Code, Failure};
use crate::input::{Input, InputBatch};
use crate::output;

/// What was found in some envelopes.
#[derive(Debug, Default)]
struct CheckedEnvelopes {
    lines: String,
    envelopes: u64,
    flawed: u64,
    /// Envelopes of another data version, whose data was not checked.
    other_version: u64,
    /// How often each rule is broken.
    rules: BTreeMap<(Level, &'static str), u64>,
    /// Values that cannot be read: they are not JSON, or are nested too deeply.
    faults: u64,
}

/// Holds every envelope of the input against the standard.
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
            let told =
                anyhow!("envelopes with findings: {flawed}, values that cannot be read: {faults}");
            Err(Failure::new(Code::BadInput, told))
        }
    }
}

fn check_batch(batch: &InputBatch, style: FindingStyle) -> CheckedEnvelopes {
    let mut checked = CheckedEnvelopes::default();
    for value in batch.elements() {
        let file = &batch.file;
        let (line, found) = match value {
            Ok(value) => match check(value.bytes) {
                Ok(breaches) => (value.line, Ok(breaches)),
                Err(error) => {
                    let fault = error.fault();
                    let detail = format!("the envelope cannot be read: {}", fault.message());
                    (value.line + fault.at.line - 1, Err(detail))
                }
            },
            Err((line, fault)) => (line, Err(fault.to_string())),
        };
        match found {
            Ok(breaches) => {
                checked.envelopes += 1;
                checked.flawed += u64::from(!breaches.is_empty());
                let is_other_version = breaches.iter().any(|it| it.rule == Rule::E6);
                checked.other_version += u64::from(is_other_version);
                for it in breaches {
                    let rule = (it.rule.level(), it.rule.code());
                    *checked.rules.entry(rule).or_default() += 1;
                    tell_breach(&mut checked.lines, &it, style, file, line);
                }
            }
            Err(error) => {
                checked.faults += 1;
                match style {
                    FindingStyle::Nothing => (),
                    FindingStyle::Lines => {
                        tell(&mut checked.lines, format_args!("{file}:{line}: {error}"));
                    }
                    FindingStyle::Json => tell(
                        &mut checked.lines,
                        json!({ "file": &**file, "line": line, "rule": null, "detail": error }),
                    ),
                }
            }
        }
    }
    checked
}

fn tell_breach(lines: &mut String, it: &Breach, style: FindingStyle, file: &str, line: usize) {
    match style {
        FindingStyle::Nothing => (),
        FindingStyle::Lines => {
            let (path, told) = (output::plain(&it.path), output::plain(&it.to_string()));
            tell(lines, format_args!("{file}:{line}: {path} {told}"));
        }
        FindingStyle::Json => tell(
            lines,
            json!({
                "file": file, "line": line, "rule": it.rule.code(), "level": it.rule.level().code(),
                "path": it.path, "detail": it.detail,
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
                    .find(|it| it.code() == *rule);
                let meaning = meaning.map_or("", |it| it.meaning());
                [
                    (*rule).to_owned(),
                    level.code().to_owned(),
                    count.to_string(),
                    meaning.to_owned(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            output::table(["RULE", "LEVEL", "BROKEN", "ASKS"], &rows)?;
        }
        let other_version = match self.other_version {
            0 => String::new(),
            count => format!(", {count} of another data version"),
        };
        output::talk(format_args!(
            "{} envelopes, {} with findings{other_version}",
            self.envelopes, self.flawed
        ));
        Ok(())
    }
}
