//! A campus: what there is, and what changes next.

use std::collections::{BTreeMap, VecDeque};

use easel_triggers::Change;
use jiff::Timestamp;

use crate::action::Planned;
use crate::calendar::Calendar;
use crate::options::TermOptions;
use crate::registry::Registry;
use crate::rng::Rng;
use crate::setup::Setup;

/// A campus: what there is, and what changes next.
///
/// It is an iterator of changes, in the order of time, that ends with the term.
#[derive(Debug)]
pub struct Campus {
    pub(crate) options: TermOptions,
    pub(crate) chance: Rng,
    pub(crate) calendar: Calendar,
    last_id: u64,
    pub(crate) accounts: Vec<CampusAccount>,
    pub(crate) users: Vec<User>,
    pub(crate) courses: Vec<Course>,
    pub(crate) outcomes: Outcomes,
    pub(crate) registry: Registry,
    /// What is still to be opened; none once the term has begun.
    opening: Option<Setup>,
    /// The next day to be planned.
    next_day: u32,
    /// What is done on the day, in order.
    acts: VecDeque<Planned>,
    /// What changes by the acts that were done already, by its time and number: some of it later than
    /// what is done next.
    changes: BTreeMap<(Timestamp, u64), Change>,
    change_count: u64,
}

/// An account. The first of a campus is the root account.
#[derive(Clone, Debug)]
pub(crate) struct CampusAccount {
    pub(crate) id: u64,
    pub(crate) uuid: String,
}

/// Somebody.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) login: String,
    pub(crate) sis_id: String,
    pub(crate) uuid: String,
    pub(crate) lti_id: String,
    /// Their session, while they are logged in.
    pub(crate) session: Option<String>,
    pub(crate) agent: &'static str,
    pub(crate) address: String,
    /// The courses they are in.
    pub(crate) courses: Vec<usize>,
}

/// A course, and all that is in it.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) id: u64,
    /// Its account, by place.
    pub(crate) account: usize,
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) sis_id: String,
    pub(crate) section: u64,
    pub(crate) folder: u64,
    pub(crate) assignment_group: u64,
    pub(crate) teacher: usize,
    pub(crate) members: Vec<CourseMember>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) pages: Vec<WikiPage>,
    pub(crate) files: Vec<CourseFile>,
    pub(crate) topic: u64,
    pub(crate) topic_title: String,
    pub(crate) module: u64,
    pub(crate) quiz: u64,
    /// The day on which the quiz is due.
    pub(crate) quiz_day: u32,
    pub(crate) group_category: u64,
    pub(crate) groups: Vec<Group>,
    pub(crate) outcome_link: u64,
}

/// A member of a course.
#[derive(Clone, Debug)]
pub(crate) struct CourseMember {
    /// By place.
    pub(crate) user: usize,
    pub(crate) enrollment: u64,
    pub(crate) role: CourseRole,
    pub(crate) has_left: bool,
    pub(crate) score: u64,
    /// Points they have, of those that were graded.
    pub(crate) points: f64,
    pub(crate) points_possible: f64,
    pub(crate) result: Option<u64>,
    /// Requirements of the module that they have met.
    pub(crate) requirements_met: u32,
}

/// What a member of a course is in it.
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
    /// The day on which it is due.
    pub(crate) due_day: u32,
    /// By member.
    pub(crate) submissions: Vec<Option<Submission>>,
    /// An override of it, once there is one.
    pub(crate) override_id: Option<u64>,
}

/// What somebody handed in.
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
    /// Its name in addresses, which stays.
    pub(crate) filename: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The membership of the first of its members.
    pub(crate) first: Option<u64>,
}

/// What is learned anywhere on campus.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) id: u64,
    pub(crate) group: u64,
    pub(crate) proficiency: u64,
    pub(crate) ratings: [u64; 2],
}

impl Campus {
    /// A campus on the eve of its term.
    pub fn new(options: TermOptions) -> Self {
        Self {
            options,
            chance: Rng::new(options.seed),
            calendar: Calendar::new(options.begins),
            last_id: 0,
            accounts: Vec::new(),
            users: Vec::new(),
            courses: Vec::new(),
            outcomes: Outcomes::default(),
            registry: Registry::default(),
            opening: Some(Setup::default()),
            next_day: 0,
            acts: VecDeque::new(),
            changes: BTreeMap::new(),
            change_count: 0,
        }
    }

    /// The next id, local to the shard.
    pub(crate) const fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Notes that something changes.
    pub(crate) fn tell(&mut self, at: Timestamp, change: Change) {
        self.changes.insert((at, self.change_count), change);
        self.change_count += 1;
    }

    /// The first of what changed, unless something is still to be done that changes more before.
    fn told(&mut self, until: Option<Timestamp>) -> Option<Change> {
        let first = self.changes.first_entry()?;
        let (at, _) = first.key();
        until
            .is_none_or(|until| *at <= until)
            .then(|| first.remove())
    }

    /// Plans what is done on the next day, among what goes on from the one before.
    fn begin_day(&mut self) {
        let acts = self.plan(self.next_day);
        self.acts.extend(acts);
        self.acts.make_contiguous().sort_unstable();
        self.next_day += 1;
    }

    /// When the next day begins, if there is one.
    fn next_midnight(&self) -> Option<Timestamp> {
        let is_there = self.next_day < self.options.days;
        is_there.then(|| self.calendar.at(self.next_day, 0))
    }
}

impl Iterator for Campus {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            let next_act = self.acts.front().map(|it| it.at);
            let midnight = self.next_midnight();
            // What changes is told up to what is opened, done or planned next.
            let next = [next_act, midnight].into_iter().flatten().min();
            let until = if self.opening.is_some() {
                Some(self.options.begins)
            } else {
                next
            };
            if let Some(change) = self.told(until) {
                return Some(change);
            }
            if let Some(opening) = self.opening.take() {
                self.opening = self.open(opening);
            } else if midnight.is_some() && midnight == next {
                self.begin_day();
            } else {
                let Planned { at, act } = self.acts.pop_front()?;
                self.act(at, act);
            }
        }
    }
}

impl Course {
    /// A member who did not leave.
    pub(crate) fn there(&self, member: usize) -> Option<&CourseMember> {
        self.members.get(member).filter(|it| !it.has_left)
    }
}

impl CourseRole {
    /// Its name, as Canvas has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Student => "StudentEnrollment",
            Self::Teacher => "TeacherEnrollment",
            Self::Ta => "TaEnrollment",
            Self::Observer => "ObserverEnrollment",
        }
    }
}
