//! A rule: which event a change makes, and the gates it stands behind.

use crate::gate::{Gate, NOT_IDLE};

/// A rule: which event a change makes, and the gates it stands behind.
#[derive(Clone, Copy, Debug)]
pub struct TriggerRule {
    /// The type of the record that changes, or the action.
    pub subject: &'static str,
    /// What becomes of it.
    pub operation: Operation,
    /// The event type.
    pub event: &'static str,
    /// How it is known.
    pub fact: Fact,
    /// Whether it is looked at only when the rule before it, of the same subject and operation,
    /// made no event.
    pub(crate) otherwise: bool,
    /// Whether an update that changes nothing worth telling passes all the same.
    pub(crate) takes_idle: bool,
    pub(crate) gates: &'static [Gate],
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// It is inserted.
    Insert,
    /// It is updated.
    Update,
    /// It is deleted.
    Delete,
    /// It is no record: something is done.
    Act,
}

/// How a rule is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Canvas's record callbacks, in releases of many years.
    Callback,
    /// Canvas's record callbacks, in the newest releases alone.
    Newest,
    /// Canvas calls for it where it happens; the moment is told by the documents and the emitter.
    Call,
    /// The documents alone: the emitter that was read does not have it.
    Published,
    /// A change proposed to Canvas, which was not taken in when this was written.
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
            takes_idle: false,
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

    /// A rule for an action. Nothing but a call makes such an event.
    pub(crate) const fn act(action: &'static str, event: &'static str) -> Self {
        Self::new(action, Operation::Act, event).known_by(Fact::Call)
    }

    pub(crate) const fn behind(self, gates: &'static [Gate]) -> Self {
        Self { gates, ..self }
    }

    pub(crate) const fn known_by(self, fact: Fact) -> Self {
        Self { fact, ..self }
    }

    pub(crate) const fn or_else(self) -> Self {
        Self {
            otherwise: true,
            ..self
        }
    }

    pub(crate) const fn even_idle(self) -> Self {
        Self {
            takes_idle: true,
            ..self
        }
    }

    /// What is said when one of its gates is closed.
    pub fn closed_texts(&self) -> impl Iterator<Item = &'static str> {
        self.all_gates().map(|gate| gate.closed)
    }

    /// Its gates, in order; that against idle updates is the first.
    pub(crate) fn all_gates(&self) -> impl Iterator<Item = &'static Gate> {
        let is_guarded = self.operation == Operation::Update && !self.takes_idle;
        let idle: &[Gate] = if is_guarded { &[NOT_IDLE] } else { &[] };
        idle.iter().chain(self.gates)
    }
}

impl Operation {
    /// Its name, as changes have it.
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
    /// In words.
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
