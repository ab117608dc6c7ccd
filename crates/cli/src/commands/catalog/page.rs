//! An event type on a page for the terminal.

use anstyle::{AnsiColor, Style};
use easel_catalog::{
    ActorSource, CaliperForm, Catalog, Context, CourseSource, EventOrigin, EventType, Field,
    MetadataField, MetadataUse, Template, TemplateProperty, ValueSource,
};
use jiff::Timestamp;
use serde_json::Value;

const HEAD: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// Lines are not made longer than this, however wide the terminal is.
const MAX_WIDTH: usize = 100;

/// The page, with styles that whoever prints it takes out where they are of no use.
pub(super) fn render(catalog: &Catalog, it: &EventType) -> String {
    let mut page = PageText::new();
    let published = if it.published {
        ""
    } else {
        ", not in the published documents"
    };
    let about = format!(
        "{}, catalogue {}{published}",
        it.category,
        catalog.version()
    );
    page.line(&format!("{HEAD}{}{HEAD:#}  {DIM}{about}{DIM:#}", it.name));
    page.text("", it.meaning);

    page.head("trigger");
    page.text("  ", it.trigger);
    let notes = it.remarks();
    if !notes.is_empty() {
        page.head("notes");
        for note in &notes {
            page.item("  - ", note);
        }
    }
    if !it.body.is_empty() {
        page.head("body");
        page.fields(&it.body);
    }
    page.head("metadata");
    for paragraph in metadata(catalog, it) {
        page.item("  - ", &paragraph);
    }
    page.head("example");
    let example = catalog.example(it, EventOrigin::Request, Timestamp::now());
    let pretty = serde_json::from_str::<Value>(&example)
        .and_then(|event| serde_json::to_string_pretty(&event));
    for line in pretty.unwrap_or(example).lines() {
        page.line(&format!("  {line}"));
    }
    page.out
}

/// The Caliper form of an event type: what is written, in order, and where it comes from.
pub(super) fn render_caliper(it: &EventType, form: &CaliperForm) -> String {
    let mut page = PageText::new();
    page.line(&format!(
        "{HEAD}{}{HEAD:#}  {DIM}in Caliper{DIM:#}",
        it.name
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
    let nobody = if form.by_user {
        ", else user 0"
    } else {
        ", else the installation"
    };
    let nobody = match form.actor {
        ActorSource::BodyGrader(_) => "",
        ActorSource::MetadataUser | ActorSource::BodyAuthor(_) => nobody,
    };
    page.line(&format!("  actor    {actor}{nobody}"));
    page.line(&format!("  course   {course}"));
    if let Some(section) = form.section {
        page.line(&format!("  section  {section}"));
    }
    let (plain, strict) = (template(&form.compatible), template(&form.strict));
    page.head("caliper");
    for line in &plain {
        page.line(line);
    }
    page.head("caliper-strict");
    if plain == strict {
        page.line("  the same");
    } else {
        for line in &strict {
            page.line(line);
        }
    }
    page.out
}

fn template(it: &Template) -> Vec<String> {
    let mut lines = vec![
        format!("  type     {}", it.kind),
        format!("  action   {}", it.action),
    ];
    if !it.group {
        lines.push("  without the group".to_owned());
    }
    for (name, them) in [("object", it.object), ("generated", it.generated)] {
        if !them.is_empty() {
            lines.push(format!("  {name}"));
            members(&mut lines, "    ", &them);
        }
    }
    lines
}

fn members(lines: &mut Vec<String>, indent: &str, them: &[TemplateProperty]) {
    let width = them.iter().map(|it| it.key.len()).max().unwrap_or(0);
    for TemplateProperty { key, value } in them {
        let (ValueSource::Entity(inner)
        | ValueSource::Array(inner)
        | ValueSource::Extensions(inner)) = value
        else {
            lines.push(format!("{indent}{NAME}{key:width$}{NAME:#}  {value}"));
            continue;
        };
        lines.push(format!("{indent}{NAME}{key}{NAME:#}"));
        members(lines, &format!("{indent}  "), inner);
    }
}

/// Which fields of the metadata such an event has.
fn metadata(catalog: &Catalog, it: &EventType) -> Vec<String> {
    let names = |is_it: &dyn Fn(&&MetadataField) -> bool| {
        let them = catalog.metadata().iter().filter(is_it);
        them.map(|it| it.field.name).collect::<Vec<_>>().join(", ")
    };
    let request = names(&|it| it.is_sent(EventOrigin::Request));
    let of_record = it.context == Context::Record;
    let job = names(&|it| {
        it.is_sent(EventOrigin::Job) || of_record && it.sent.contains(&MetadataUse::OfRecord)
    });
    vec![
        format!("From a request: {request}"),
        format!("From a job: {job}"),
    ]
}

struct PageText {
    out: String,
    width: usize,
}

impl PageText {
    fn new() -> Self {
        let width =
            terminal_size::terminal_size().map_or(MAX_WIDTH, |(width, _)| usize::from(width.0));
        Self {
            out: String::new(),
            width: width.clamp(40, MAX_WIDTH),
        }
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn head(&mut self, head: &str) {
        self.line("");
        self.line(&format!("{HEAD}{}{HEAD:#}", head.to_uppercase()));
    }

    fn text(&mut self, indent: &str, text: &str) {
        self.wrap(text, indent, indent);
    }

    fn item(&mut self, bullet: &str, text: &str) {
        self.wrap(text, bullet, &" ".repeat(bullet.len()));
    }

    fn wrap(&mut self, text: &str, first: &str, others: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(others);
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }

    /// Name and type of each field in columns, what it means beside them or, where there is no
    /// room, below.
    fn fields(&mut self, fields: &[Field]) {
        let rows = flat("", fields);
        let widest = |of: fn(&FieldRow) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let (name, kind) = (widest(|it| it.name.len()), widest(|it| it.kind.len()));
        let column = name + kind + 6;
        let indent = if column + 30 <= self.width { column } else { 6 };
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
            if indent == column {
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

fn flat(before: &str, fields: &[Field]) -> Vec<FieldRow> {
    let mut rows = Vec::new();
    for it in fields {
        rows.push(FieldRow {
            name: format!("{before}{}", it.name),
            kind: it.explained_kind(),
            about: it.explained(),
        });
        rows.extend(flat(&format!("{before}{}.", it.name), &it.kind.fields()));
    }
    rows
}
