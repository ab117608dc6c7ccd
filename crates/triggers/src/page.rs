//! The page `docs/triggers.md`, generated from the rules.

use crate::computed;
use crate::operation::Operation;
use crate::rule::TriggerRule;
use crate::rules;

const INTRODUCTION: &str = "\
# Triggers

This page lists the rules that turn a change into events. It is generated from the rules in
`crates/triggers/src/rules`; CONTRIBUTING.md says how to generate it.

The rules of one record and operation are checked in the order of the table. Their events come in the same
order. A rule makes its event only if all its gates are open. Gates are separated by semicolons. A rule that
begins with *else* is checked only if the rule above it made no event.

The last column says how we know that Canvas sends the event:

- *record callback*: Canvas saves a record, and sends the event from a callback after the commit.
  *newest releases*: only the newest Canvas releases send it.
- *direct call*: Canvas sends the event from the code of the action. The rule follows the documents.
- *documents alone*: only the documents of Canvas have the event. The Canvas code that was read does not
  send it.
- *proposed to Canvas*: the event is in a proposed change. Canvas had not merged it when this was written.

In some gates, *rule `published`* says what holds with the setting
`triggers.submission_rule = \"published\"`.
";

const COMPUTED_VALUES: &str = "
## Computed values

[The pages of the events](events/README.md) say which column each field comes from. A name that begins with
`@` is a computed value:

| Name | Value |
| --- | --- |
";

/// Returns `docs/triggers.md`: the rules and the computed values as Markdown.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    table(&mut page, "Records", "Record", |rule| {
        rule.operation != Operation::Act
    });
    table(&mut page, "Actions", "Action", |rule| {
        rule.operation == Operation::Act
    });
    page.push_str(COMPUTED_VALUES);
    for (name, description) in computed::descriptions() {
        line(&mut page, &format!("| `@{name}` | {description} |"));
    }
    page
}

/// Appends a line.
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
        "| {subject} |{} Gates | Event | Evidence |",
        operation("Operation")
    ));
    line(format!("| --- |{} --- | --- | --- |", operation("---")));
    for rule in rules::all().filter(|rule| is_in(rule)) {
        let gates = rule
            .all_gates()
            .map(|gate| gate.condition)
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
            rule.event_type,
            rule.evidence.name(),
        ));
    }
}
