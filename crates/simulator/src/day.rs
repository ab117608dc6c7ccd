//! What is done on a day.

use jiff::Timestamp;

use crate::action::{Action, Edit, Planned};
use crate::calendar::later;
use crate::campus::{Campus, CourseRole};

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
                act: Action::Import,
            });
        }
        acts
    }

    /// Somebody logs in, opens this and that, and perhaps logs out.
    fn plan_session(&mut self, day: u32, user: usize, acts: &mut Vec<Planned>) {
        let mut at = self.calendar.awake(day, &mut self.chance);
        let mut plan = |at, act| acts.push(Planned { at, act });
        plan(at, Action::LogIn { user });
        let courses = self.users.get(user).map_or(&[][..], |it| &it.courses);
        for _ in 0..self.chance.between(1, 6) {
            let Some(&course) = self.chance.one_of(courses) else {
                break;
            };
            at = later(at, self.chance.between(5, 400));
            plan(at, Action::Open { user, course });
            if self.chance.percent(2) {
                at = later(at, self.chance.between(20, 200));
                plan(at, Action::Write { user, course });
            }
        }
        if self.chance.percent(60) {
            plan(
                later(at, self.chance.between(5, 400)),
                Action::LogOut { user },
            );
        }
    }

    fn plan_course(&mut self, day: u32, course: usize, acts: &mut Vec<Planned>) {
        let Some(of) = self.courses.get(course) else {
            return;
        };
        let (calendar, chance) = (self.calendar, &mut self.chance);
        let mut plan = |at: Timestamp, act: Action| acts.push(Planned { at, act });
        let is_last_day = day + 1 == self.options.days;
        for (member, it) in of.members.iter().enumerate() {
            if it.role != CourseRole::Student || it.has_left {
                continue;
            }
            for (assignment, work) in of.assignments.iter().enumerate() {
                let hand_in = Action::HandIn {
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
                    let grade = Action::Grade {
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
                    Action::TakeQuiz { course, member },
                );
            }
            if chance.percent(3) {
                plan(calendar.awake(day, chance), Action::Post { course, member });
            }
            if chance.percent(2) {
                plan(
                    calendar.awake(day, chance),
                    Action::Progress { course, member },
                );
            }
            if is_last_day && chance.percent(5) {
                plan(
                    calendar.at_work(day, chance),
                    Action::Override { course, member },
                );
            }
            if chance.below(1500) == 0 {
                plan(
                    calendar.at_work(day, chance),
                    Action::Leave { course, member },
                );
            }
        }
        if calendar.is_weekend(day) {
            return;
        }
        // Each course goes through all that can be changed, every one beginning elsewhere.
        let first = (day as usize * EDITS_A_DAY + course * 5) % Edit::ALL.len();
        for edit in Edit::ALL.iter().cycle().skip(first).take(EDITS_A_DAY) {
            let edit = *edit;
            plan(calendar.at_work(day, chance), Action::Edit { course, edit });
        }
    }

    /// Does something.
    pub(crate) fn act(&mut self, at: Timestamp, act: Action) {
        match act {
            Action::LogIn { user } => self.log_in(at, user),
            Action::LogOut { user } => self.log_out(at, user),
            Action::Open { user, course } => self.open_asset(at, user, course),
            Action::HandIn {
                course,
                assignment,
                member,
            } => self.hand_in(at, (course, assignment, member)),
            Action::TakeQuiz { course, member } => self.take_quiz(at, course, member),
            Action::Post { course, member } => self.post(at, course, member),
            Action::Write { user, course } => self.write_to_teacher(at, user, course),
            Action::Progress { course, member } => self.progress(at, course, member),
            Action::Grade {
                course,
                assignment,
                member,
            } => self.grade(at, (course, assignment, member)),
            Action::Override { course, member } => self.override_grade(at, course, member),
            Action::Edit { course, edit } => self.edit(at, course, edit),
            Action::Leave { course, member } => self.leave(at, course, member),
            Action::Import => self.import(at),
        }
    }
}
