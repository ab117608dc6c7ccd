//! A campus: what there is, and what changes next.

use std::collections::VecDeque;

use easel_triggers::Change;
use jiff::Timestamp;

use crate::act::Planned;
use crate::calendar::Calendar;
use crate::chance::Chance;
use crate::options::Options;

/// A campus: what there is, and what changes next.
///
/// It is an iterator of changes, in the order of time, that ends with the term.
#[derive(Debug)]
pub struct Campus {
    pub(crate) options: Options,
    pub(crate) chance: Chance,
    pub(crate) calendar: Calendar,
    last_id: u64,
    pub(crate) accounts: Vec<Account>,
    pub(crate) users: Vec<User>,
    pub(crate) courses: Vec<Course>,
    pub(crate) outcomes: Outcomes,
    /// The next day to be planned; none before the term was opened.
    next_day: Option<u32>,
    /// What is done on the day, in order.
    acts: VecDeque<Planned>,
    /// What changes by the acts that were done already.
    changes: VecDeque<Change>,
}

/// An account. The first of a campus is the root account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
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
    pub(crate) lti_id: String,
    pub(crate) syllabus: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) section: u64,
    pub(crate) section_name: String,
    pub(crate) folder: u64,
    pub(crate) assignment_group: u64,
    pub(crate) teacher: usize,
    pub(crate) members: Vec<Member>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) pages: Vec<Page>,
    pub(crate) files: Vec<File>,
    pub(crate) topic: u64,
    pub(crate) topic_title: String,
    pub(crate) module: u64,
    pub(crate) module_name: String,
    pub(crate) quiz: u64,
    pub(crate) quiz_title: String,
    /// The day on which the quiz is due.
    pub(crate) quiz_day: u32,
    pub(crate) group_category: u64,
    pub(crate) groups: Vec<Group>,
    pub(crate) outcome_link: u64,
}

/// A member of a course.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// By place.
    pub(crate) user: usize,
    pub(crate) enrollment: u64,
    pub(crate) role: Role,
    pub(crate) has_left: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) score: u64,
    pub(crate) score_now: Option<f64>,
    /// Points they have, of those that were graded.
    pub(crate) points: f64,
    pub(crate) points_possible: f64,
    pub(crate) result: Option<u64>,
}

/// What a member of a course is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Student,
    Teacher,
    Ta,
    Observer,
}

#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) description: String,
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
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub(crate) id: u64,
    pub(crate) attempt: u32,
    pub(crate) body: Option<String>,
    pub(crate) submitted_at: Option<Timestamp>,
    pub(crate) updated_at: Timestamp,
    pub(crate) score: Option<f64>,
    pub(crate) graded_at: Option<Timestamp>,
    pub(crate) grader: Option<u64>,
    pub(crate) state: &'static str,
    pub(crate) assessment: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) body: String,
}

#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) id: u64,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) uuid: String,
    /// The first of its members: their user, by place, and their membership.
    pub(crate) first: Option<(usize, u64)>,
}

/// What is learned anywhere on campus.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) group: u64,
    pub(crate) group_title: String,
    pub(crate) proficiency: u64,
}

impl Campus {
    /// A campus on the eve of its term.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            chance: Chance::new(options.seed),
            calendar: Calendar::new(options.begins),
            last_id: 0,
            accounts: Vec::new(),
            users: Vec::new(),
            courses: Vec::new(),
            outcomes: Outcomes::default(),
            next_day: None,
            acts: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }

    /// The next id, local to the shard.
    pub(crate) const fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Notes that something changes.
    pub(crate) fn tell(&mut self, change: Change) {
        self.changes.push_back(change);
    }

    /// Plans what is done on a day.
    fn begin_day(&mut self, day: u32) {
        let mut acts = self.plan(day);
        acts.sort_unstable();
        self.acts = acts.into();
    }
}

impl Iterator for Campus {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Some(change);
            }
            if let Some(Planned { at, act }) = self.acts.pop_front() {
                self.act(at, act);
                continue;
            }
            match self.next_day {
                None => {
                    self.open();
                    self.next_day = Some(0);
                }
                Some(day) if day < self.options.days => {
                    self.begin_day(day);
                    self.next_day = Some(day + 1);
                }
                Some(_) => return None,
            }
        }
    }
}

impl Role {
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
