//! What is done on a day.

use jiff::Timestamp;

use crate::act::{Act, Edit, Planned};
use crate::calendar::later;
use crate::campus::{Campus, Role};

/// Days after which something that was due is graded.
const GRADED_AFTER: u32 = 2;
/// Things that are changed in a course on a day.
const EDITS_A_DAY: usize = 3;

impl Campus {
    /// What is done on a day, in no order.
    pub(crate) fn plan(&mut self, day: u32) -> Vec<Planned> {
        let mut acts = Vec::new();
        let is_weekend = self.calendar.is_weekend(day);
        for user in 0..self.users.len() {
            if self.chance.percent(if is_weekend { 30 } else { 60 }) {
                self.plan_session(day, user, &mut acts);
            }
        }
        for course in 0..self.courses.len() {
            self.plan_course(day, course, &mut acts);
        }
        if day.is_multiple_of(7) {
            let at = self.calendar.at(day, 2 * 3600);
            acts.push(Planned {
                at,
                act: Act::Import,
            });
        }
        acts
    }

    /// Somebody logs in, opens this and that, and perhaps logs out.
    fn plan_session(&mut self, day: u32, user: usize, acts: &mut Vec<Planned>) {
        let mut at = self.calendar.awake(day, &mut self.chance);
        let mut plan = |at, act| acts.push(Planned { at, act });
        plan(at, Act::LogIn { user });
        let courses = self.users.get(user).map_or(&[][..], |it| &it.courses);
        for _ in 0..self.chance.between(1, 6) {
            let Some(&course) = self.chance.one_of(courses) else {
                break;
            };
            at = later(at, self.chance.between(5, 400));
            plan(at, Act::Open { user, course });
            if self.chance.percent(2) {
                at = later(at, self.chance.between(20, 200));
                plan(at, Act::Write { user, course });
            }
        }
        if self.chance.percent(60) {
            plan(later(at, self.chance.between(5, 400)), Act::LogOut { user });
        }
    }

    fn plan_course(&mut self, day: u32, course: usize, acts: &mut Vec<Planned>) {
        let Some(of) = self.courses.get(course) else {
            return;
        };
        let (calendar, chance) = (self.calendar, &mut self.chance);
        let mut plan = |at: Timestamp, act: Act| acts.push(Planned { at, act });
        let is_last_day = day + 1 == self.options.days;
        for (member, it) in of.members.iter().enumerate() {
            if it.role != Role::Student || it.has_left {
                continue;
            }
            for (assignment, work) in of.assignments.iter().enumerate() {
                let hand_in = Act::HandIn {
                    course,
                    assignment,
                    member,
                };
                if work.due_day == day && chance.percent(90) {
                    let at = calendar.before_due(day, chance);
                    plan(at, hand_in);
                    if chance.percent(8) {
                        plan(later(at, chance.between(60, 3600)), hand_in);
                    }
                } else if calendar.working_day(work.due_day + GRADED_AFTER) == day {
                    let grade = Act::Grade {
                        course,
                        assignment,
                        member,
                    };
                    plan(calendar.at_work(day, chance), grade);
                }
            }
            if of.quiz_day == day && chance.percent(90) {
                plan(
                    calendar.before_due(day, chance),
                    Act::TakeQuiz { course, member },
                );
            }
            if chance.percent(3) {
                plan(calendar.awake(day, chance), Act::Post { course, member });
            }
            if chance.percent(2) {
                plan(
                    calendar.awake(day, chance),
                    Act::Progress { course, member },
                );
            }
            if is_last_day && chance.percent(5) {
                plan(
                    calendar.at_work(day, chance),
                    Act::Override { course, member },
                );
            }
            if chance.below(1500) == 0 {
                plan(calendar.at_work(day, chance), Act::Leave { course, member });
            }
        }
        if calendar.is_weekend(day) {
            return;
        }
        // Each course goes through all that can be changed, every one beginning elsewhere.
        let first = (day as usize * EDITS_A_DAY + course * 5) % Edit::ALL.len();
        for edit in Edit::ALL.iter().cycle().skip(first).take(EDITS_A_DAY) {
            let edit = *edit;
            plan(calendar.at_work(day, chance), Act::Edit { course, edit });
        }
    }

    /// Does something.
    pub(crate) fn act(&mut self, at: Timestamp, act: Act) {
        match act {
            Act::LogIn { user } => self.log_in(at, user),
            Act::LogOut { user } => self.log_out(at, user),
            Act::Open { user, course } => self.open_asset(at, user, course),
            Act::HandIn {
                course,
                assignment,
                member,
            } => self.hand_in(at, (course, assignment, member)),
            Act::TakeQuiz { course, member } => self.take_quiz(at, course, member),
            Act::Post { course, member } => self.post(at, course, member),
            Act::Write { user, course } => self.write_to_teacher(at, user, course),
            Act::Progress { course, member } => self.progress(at, course, member),
            Act::Grade {
                course,
                assignment,
                member,
            } => self.grade(at, (course, assignment, member)),
            Act::Override { course, member } => self.override_grade(at, course, member),
            Act::Edit { course, edit } => self.edit(at, course, edit),
            Act::Leave { course, member } => self.leave(at, course, member),
            Act::Import => self.import(at),
        }
    }
}
