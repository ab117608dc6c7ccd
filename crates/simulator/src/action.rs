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
    OpenAsset {
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
    PostEntry {
        course: usize,
        member: usize,
    },
    WriteToTeacher {
        user: usize,
        course: usize,
    },
    MeetRequirement {
        course: usize,
        member: usize,
    },
    Grade {
        course: usize,
        assignment: usize,
        member: usize,
    },
    OverrideGrade {
        course: usize,
        member: usize,
    },
    Edit {
        course: usize,
        edit: Edit,
    },
    LeaveCourse {
        course: usize,
        member: usize,
    },
    ImportFromSis,
}

/// An edit of a course by a teacher or an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edit {
    Assignment,
    AssignmentGroup,
    Course,
    Enrollment,
    NewFile,
    FileName,
    FileRemoval,
    Group,
    GroupMemberRemoval,
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
        Self::NewFile,
        Self::FileName,
        Self::FileRemoval,
        Self::Group,
        Self::GroupMemberRemoval,
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
pub(crate) struct PlannedAction {
    pub(crate) at: Timestamp,
    pub(crate) action: Action,
}
