//! The rules of Caliper 1.1 that a program can check, and breaches of these rules.

use std::fmt;

/// The severity of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Breaking the rule means that the envelope does not conform.
    Must,
    /// The rule is best practice.
    Should,
    /// The standard does not state the rule, but data that breaks it makes little sense.
    Sense,
}

/// A broken rule and its place in the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The broken rule.
    pub rule: Rule,
    /// The JSON pointer to the value that breaks the rule.
    pub path: String,
    /// A description of the breach.
    pub detail: String,
}

macro_rules! rules {
    ($($name:ident $level:ident $meaning:literal,)*) => {
        /// A rule of the standard, named by its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $meaning] $name,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the stable code of the rule.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Returns the severity of the rule.
            pub const fn level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level,)*
                }
            }

            /// Returns a sentence that states the rule.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

rules! {
    E1 Must "An envelope must be an object.",
    E2 Must "Required: `sensor`, `sendTime`, `dataVersion` and `data`.",
    E3 Must "An envelope must have no other members.",
    E4 Must "The sensor must be a string.",
    E4s Should "The sensor should be an IRI.",
    E5 Must "`sendTime` must have milliseconds and be in UTC.",
    E6 Must "The data version must be that of Caliper 1.1.",
    E7 Must "`data` must be an array.",
    E8 Must "Each item of `data` must be an object.",
    E9 Must "A key must not appear twice in an object.",
    C1 Must "An event or a top-level entity must have a context: a string or an array.",
    C2 Must "A context that is a string must be that of Caliper 1.1.",
    C3 Must "A context that is an array must end with that of Caliper 1.1.",
    C4 Must "A context must not redefine terms of Caliper.",
    V1 Must "An event must have an id, a type, an actor, an action, an object and a time.",
    V2 Must "The id of an event must be a UUID as a URN.",
    V2s Should "The UUID of an event should be of version 4.",
    V3 Must "The type of an event must be a term of Caliper.",
    V4 Must "The action must be a term of Caliper.",
    V5 Must "The event type must allow the action.",
    V5s Should "The action should not be deprecated for the event type.",
    V6 Must "Unknown properties of an event must be in `extensions`, an object.",
    V7 Must "The actor must be of a type that the event allows.",
    V8 Must "The object must be of a type that the event allows.",
    V8g Must "The generated entity must be of a type that the event allows.",
    V8t Must "The target must be of a type that the event allows.",
    V8r Must "The referrer must be of a type that the event allows.",
    V8p Must "The group must be an organization.",
    V8m Must "The membership must be a `Membership`.",
    V8s Must "The session must be a `Session`.",
    V8e Must "`edApp` must be a software application.",
    V9 Should "The type of an event should not be deprecated.",
    V10 Must "Only a person logs in to or out of an application; only an application times out a session.",
    P1 Should "A grade event should have a score in `generated`.",
    P2 Should "An assessment event should have an attempt in `generated`.",
    P3 Should "An assignable event should have an attempt in `generated`.",
    P4 Should "The attempt should have `assignee`, `assignable` and `count`.",
    P4s Should "A session event should have a session.",
    P5 Must "The type `Event` must only be used if no other type fits.",
    T1 Must "A time must have milliseconds and be in UTC.",
    T2 Must "A duration must be in ISO 8601 format.",
    N1 Must "An id must be an IRI, a URN or a blank node.",
    N2 Must "An entity must have `id` and `type`; a selector must have `type`, `start` and `end`.",
    N3 Must "The type of an entity must be a term of Caliper.",
    N4 Must "A value must be of the type of its property.",
    N5 Must "A nested entity must be of a type that its property allows.",
    N6 Must "Unknown properties of an entity must be in `extensions`.",
    N7 Must "Roles and status must be terms of Caliper.",
    N7s Should "A sub-role should come with its core role.",
    N8 Should "Empty values should be left out.",
    N9 Should "The type of an entity should not be deprecated.",
    N10 Must "One id must not name entities of unrelated types.",
    X1 Sense "The member should be the actor.",
    X2 Sense "The organization of the membership should be the group.",
    X3 Sense "An event with a membership should have a group.",
    X4 Sense "A membership should have roles.",
    X5 Sense "The event time should be before the send time.",
}

impl Level {
    /// Returns the stable name of the level.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::Sense => "sense",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, level) = (self.rule.code(), self.rule.level().code());
        write!(f, "{code} ({level}): {}", self.detail)
    }
}
