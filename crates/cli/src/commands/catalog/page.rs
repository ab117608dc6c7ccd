//! The page of an event type for the terminal.

use anstyle::{AnsiColor, Style};
use easel_catalog::{
    ActorSource, CaliperTemplate, Catalog, Context, CourseSource, DialectTemplate, EventOrigin,
    EventType, Field, MetadataField, MetadataUse, TemplateProperty, ValueSource,
};
use jiff::Timestamp;
use serde_json::Value;

const HEADING: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// The maximum width of a line, also on a wider terminal.
const MAX_WIDTH: usize = 100;

/// Returns the page with styles. The caller removes the styles if the output does not support them.
pub(super) fn render(catalog: &Catalog, event_type: &EventType) -> String {
    let mut page = PageText::new();
    let evidence = if event_type.columns_only {
        ", known only from columns"
    } else if event_type.published {
        ""
    } else {
        ", not in the published documents"
    };
    let about = format!(
        "{}, catalogue {}{evidence}",
        event_type.category,
        catalog.version()
    );
    page.line(&format!(
        "{HEADING}{}{HEADING:#}  {DIM}{about}{DIM:#}",
        event_type.name
    ));
    page.text("", event_type.meaning);

    page.heading("trigger");
    page.text("  ", event_type.trigger);
    let notes = event_type.remarks();
    if !notes.is_empty() {
        page.heading("notes");
        for note in &notes {
            page.item("  - ", note);
        }
    }
    if !event_type.body.is_empty() {
        page.heading("body");
        page.fields(&event_type.body);
    }
    page.heading("metadata");
    for paragraph in metadata_paragraphs(catalog, event_type) {
        page.item("  - ", &paragraph);
    }
    page.heading("example");
    let example = catalog.example(event_type, EventOrigin::Request, Timestamp::now());
    let pretty = serde_json::from_str::<Value>(&example)
        .and_then(|event| serde_json::to_string_pretty(&event));
    for line in pretty.unwrap_or(example).lines() {
        page.line(&format!("  {line}"));
    }
    page.text
}

/// Returns the page of a Caliper form: its properties in order, with their sources.
pub(super) fn render_caliper(event_type: &EventType, form: &CaliperTemplate) -> String {
    let mut page = PageText::new();
    page.line(&format!(
        "{HEADING}{}{HEADING:#}  {DIM}in Caliper{DIM:#}",
        event_type.name
    ));
    let actor = match form.actor {
        ActorSource::MetadataUser => "the user of the metadata".to_owned(),
        ActorSource::BodyAuthor(field) => format!("the user of the metadata, else {field}"),
        ActorSource::BodyGrader(field) => format!("{field}, else the installation"),
    };
    let course = match form.course {
        CourseSource::OfContext => "of the context, if it is a course".to_owned(),
        CourseSource::OfField(field) => field.to_owned(),
        CourseSource::Nowhere => "none".to_owned(),
    };
    let fallback_actor = if form.by_user {
        ", else user 0"
    } else {
        ", else the installation"
    };
    let fallback_actor = match form.actor {
        ActorSource::BodyGrader(_) => "",
        ActorSource::MetadataUser | ActorSource::BodyAuthor(_) => fallback_actor,
    };
    page.line(&format!("  actor    {actor}{fallback_actor}"));
    page.line(&format!("  course   {course}"));
    if let Some(section) = form.section {
        page.line(&format!("  section  {section}"));
    }
    let compatible = template_lines(&form.compatible);
    let strict = template_lines(&form.strict);
    page.heading("caliper");
    for line in &compatible {
        page.line(line);
    }
    page.heading("caliper-strict");
    if compatible == strict {
        page.line("  the same");
    } else {
        for line in &strict {
            page.line(line);
        }
    }
    page.text
}

fn template_lines(template: &DialectTemplate) -> Vec<String> {
    let mut lines = vec![
        format!("  type     {}", template.kind),
        format!("  action   {}", template.action),
    ];
    if !template.group {
        lines.push("  without the group".to_owned());
    }
    for (name, properties) in [
        ("object", template.object),
        ("generated", template.generated),
    ] {
        if !properties.is_empty() {
            lines.push(format!("  {name}"));
            append_properties(&mut lines, "    ", &properties);
        }
    }
    lines
}

