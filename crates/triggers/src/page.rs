//! The rules as a page of Markdown, `docs/triggers.md`.

use crate::computed;
use crate::rule::{Operation, TriggerRule};
use crate::rules;

const INTRODUCTION: &str = "\
# Triggers

Which change of which record makes which events. Written from the rules in `crates/triggers/src/rules`;
CONTRIBUTING.md says how. Rules of one record and operation are looked at in the order of the table, and
their events come in that order. A rule that begins with *else* is looked at when the one above it made no
event. Where a rule has several gates, all have to be open.

*Record callbacks* are what Canvas does when it saves a record; the event is sent after the commit.
*Direct calls* are made where something happens, and when that is was read from the documents. What is known
from *documents alone* is not in the emitter that was read. What is *proposed to Canvas* was not taken in
when this was written.
";

const WORKED_OUT: &str = "
## Values that are worked out

What a field is made of is in [the pages of the events](events/README.md). What begins with `@` there takes:

| name | takes |
| --- | --- |
";

/// The rules as a page of Markdown.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    table(&mut page, "Records", "Record", |it| {
        it.operation != Operation::Act
    });
    table(&mut page, "Actions", "Action", |it| {
        it.operation == Operation::Act
    });
    page.push_str(WORKED_OUT);
    for (name, takes) in computed::explained() {
        line(&mut page, &format!("| `@{name}` | {takes} |"));
    }
    page
}

/// Adds a line.
fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn table(page: &mut String, title: &str, subject: &str, is_in: fn(&TriggerRule) -> bool) {
    let mut line = |text: String| line(page, &text);
    let has_operation = subject == "Record";
    let operation = |name: &str| {
        if has_operation {
            format!(" {name} |")
        } else {
            String::new()
        }
    };
    line(format!("\n## {title}\n"));
    line(format!(
        "| {subject} |{} Gates | Event | Known from |",
        operation("Operation")
    ));
    line(format!("| --- |{} --- | --- | --- |", operation("---")));
    for rule in rules::all().filter(|it| is_in(it)) {
        let gates = rule
            .all_gates()
            .map(|gate| gate.opens)
            .collect::<Vec<_>>()
            .join("; ");
        let otherwise = match (rule.otherwise, gates.is_empty()) {
            (false, _) => "",
            (true, false) => "*else* ",
            (true, true) => "*else*",
        };
        line(format!(
            "| {} |{} {otherwise}{gates} | `{}` | {} |",
            rule.subject,
            operation(rule.operation.name()),
            rule.event,
            rule.fact.name(),
        ));
    }
}
