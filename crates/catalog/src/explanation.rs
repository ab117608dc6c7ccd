//! Event types and fields in sentences, for pages and the command line.

use crate::caliper_template::DialectTemplate;
use crate::column::Column;
use crate::event_type::{Context, EventType, MadeBy};
use crate::field::{Field, Privacy};

/// The remark about an event type that is known only from columns.
pub(crate) const COLUMNS_ONLY: &str = "Only names and the types of columns are known, from a program that stores these \
     events in tables. Easel does not validate the body.";

impl Field {
    /// Returns the kind of the value in words, such as `global id or null`.
    pub fn kind_text(&self) -> String {
        format!(
            "{}{}",
            self.kind,
            if self.can_be_null { " or null" } else { "" }
        )
    }

    /// Returns where the value comes from when Easel makes the event from a change, such as a column.
    pub fn source_text(&self) -> String {
        let columns: Vec<_> = self.from.iter().map(ToString::to_string).collect();
        match (columns.as_slice(), self.old_value_of) {
            ([], None) => self.name.to_owned(),
            ([], Some(current)) => format!("before: {current}"),
            (columns, _) => columns.join(" | "),
        }
    }

    /// Returns the meaning and all other properties of the field, in sentences.
    pub fn description(&self) -> String {
        let mut sentences = vec![self.about.to_owned()];
        sentences.extend(self.when.map(|when| format!("Only if {when}.")));
        if let Some(values) = self.values {
            let numbered = values
                .numbered
                .map(|prefix| format!(", `{prefix}` and a number"));
            let more = if values.open { ", and others" } else { "" };
            let listed: Vec<_> = values
                .listed
                .iter()
                .map(|value| format!("`{value}`"))
                .collect();
            let (listed, numbered) = (listed.join(", "), numbered.unwrap_or_default());
            sentences.push(format!("Values: {listed}{numbered}{more}."));
        }
        sentences.extend(
            self.max_chars
                .map(|max| format!("Cut to {max} characters.")),
        );
        if !self.published {
            sentences.push("Not in the published documents.".to_owned());
        }
        let privacy = match self.privacy {
            Privacy::Nothing => None,
            Privacy::Content => Some("(content)"),
            Privacy::QuasiIdentifier => Some("(quasi-identifier)"),
            Privacy::DirectIdentifier => Some("(direct identifier)"),
        };
        sentences.extend(privacy.map(str::to_owned));
        sentences.join(" ")
    }
}

impl EventType {
    /// Returns the notes and all other properties except meaning, trigger and fields, one paragraph
    /// each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self.notes.iter().map(|note| (*note).to_owned()).collect();
        if !self.published {
            remarks.push("The published documents do not list it.".to_owned());
        }
        if self.columns_only {
            remarks.push(COLUMNS_ONLY.to_owned());
        }
        let year = self.known_from;
        remarks.extend(year.map(|year| format!("Known from sources of {year} and later.")));
        let context = match self.context {
            Context::Ambient => None,
            Context::Row => Some(
                "Context and root account in the metadata are those of the record, so events from \
                 jobs have them too.",
            ),
            Context::Login => Some("User and session in the metadata are those of the login."),
        };
        remarks.extend(context.map(str::to_owned));
        remarks.extend(self.made_by.map(|made_by| match made_by {
            MadeBy::ByRecord(record) => format!("Made from a change of the record `{record}`."),
            MadeBy::ByAction(action) => format!("Made from the action `{action}`."),
        }));
        if let Some(form) = self.caliper {
            let DialectTemplate { kind, action, .. } = form.compatible;
            remarks.push(format!("In Caliper: {kind}, {action}."));
        }
        if self.open {
            remarks.push("Events can have fields that are not listed.".to_owned());
        }
        let further = |column: Column| format!("Fields that are not listed come from `{column}`.");
        remarks.extend(self.further.map(further));
        remarks
    }
}
