//! What somebody does at some moment of a day.

use jiff::Timestamp;

/// What somebody does at some moment of a day. People, courses and what is in them are told by
/// their places in the campus.
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
    HandIn {
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

/// What a teacher changes in a course.
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
    /// Every one.
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

/// An act, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Planned {
    pub(crate) at: Timestamp,
    pub(crate) act: Action,
}
