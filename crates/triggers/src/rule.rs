//! A rule: one event that a change can make, and its gates.

use crate::gate::{Gate, NOT_IDLE};
use crate::operation::Operation;

/// A rule: one event that a change can make, and its gates.
#[derive(Clone, Copy, Debug)]
pub struct TriggerRule {
    /// The type of the row that changes, or the action.
    pub subject: &'static str,
    /// The operation on the row.
    pub operation: Operation,
    /// The event type.
    pub event: &'static str,
    /// The source of the rule.
    pub fact: Fact,
    /// Whether the rule is checked only if the previous rule of the same subject and operation made
    /// no event.
    pub(crate) otherwise: bool,
    /// Whether an idle update can make the event.
    pub(crate) allows_idle: bool,
    pub(crate) gates: &'static [Gate],
}

/// The source of a rule: how we know that Canvas sends the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Canvas's record callbacks, in releases of many years.
    Callback,
    /// Canvas's record callbacks, only in the newest releases.
    Newest,
    /// A call in the code of the action. The documents and Canvas's code say when.
    Call,
    /// Only the documents. The Canvas code that was read does not send the event.
    Published,
    /// A change proposed to Canvas. Canvas had not merged it when this was written.
    Proposed,
}

impl TriggerRule {
    const fn new(subject: &'static str, operation: Operation, event: &'static str) -> Self {
        Self {
            subject,
            operation,
            event,
            fact: Fact::Callback,
            otherwise: false,
            allows_idle: false,
            gates: &[],
        }
    }

    pub(crate) const fn insert(record: &'static str, event: &'static str) -> Self {
        Self::new(record, Operation::Insert, event)
    }

    pub(crate) const fn update(record: &'static str, event: &'static str) -> Self {
        Self::new(record, Operation::Update, event)
    }

    pub(crate) const fn delete(record: &'static str, event: &'static str) -> Self {
        Self::new(record, Operation::Delete, event)
    }

    /// Creates a rule for an action. Its source is a call.
    pub(crate) const fn act(action: &'static str, event: &'static str) -> Self {
        Self::new(action, Operation::Act, event).known_by(Fact::Call)
    }

    /// Adds the gates.
    pub(crate) const fn behind(self, gates: &'static [Gate]) -> Self {
        Self { gates, ..self }
    }

    /// Sets the source.
    pub(crate) const fn known_by(self, fact: Fact) -> Self {
        Self { fact, ..self }
    }

    /// Checks the rule only if the previous rule of the same subject and operation made no event.
    pub(crate) const fn or_else(self) -> Self {
        Self {
            otherwise: true,
            ..self
        }
    }

    /// Lets an idle update make the event.
    pub(crate) const fn allow_idle(self) -> Self {
        Self {
            allows_idle: true,
            ..self
        }
    }

    /// Returns the texts of its gates when they are closed, in order.
    pub fn closed_texts(&self) -> impl Iterator<Item = &'static str> {
        self.all_gates().map(|gate| gate.closed)
    }

    /// Returns its gates, in order. The gate against idle updates is the first.
    pub(crate) fn all_gates(&self) -> impl Iterator<Item = &'static Gate> {
        let is_guarded = self.operation == Operation::Update && !self.allows_idle;
        let idle: &[Gate] = if is_guarded { &[NOT_IDLE] } else { &[] };
        idle.iter().chain(self.gates)
    }
}

impl Operation {
    /// Returns its name in the JSON of a change.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Act => "act",
        }
    }
}

impl Fact {
    /// Returns the source in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Callback => "record callback",
            Self::Newest => "record callback, newest releases",
            Self::Call => "direct call",
            Self::Published => "documents alone",
            Self::Proposed => "proposed to Canvas",
        }
    }
}
