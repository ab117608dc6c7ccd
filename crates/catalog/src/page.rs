//! The catalogue as Markdown: a page for each category, one for the metadata, and a list of them.

use serde_json::Value;

use crate::catalog::Catalog;
use crate::event_type::EventType;
use crate::example::object;
use crate::field::Field;

const GENERATED: &str = "<!-- Made from the data files in crates/catalog/events; \
                         CONTRIBUTING.md says how. -->\n\n";

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
    for (index, note) in it.remarks().iter().enumerate() {
        line(
            text,
            &format!("{}- {note}", if index == 0 { "\n" } else { "" }),
        );
    }
    if !it.body.is_empty() {
        line(
            text,
            "\n| field | type | made of | meaning |\n| --- | --- | --- | --- |",
        );
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
        let column = it.made_of().replace('|', "\\|");
        line(text, &format!("| {field} | {kind} | {column} | {about} |"));
        rows(text, &format!("{before}{}.", it.name), &it.kind.fields());
    }
}

/// Name, kind and meaning of a field as cells of a table.
fn cells(before: &str, it: &Field) -> (String, String, String) {
    let explained = it.explained().replace('|', "\\|");
    (
        format!("`{before}{}`", it.name),
        it.explained_kind(),
        explained,
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
