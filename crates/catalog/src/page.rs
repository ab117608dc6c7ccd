//! The catalogue as Markdown: a page for each category, one for the metadata, and a list of them.

use serde_json::Value;

use crate::catalog::Catalog;
use crate::event_type::{Context, EventType};
use crate::example::object;
use crate::field::{Field, Privacy};

const GENERATED: &str = "<!-- Made from the data files in crates/catalog/events; \
                         CONTRIBUTING.md says how. -->\n\n";

const CONTEXT_OF_RECORD: &str = "Context and root account in the metadata are those of the \
                                 record, so events from jobs have them too.";
const CONTEXT_OF_LOGIN: &str = "User and session in the metadata are those of the login.";

/// A page of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its file, such as `grade.md`.
    pub file: String,
    /// Its Markdown.
    pub text: String,
}

impl Catalog {
    /// Every page of the catalogue.
    pub fn pages(&self) -> Vec<Page> {
        let mut categories: Vec<&str> = self.types().iter().map(|it| it.category).collect();
        categories.sort_unstable();
        categories.dedup();
        let mut pages = vec![self.list(&categories), self.metadata_page()];
        pages.extend(categories.iter().map(|it| self.category_page(it)));
        pages
    }

    fn list(&self, categories: &[&str]) -> Page {
        let mut text = format!(
            "{GENERATED}# Event types\n\nThe {} event types of the catalogue, version {}. Every \
             event has [metadata](metadata.md) and a body.\n\n| event type | says |\n| --- | --- |\n",
            self.types().len(),
            self.version(),
        );
        for category in categories {
            for it in self.types().iter().filter(|it| it.category == *category) {
                let link = format!("{category}.md#{}", anchor(it.name));
                line(
                    &mut text,
                    &format!("| [{}]({link}) | {} |", it.name, it.meaning),
                );
            }
        }
        Page {
            file: "README.md".to_owned(),
            text,
        }
    }

    fn metadata_page(&self) -> Page {
        let mut text = format!(
            "{GENERATED}# Metadata\n\nWhat the metadata of an event can hold. An event made while a \
             request was served has a `request_id`, one made by a background job a `job_id`; what \
             comes from neither has little more than its name and time. The fields of the context \
             and of the root account can come from the record that changed, wherever it changed.\n\n\
             | field | type | in | meaning |\n| --- | --- | --- | --- |\n"
        );
        for it in self.metadata() {
            let sent: Vec<_> = it.sent.iter().map(|sent| sent.name()).collect();
            let (field, kind, about) = cells("", &it.field);
            line(
                &mut text,
                &format!("| {field} | {kind} | {} | {about} |", sent.join(", ")),
            );
        }
        Page {
            file: "metadata.md".to_owned(),
            text,
        }
    }

    fn category_page(&self, category: &str) -> Page {
        let mut text = format!("{GENERATED}# Events: {category}\n");
        for it in self.types().iter().filter(|it| it.category == category) {
            section(&mut text, it);
        }
        Page {
            file: format!("{category}.md"),
            text,
        }
    }
}

fn section(text: &mut String, it: &EventType) {
    line(
        text,
        &format!("\n## {}\n\n{}\n\n{}", it.name, it.meaning, it.trigger),
    );
    let mut notes: Vec<String> = it.notes.iter().map(|note| (*note).to_owned()).collect();
    if !it.published {
        notes.push("The published documents do not list it.".to_owned());
    }
    if let Some(year) = it.known_from {
        notes.push(format!("Known from sources of {year} and later."));
    }
    notes.extend(match it.context {
        Context::Ambient => None,
        Context::Record => Some(CONTEXT_OF_RECORD.to_owned()),
        Context::Login => Some(CONTEXT_OF_LOGIN.to_owned()),
    });
    if it.open {
        notes.push("Fields that are not listed are to be expected.".to_owned());
    }
    for (index, note) in notes.iter().enumerate() {
        line(
            text,
            &format!("{}- {note}", if index == 0 { "\n" } else { "" }),
        );
    }
    if !it.body.is_empty() {
        line(text, "\n| field | type | meaning |\n| --- | --- | --- |");
        rows(text, "", &it.body);
    }
    let body = serde_json::from_str::<Value>(&object(&it.body));
    let pretty = body.and_then(|body| serde_json::to_string_pretty(&body));
    line(
        text,
        &format!("\n```json\n{}\n```", pretty.unwrap_or_default()),
    );
}

fn rows(text: &mut String, before: &str, fields: &[Field]) {
    for it in fields {
        let (field, kind, about) = cells(before, it);
        line(text, &format!("| {field} | {kind} | {about} |"));
        rows(text, &format!("{before}{}.", it.name), &it.kind.fields());
    }
}

/// Name, kind and meaning of a field as cells of a table.
fn cells(before: &str, it: &Field) -> (String, String, String) {
    let mut kind = it.kind.to_string();
    if it.null {
        kind.push_str(" or null");
    }
    let mut about = it.about.to_owned();
    let mut add = |sentence: String| {
        about.push(' ');
        about.push_str(&sentence);
    };
    if let Some(when) = it.when {
        add(format!("*Only if {when}.*"));
    }
    if let Some(values) = it.values {
        let listed: Vec<_> = values.listed.iter().map(|it| format!("`{it}`")).collect();
        let more = if values.open { ", and others" } else { "" };
        let numbered = values.numbered.map(|it| format!(", `{it}` and a number"));
        add(format!(
            "Values: {}{}{more}.",
            listed.join(", "),
            numbered.unwrap_or_default()
        ));
    }
    if let Some(max) = it.max_chars {
        add(format!("Cut to {max} characters."));
    }
    if !it.published {
        add("Not in the published documents.".to_owned());
    }
    match it.privacy {
        Privacy::Nothing => (),
        Privacy::Content => add("(content)".to_owned()),
        Privacy::QuasiIdentifier => add("(quasi-identifier)".to_owned()),
        Privacy::DirectIdentifier => add("(direct identifier)".to_owned()),
    }
    (
        format!("`{before}{}`", it.name),
        kind,
        about.replace('|', "\\|"),
    )
}

/// The anchor that a heading gets: it loses its dots.
fn anchor(name: &str) -> String {
    name.replace('.', "")
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
