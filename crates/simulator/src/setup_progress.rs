//! The progress of the setup of a campus.

use std::ops::Range;

/// The next step of the setup, and the indexes of the users made so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetupProgress {
    pub(crate) step: SetupStep,
    pub(crate) teachers: Range<usize>,
    pub(crate) assistants: Range<usize>,
    pub(crate) observer: usize,
    pub(crate) students: Range<usize>,
}

/// The next step of the setup.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum SetupStep {
    #[default]
    Staff,
    Student(usize),
    Course(usize),
    Enrollments(usize),
    Groups(usize),
}
