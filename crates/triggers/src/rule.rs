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
    pub event_type: &'static str,
    /// How we know that Canvas sends the event.
    pub evidence: Evidence,
    /// Whether the rule is checked only if the previous rule of the same subject and operation made
    /// no event.
    pub(crate) otherwise: bool,
    /// Whether an idle update can make the event.
    pub(crate) allows_idle: bool,
    pub(crate) gates: &'static [Gate],
}

/// How we know that Canvas sends the event of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
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
    const fn new(subject: &'static str, operation: Operation, event_type: &'static str) -> Self {
        Self {
            subject,
            operation,
            event_type,
            evidence: Evidence::Callback,
            otherwise: false,
            allows_idle: false,
            gates: &[],
        }
    }

    pub(crate) const fn insert(row_type: &'static str, event_type: &'static str) -> Self {
        Self::new(row_type, Operation::Insert, event_type)
    }

    pub(crate) const fn update(row_type: &'static str, event_type: &'static str) -> Self {
        Self::new(row_type, Operation::Update, event_type)
    }

    pub(crate) const fn delete(row_type: &'static str, event_type: &'static str) -> Self {
        Self::new(row_type, Operation::Delete, event_type)
    }

    /// Creates a rule for an action. Its evidence is a call.
    pub(crate) const fn act(action: &'static str, event_type: &'static str) -> Self {
        Self::new(action, Operation::Act, event_type).known_by(Evidence::Call)
    }

    /// Adds the gates.
    pub(crate) const fn with_gates(self, gates: &'static [Gate]) -> Self {
        Self { gates, ..self }
    }

    /// Sets the evidence.
    pub(crate) const fn known_by(self, evidence: Evidence) -> Self {
        Self { evidence, ..self }
    }

    /// Checks the rule only if the previous rule of the same subject and operation made no event.
    pub(crate) const fn otherwise(self) -> Self {
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

    /// Returns the closed text of each gate, in order.
    pub fn closed_texts(&self) -> impl Iterator<Item = &'static str> {
        self.all_gates().map(|gate| gate.closed_text)
    }

    /// Returns all gates of the rule, in order. If the rule has the gate against idle updates, this is the
    /// first.
    pub(crate) fn all_gates(&self) -> impl Iterator<Item = &'static Gate> {
        let rejects_idle = self.operation == Operation::Update && !self.allows_idle;
        let idle_gate: &[Gate] = if rejects_idle { &[NOT_IDLE] } else { &[] };
        idle_gate.iter().chain(self.gates)
    }
}

impl Operation {
    /// Returns the name of the operation in the JSON of a change.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Act => "act",
        }
    }
}

impl Evidence {
    /// Returns the evidence in words.
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
