//! The planned actions of people.

use jiff::Timestamp;

/// An action of a person or job. Its fields are indexes into the lists of the campus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    LogIn {
        user: usize,
    },
    LogOut {
        user: usize,
    },
    Open {
        user: usize,
        course: usize,
    },
    Submit {
        course: usize,
        assignment: usize,
        member: usize,
    },
    TakeQuiz {
        course: usize,
        member: usize,
    },
    Post {
        course: usize,
        member: usize,
    },
    Write {
        user: usize,
        course: usize,
    },
    Progress {
        course: usize,
        member: usize,
    },
    Grade {
        course: usize,
        assignment: usize,
        member: usize,
    },
    Override {
        course: usize,
        member: usize,
    },
    Edit {
        course: usize,
        edit: Edit,
    },
    Leave {
        course: usize,
        member: usize,
    },
    Import,
}

/// An edit of a course by a teacher or an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edit {
    Assignment,
    AssignmentGroup,
    Course,
    Enrollment,
    File,
    FileName,
    FileRemoval,
    Group,
    GroupMember,
    Module,
    Outcome,
    OutcomeGroup,
    OutcomeLink,
    Override,
    Page,
    PageRemoval,
    Points,
    Quiz,
    Section,
    Syllabus,
    Topic,
}

impl Edit {
    /// All edits.
    pub(crate) const ALL: [Self; 21] = [
        Self::Assignment,
        Self::AssignmentGroup,
        Self::Course,
        Self::Enrollment,
        Self::File,
        Self::FileName,
        Self::FileRemoval,
        Self::Group,
        Self::GroupMember,
        Self::Module,
        Self::Outcome,
        Self::OutcomeGroup,
        Self::OutcomeLink,
        Self::Override,
        Self::Page,
        Self::PageRemoval,
        Self::Points,
        Self::Quiz,
        Self::Section,
        Self::Syllabus,
        Self::Topic,
    ];
}

/// An action and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Planned {
    pub(crate) at: Timestamp,
    pub(crate) action: Action,
}
