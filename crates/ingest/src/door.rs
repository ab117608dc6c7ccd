//! The names of the doors.

/// A way in for events. Its name labels metrics and quarantined records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Native,
    Kinesis,
    Changes,
    /// Requests of hosted Canvas.
    Hook,
    /// Files.
    Import,
    /// Messages of a queue of Amazon SQS.
    Sqs,
    /// Events that are admitted from quarantine.
    Quarantine,
}

impl Door {
    /// All doors.
    pub(crate) const ALL: [Self; 7] = [
        Self::Native,
        Self::Kinesis,
        Self::Changes,
        Self::Hook,
        Self::Import,
        Self::Sqs,
        Self::Quarantine,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Kinesis => "kinesis",
            Self::Changes => "changes",
            Self::Hook => "hook",
            Self::Import => "import",
            Self::Sqs => "sqs",
            Self::Quarantine => "quarantine",
        }
    }
}
