//! The rules of Caliper 1.1 that a program can check, and what breaks them.

use std::fmt;

/// How much it means that a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// What breaks it does not conform.
    Must,
    /// It is best practice.
    Should,
    /// The standard does not say so, but hardly anything else makes sense.
    Sense,
}

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// The JSON pointer to what breaks it.
    pub path: String,
    /// What is wrong, in words.
    pub detail: String,
}

macro_rules! rules {
    ($($name:ident $level:ident $meaning:literal,)*) => {
        /// A rule of the standard, by the name it is known by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $meaning] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name, which does not change.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// How much it means that it is broken.
            pub const fn level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level,)*
                }
            }

            /// What it asks for.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

rules! {
    E1 Must "An envelope is an object.",
    E2 Must "An envelope has a sensor, a time of sending, a version of its data, and data.",
    E3 Must "An envelope has nothing else.",
    E4 Must "The sensor is a text.",
    E4s Should "The sensor is an IRI.",
    E5 Must "The time of sending has milliseconds and is in UTC.",
    E6 Must "The version of the data is that of Caliper 1.1.",
    E7 Must "The data is an array.",
    E8 Must "What is in the data is an object.",
    E9 Must "No key appears twice in an object.",
    C1 Must "An event, or an entity described by itself, has a context: a text or an array.",
    C2 Must "A context that is a text is that of Caliper 1.1.",
    C3 Must "A context that is an array ends with that of Caliper 1.1.",
    C4 Must "A context does not give terms of Caliper another meaning.",
    V1 Must "An event has id, type, actor, action, object and time.",
    V2 Must "The id of an event is a UUID as a URN.",
    V2s Should "That UUID is of version 4.",
    V3 Must "The type of an event is a term.",
    V4 Must "The action is a term.",
    V5 Must "The type of the event knows the action.",
    V5s Should "The action is not one that the type has given up.",
    V6 Must "An event has no properties that its type does not know; what else there is goes into extensions, an object.",
    V7 Must "The actor is of a type that the event allows.",
    V8 Must "The object is of a type that the event allows.",
    V8g Must "What was generated is of a type that the event allows.",
    V8t Must "The target is of a type that the event allows.",
    V8r Must "The referrer is of a type that the event allows.",
    V8p Must "The group is an organization.",
    V8m Must "The membership is one.",
    V8s Must "The session is one.",
    V8e Must "The application is a software application.",
    V9 Should "The type of an event is not one that is given up.",
    V10 Must "Who logs in or out is a person, and into or out of an application; what times out is a session, by an application.",
    P1 Should "A grade tells the score that came of it.",
    P2 Should "An assessment tells the attempt that came of it.",
    P3 Should "What is done about an assignable tells the attempt that came of it.",
    P4 Should "That attempt tells whose it is, at what, and which it is.",
    P4s Should "A session event tells the session.",
    P5 Must "The plain event is for what no other type is for.",
    T1 Must "A time has milliseconds and is in UTC.",
    T2 Must "A length of time is one of ISO 8601.",
    N1 Must "An id is an IRI, a URN, or a blank node.",
    N2 Must "An entity has id and type; a selector has type, start and end.",
    N3 Must "The type of an entity is a term.",
    N4 Must "A value is of the type that its property has.",
    N5 Must "An entity within an entity is of a type that its property allows.",
    N6 Must "An entity has no properties that its type does not know; what else there is goes into extensions.",
    N7 Must "Roles and status are terms.",
    N7s Should "A role within a role comes with that role.",
    N8 Should "What says nothing is left out.",
    N9 Should "The type of an entity is not one that is given up.",
    N10 Must "A name means one thing.",
    X1 Sense "The member is who acts.",
    X2 Sense "The organization of the membership is the group.",
    X3 Sense "A membership comes with the group.",
    X4 Sense "A membership has roles.",
    X5 Sense "What happened, happened before it was sent.",
}

impl Level {
    /// Its name, which does not change.
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
