//! The simulated campus: its state and the iterator over its changes.

use std::collections::{BTreeMap, VecDeque};

use easel_triggers::Change;
use jiff::Timestamp;

use crate::action::PlannedAction;
use crate::calendar::Calendar;
use crate::options::TermOptions;
use crate::registry::Registry;
use crate::rng::Rng;
use crate::setup_progress::SetupProgress;

/// A simulated campus.
///
/// It is an iterator over changes in the order of time, and ends with the term.
#[derive(Debug)]
pub struct Campus {
    pub(crate) options: TermOptions,
    pub(crate) rng: Rng,
    pub(crate) calendar: Calendar,
    last_id: u64,
    pub(crate) accounts: Vec<CampusAccount>,
    pub(crate) users: Vec<User>,
    pub(crate) courses: Vec<Course>,
    pub(crate) outcome_ids: OutcomeIds,
    pub(crate) registry: Registry,
    /// The state of the setup; `None` after the setup.
    setup: Option<SetupProgress>,
    /// The next day to plan.
    next_day: u32,
    /// The planned actions, in the order of time.
    actions: VecDeque<PlannedAction>,
    /// The changes of performed actions, by time and number. Some may be later than the next action.
    changes: BTreeMap<(Timestamp, u64), Change>,
    change_count: u64,
}

/// An account. The first of a campus is the root account.
#[derive(Clone, Debug)]
pub(crate) struct CampusAccount {
    pub(crate) id: u64,
    pub(crate) uuid: String,
}

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) login: String,
    pub(crate) sis_id: String,
    pub(crate) uuid: String,
    pub(crate) lti_id: String,
    /// The session, while the user is logged in.
    pub(crate) session: Option<String>,
    pub(crate) agent: &'static str,
    pub(crate) address: String,
    /// The indexes of the courses of the user.
    pub(crate) courses: Vec<usize>,
}

/// A course and its content.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) id: u64,
    /// The index of the account.
    pub(crate) account: usize,
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) sis_id: String,
    pub(crate) section_id: u64,
    pub(crate) folder_id: u64,
    pub(crate) assignment_group_id: u64,
    /// The index of the user who teaches.
    pub(crate) teacher: usize,
    pub(crate) members: Vec<CourseMember>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) pages: Vec<WikiPage>,
    pub(crate) files: Vec<CourseFile>,
    pub(crate) topic_id: u64,
    pub(crate) topic_title: String,
    pub(crate) module_id: u64,
    pub(crate) quiz_id: u64,
    /// The day on which the quiz is due.
    pub(crate) quiz_day: u32,
    pub(crate) group_category_id: u64,
    pub(crate) groups: Vec<Group>,
    pub(crate) outcome_link_id: u64,
}

/// A member of a course.
#[derive(Clone, Debug)]
pub(crate) struct CourseMember {
    /// The index of the user.
    pub(crate) user: usize,
    pub(crate) enrollment_id: u64,
    pub(crate) role: CourseRole,
    pub(crate) has_left: bool,
    pub(crate) score_id: u64,
    /// The points in graded assignments.
    pub(crate) points: f64,
    /// The possible points in graded assignments.
    pub(crate) points_possible: f64,
    pub(crate) result_id: Option<u64>,
    /// The number of met requirements of the module.
    pub(crate) requirements_met: u32,
}

/// The role of a course member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CourseRole {
    Student,
    Teacher,
    Ta,
    Observer,
}

#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) points: f64,
    pub(crate) lti_id: String,
    /// The day on which the assignment is due.
    pub(crate) due_day: u32,
    /// The latest submission of each member, by member index.
    pub(crate) submissions: Vec<Option<Submission>>,
    /// The id of the assignment's override, if there is one.
    pub(crate) override_id: Option<u64>,
}

/// The submission of a student.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submission {
    pub(crate) id: u64,
    pub(crate) attempt: u32,
    pub(crate) submitted_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct WikiPage {
    pub(crate) id: u64,
    pub(crate) title: String,
}

#[derive(Clone, Debug)]
pub(crate) struct CourseFile {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The name in URLs, which never changes.
    pub(crate) filename: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The id of the membership of the first member, until this member leaves.
    pub(crate) first_membership_id: Option<u64>,
}

/// The ids of the learning outcome of the campus and of the rows that belong to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutcomeIds {
    pub(crate) id: u64,
    pub(crate) group: u64,
    pub(crate) proficiency: u64,
    pub(crate) ratings: [u64; 2],
}

impl Campus {
    /// Creates a campus before its setup.
    pub fn new(options: TermOptions) -> Self {
        Self {
            options,
            rng: Rng::new(options.seed),
            calendar: Calendar::new(options.begins),
            last_id: 0,
            accounts: Vec::new(),
            users: Vec::new(),
            courses: Vec::new(),
            outcome_ids: OutcomeIds::default(),
            registry: Registry::default(),
            setup: Some(SetupProgress::default()),
            next_day: 0,
            actions: VecDeque::new(),
            changes: BTreeMap::new(),
            change_count: 0,
        }
    }

    /// Returns the next id, local to the shard.
    pub(crate) const fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Records a change.
    pub(crate) fn record(&mut self, at: Timestamp, change: Change) {
        self.changes.insert((at, self.change_count), change);
        self.change_count += 1;
    }

    /// Removes and returns the first change, unless it is later than `until`.
    fn pop_recorded(&mut self, until: Option<Timestamp>) -> Option<Change> {
        let first = self.changes.first_entry()?;
        let (at, _) = first.key();
        until
            .is_none_or(|until| *at <= until)
            .then(|| first.remove())
    }

    /// Plans the next day, and sorts its actions into the remaining actions.
    fn begin_day(&mut self) {
        let actions = self.plan(self.next_day);
        self.actions.extend(actions);
        self.actions.make_contiguous().sort_unstable();
        self.next_day += 1;
    }

    /// Returns the start of the next day, if there is one.
    fn next_midnight(&self) -> Option<Timestamp> {
        let has_next_day = self.next_day < self.options.days;
        has_next_day.then(|| self.calendar.at(self.next_day, 0))
    }
}

impl Iterator for Campus {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            let next_action = self.actions.front().map(|planned| planned.at);
            let midnight = self.next_midnight();
            // Return recorded changes up to the next step: setup, action or planning.
            let next = [next_action, midnight].into_iter().flatten().min();
            let until = if self.setup.is_some() {
                Some(self.options.begins)
            } else {
                next
            };
            if let Some(change) = self.pop_recorded(until) {
                return Some(change);
            }
            if let Some(setup) = self.setup.take() {
                self.setup = self.set_up(setup);
            } else if midnight.is_some() && midnight == next {
                self.begin_day();
            } else {
                let PlannedAction { at, action } = self.actions.pop_front()?;
                self.perform(at, action);
            }
        }
    }
}

impl Course {
    /// Returns a member who has not left.
    pub(crate) fn active_member(&self, member: usize) -> Option<&CourseMember> {
        self.members.get(member).filter(|found| !found.has_left)
    }
}

impl CourseRole {
    /// Returns the name of the role in Canvas.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Student => "StudentEnrollment",
            Self::Teacher => "TeacherEnrollment",
            Self::Ta => "TaEnrollment",
            Self::Observer => "ObserverEnrollment",
        }
    }
}