fn append_properties(lines: &mut Vec<String>, indent: &str, properties: &[TemplateProperty]) {
    let width = properties
        .iter()
        .map(|property| property.key.len())
        .max()
        .unwrap_or(0);
    for TemplateProperty { key, value } in properties {
        let (ValueSource::Entity(inner)
        | ValueSource::Array(inner)
        | ValueSource::Extensions(inner)) = value
        else {
            lines.push(format!("{indent}{NAME}{key:width$}{NAME:#}  {value}"));
            continue;
        };
        lines.push(format!("{indent}{NAME}{key}{NAME:#}"));
        append_properties(lines, &format!("{indent}  "), inner);
    }
}

/// Returns the metadata fields of events of this type: from a request, and from a job. Returns the fields
/// that every event has if the event type is known only from columns.
fn metadata_paragraphs(catalog: &Catalog, event_type: &EventType) -> Vec<String> {
    let names = |is_present: &dyn Fn(&&MetadataField) -> bool| {
        let fields = catalog.metadata().iter().filter(is_present);
        let names = fields.map(|metadata| metadata.field.name);
        names.collect::<Vec<_>>().join(", ")
    };
    if event_type.columns_only {
        let always = names(&|metadata| metadata.is_in_events_of(EventOrigin::Neither));
        return vec![format!("Always: {always}")];
    }
    let request = names(&|metadata| metadata.is_in_events_of(EventOrigin::Request));
    let has_record_context = event_type.context == Context::Row;
    let job = names(&|metadata| {
        metadata.is_in_events_of(EventOrigin::Job)
            || has_record_context && metadata.used_in.contains(&MetadataUse::OfRow)
    });
    vec![
        format!("From a request: {request}"),
        format!("From a job: {job}"),
    ]
}

struct PageText {
    text: String,
    width: usize,
}

impl PageText {
    fn new() -> Self {
        let width =
            terminal_size::terminal_size().map_or(MAX_WIDTH, |(width, _)| usize::from(width.0));
        Self {
            text: String::new(),
            width: width.clamp(40, MAX_WIDTH),
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line("");
        self.line(&format!("{HEADING}{}{HEADING:#}", heading.to_uppercase()));
    }

    fn text(&mut self, indent: &str, text: &str) {
        self.wrap(text, indent, indent);
    }

    fn item(&mut self, bullet: &str, text: &str) {
        self.wrap(text, bullet, &" ".repeat(bullet.len()));
    }

    fn wrap(&mut self, text: &str, first_indent: &str, next_indent: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first_indent)
            .subsequent_indent(next_indent);
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }

    /// Writes name, type and description of each field in columns. On a narrow terminal, the description
    /// is below the name.
    fn fields(&mut self, fields: &[Field]) {
        let rows = flatten("", fields);
        let widest = |width: fn(&FieldRow) -> usize| rows.iter().map(width).max().unwrap_or(0);
        let (name, kind) = (widest(|row| row.name.len()), widest(|row| row.kind.len()));
        let about_column = name + kind + 6;
        let indent = if about_column + 30 <= self.width {
            about_column
        } else {
            6
        };
        for row in rows {
            let pad = |width: usize, text: &str| " ".repeat(width - text.len());
            let start = format!(
                "  {NAME}{}{NAME:#}{}  {}{}  ",
                row.name,
                pad(name, &row.name),
                row.kind,
                pad(kind, &row.kind),
            );
            let about = textwrap::wrap(&row.about, self.width - indent);
            let mut about = about.iter();
            if indent == about_column {
                let first = about.next().map_or("", |line| line.as_ref());
                self.line(&format!("{start}{first}"));
            } else {
                self.line(&start);
            }
            for line in about {
                self.line(&format!("{}{line}", " ".repeat(indent)));
            }
        }
    }
}

struct FieldRow {
    name: String,
    kind: String,
    about: String,
}

fn flatten(prefix: &str, fields: &[Field]) -> Vec<FieldRow> {
    let mut rows = Vec::new();
    for field in fields {
        rows.push(FieldRow {
            name: format!("{prefix}{}", field.name),
            kind: field.kind_text(),
            about: field.description(),
        });
        rows.extend(flatten(
            &format!("{prefix}{}.", field.name),
            &field.kind.fields(),
        ));
    }
    rows
}
