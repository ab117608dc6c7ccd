//! What the catalogue says in sentences, for pages of any kind.

use crate::caliper_form::Template;
use crate::column::Column;
use crate::event_type::{Context, EventType, MadeBy};
use crate::field::{Field, Privacy};

impl Field {
    /// What its value is, such as `global id or null`.
    pub fn explained_kind(&self) -> String {
        format!("{}{}", self.kind, if self.null { " or null" } else { "" })
    }

    /// The columns that it is made of when a change makes the event, as a data file has them.
    pub fn made_of(&self) -> String {
        let columns: Vec<_> = self.from.iter().map(ToString::to_string).collect();
        match (columns.as_slice(), self.old) {
            ([], None) => self.name.to_owned(),
            ([], Some(of_field)) => format!("before: {of_field}"),
            (columns, _) => columns.join(" | "),
        }
    }

    /// What it means, and everything else there is to say of it.
    pub fn explained(&self) -> String {
        let mut sentences = vec![self.about.to_owned()];
        sentences.extend(self.when.map(|when| format!("Only if {when}.")));
        if let Some(values) = self.values {
            let numbered = values.numbered.map(|it| format!(", `{it}` and a number"));
            let more = if values.open { ", and others" } else { "" };
            let listed: Vec<_> = values.listed.iter().map(|it| format!("`{it}`")).collect();
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
    /// What there is to know of it besides meaning and trigger, a paragraph each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self.notes.iter().map(|note| (*note).to_owned()).collect();
        if !self.published {
            remarks.push("The published documents do not list it.".to_owned());
        }
        let year = self.known_from;
        remarks.extend(year.map(|year| format!("Known from sources of {year} and later.")));
        let context = match self.context {
            Context::Ambient => None,
            Context::Record => Some(
                "Context and root account in the metadata are those of the record, so events from \
                 jobs have them too.",
            ),
            Context::Login => Some("User and session in the metadata are those of the login."),
        };
        remarks.extend(context.map(str::to_owned));
        remarks.extend(self.made_by.map(|it| match it {
            MadeBy::ByRecord(record) => format!("Made of a change of the record `{record}`."),
            MadeBy::ByAction(action) => format!("Made of the action `{action}`."),
        }));
        if let Some(form) = self.caliper {
            let Template { kind, action, .. } = form.compatible;
            remarks.push(format!("In Caliper: {kind}, {action}."));
        }
        if self.open {
            remarks.push("Fields that are not listed are to be expected.".to_owned());
        }
        let made_of = |it: Column| format!("Fields that are not listed are made of `{it}`.");
        remarks.extend(self.further.map(made_of));
        remarks
    }
}
