//! The catalogue as Markdown: a list of all event types, and pages for the metadata and each category.

use serde_json::Value;

use crate::catalog::Catalog;
use crate::event_type::EventType;
use crate::example::example_object;
use crate::field::Field;

const GENERATED: &str = "<!-- Made from the data files in crates/catalog/events; \
                         CONTRIBUTING.md says how. -->\n\n";

/// A page of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The file name, such as `grade.md`.
    pub file: String,
    /// The Markdown text.
    pub text: String,
}

impl Catalog {
    /// Returns every page of the catalogue.
    pub fn pages(&self) -> Vec<Page> {
        let mut categories: Vec<&str> = self
            .types()
            .iter()
            .map(|event_type| event_type.category)
            .collect();
        categories.sort_unstable();
        categories.dedup();
        let mut pages = vec![self.list_page(&categories), self.metadata_page()];
        pages.extend(
            categories
                .iter()
                .map(|category| self.category_page(category)),
        );
        pages
    }

    fn list_page(&self, categories: &[&str]) -> Page {
        let mut text = format!(
            "{GENERATED}# Event types\n\nThe {} event types of the catalogue, version {}. Every \
             event has [metadata](metadata.md) and a body.\n\n| event type | meaning |\n| --- | --- |\n",
            self.types().len(),
            self.version(),
        );
        for category in categories {
            let types = self.types().iter();
            for event_type in types.filter(|event_type| event_type.category == *category) {
                let link = format!("{category}.md#{}", anchor(event_type.name));
                push_line(
                    &mut text,
                    &format!("| [{}]({link}) | {} |", event_type.name, event_type.meaning),
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
            "{GENERATED}# Metadata\n\nThese are all fields that the metadata of an event can have. An \
             event from a request has a `request_id`, an event from a background job has a `job_id`. \
             An event from neither has little more than its name and time. In some event types the \
             fields of the context and of the root account come from the record that changed; the \
             column `in` has `record` for these fields.\n\n\
             | field | type | in | meaning |\n| --- | --- | --- | --- |\n"
        );
        for metadata_field in self.metadata() {
            let uses = metadata_field.used_in.iter();
            let uses: Vec<_> = uses.map(|metadata_use| metadata_use.name()).collect();
            let (field, kind, about) = cells("", &metadata_field.field);
            push_line(
                &mut text,
                &format!("| {field} | {kind} | {} | {about} |", uses.join(", ")),
            );
        }
        Page {
            file: "metadata.md".to_owned(),
            text,
        }
    }

    fn category_page(&self, category: &str) -> Page {
        let mut text = format!("{GENERATED}# Events: {category}\n");
        let types = self.types().iter();
        for event_type in types.filter(|event_type| event_type.category == category) {
            push_section(&mut text, event_type);
        }
        Page {
            file: format!("{category}.md"),
            text,
        }
    }
}

fn push_section(text: &mut String, event_type: &EventType) {
    let EventType {
        name,
        meaning,
        trigger,
        ..
    } = event_type;
    push_line(text, &format!("\n## {name}\n\n{meaning}\n\n{trigger}"));
    for (index, note) in event_type.remarks().iter().enumerate() {
        push_line(
            text,
            &format!("{}- {note}", if index == 0 { "\n" } else { "" }),
        );
    }
    if !event_type.body.is_empty() {
        push_line(
            text,
            "\n| field | type | made from | meaning |\n| --- | --- | --- | --- |",
        );
        push_rows(text, event_type, "", &event_type.body);
    }
    let body = serde_json::from_str::<Value>(&example_object(&event_type.body));
    let pretty = body.and_then(|body| serde_json::to_string_pretty(&body));
    push_line(
        text,
        &format!("\n```json\n{}\n```", pretty.unwrap_or_default()),
    );
}

fn push_rows(text: &mut String, event_type: &EventType, prefix: &str, fields: &[Field]) {
    for field in fields {
        let (name, kind, about) = cells(prefix, field);
        // No change makes an event that is known only from columns.
        let source = (!event_type.columns_only).then(|| field.source_text());
        let column = source.unwrap_or_default().replace('|', "\\|");
        push_line(text, &format!("| {name} | {kind} | {column} | {about} |"));
        push_rows(
            text,
            event_type,
            &format!("{prefix}{}.", field.name),
            &field.kind.fields(),
        );
    }
}

/// Returns name, kind and meaning of a field as cells of a table.
fn cells(prefix: &str, field: &Field) -> (String, String, String) {
    let about = field.description().replace('|', "\\|");
    (
        format!("`{prefix}{}`", field.name),
        field.kind_text(),
        about,
    )
}

/// Returns the anchor of a heading. Anchors have no dots.
fn anchor(name: &str) -> String {
    name.replace('.', "")
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
