//! Plans and performs the actions of a day.

use jiff::Timestamp;

use crate::action::{Action, Edit, PlannedAction};
use crate::calendar::later;
use crate::campus::{Campus, CourseRole};

/// Days between the due day of an assignment and its grading. A weekend makes this longer.
const GRADED_AFTER: u32 = 2;
/// Edits per course and working day.
const EDITS_A_DAY: usize = 3;

impl Campus {
    /// Plans the actions of a day, unordered.
    pub(crate) fn plan(&mut self, day: u32) -> Vec<PlannedAction> {
        let mut actions = Vec::new();
        let is_weekend = self.calendar.is_weekend(day);
        for user in 0..self.users.len() {
            if self.rng.chance(if is_weekend { 30 } else { 60 }) {
                self.plan_session(day, user, &mut actions);
            }
        }
        for course in 0..self.courses.len() {
            self.plan_course(day, course, &mut actions);
        }
        if day.is_multiple_of(7) {
            let at = self.calendar.at(day, 2 * 3600);
            actions.push(PlannedAction {
                at,
                action: Action::ImportFromSis,
            });
        }
        actions
    }

    /// Plans a session: a user logs in, opens some assets and perhaps logs out.
    fn plan_session(&mut self, day: u32, user: usize, actions: &mut Vec<PlannedAction>) {
        let mut at = self.calendar.waking_time(day, &mut self.rng);
        let mut plan = |at, action| actions.push(PlannedAction { at, action });
        plan(at, Action::LogIn { user });
        let courses = self
            .users
            .get(user)
            .map_or(&[][..], |person| &person.courses);
        for _ in 0..self.rng.between(1, 6) {
            let Some(&course) = self.rng.choose(courses) else {
                break;
            };
            at = later(at, self.rng.between(5, 400));
            plan(at, Action::OpenAsset { user, course });
            if self.rng.chance(2) {
                at = later(at, self.rng.between(20, 200));
                plan(at, Action::WriteToTeacher { user, course });
            }
        }
        if self.rng.chance(60) {
            plan(later(at, self.rng.between(5, 400)), Action::LogOut { user });
        }
    }

    fn plan_course(&mut self, day: u32, course: usize, actions: &mut Vec<PlannedAction>) {
        let Some(course_data) = self.courses.get(course) else {
            return;
        };
        let (calendar, rng) = (self.calendar, &mut self.rng);
        let mut plan = |at: Timestamp, action: Action| actions.push(PlannedAction { at, action });
        let is_last_day = day + 1 == self.options.days;
        for (member, course_member) in course_data.members.iter().enumerate() {
            if course_member.role != CourseRole::Student || course_member.has_left {
                continue;
            }
            for (assignment, assignment_data) in course_data.assignments.iter().enumerate() {
                let submit = Action::Submit {
                    course,
                    assignment,
                    member,
                };
                if assignment_data.due_day == day && rng.chance(90) {
                    let at = calendar.time_before_due(day, rng);
                    plan(at, submit);
                    if rng.chance(8) {
                        plan(later(at, rng.between(60, 3600)), submit);
                    }
                } else if calendar.working_day(assignment_data.due_day + GRADED_AFTER) == day {
                    let grade = Action::Grade {
                        course,
                        assignment,
                        member,
                    };
                    plan(calendar.working_time(day, rng), grade);
                }
            }
            if course_data.quiz_day == day && rng.chance(90) {
                plan(
                    calendar.time_before_due(day, rng),
                    Action::TakeQuiz { course, member },
                );
            }
            if rng.chance(3) {
                plan(
                    calendar.waking_time(day, rng),
                    Action::PostEntry { course, member },
                );
            }
            if rng.chance(2) {
                plan(
                    calendar.waking_time(day, rng),
                    Action::MeetRequirement { course, member },
                );
            }
            if is_last_day && rng.chance(5) {
                plan(
                    calendar.working_time(day, rng),
                    Action::OverrideGrade { course, member },
                );
            }
            if rng.below(1500) == 0 {
                plan(
                    calendar.working_time(day, rng),
                    Action::LeaveCourse { course, member },
                );
            }
        }
        if calendar.is_weekend(day) {
            return;
        }
        // Each course cycles through all edits. Every course starts with a different one.
        let first_edit = (day as usize * EDITS_A_DAY + course * 5) % Edit::ALL.len();
        for edit in Edit::ALL.iter().cycle().skip(first_edit).take(EDITS_A_DAY) {
            let edit = *edit;
            plan(
                calendar.working_time(day, rng),
                Action::Edit { course, edit },
            );
        }
    }

    /// Performs an action.
    pub(crate) fn perform(&mut self, at: Timestamp, action: Action) {
        match action {
            Action::LogIn { user } => self.log_in(at, user),
            Action::LogOut { user } => self.log_out(at, user),
            Action::OpenAsset { user, course } => self.open_asset(at, user, course),
            Action::Submit {
                course,
                assignment,
                member,
            } => self.submit(at, (course, assignment, member)),
            Action::TakeQuiz { course, member } => self.take_quiz(at, course, member),
            Action::PostEntry { course, member } => self.post(at, course, member),
            Action::WriteToTeacher { user, course } => self.write_to_teacher(at, user, course),
            Action::MeetRequirement { course, member } => self.meet_requirement(at, course, member),
            Action::Grade {
                course,
                assignment,
                member,
            } => self.grade(at, (course, assignment, member)),
            Action::OverrideGrade { course, member } => self.override_grade(at, course, member),
            Action::Edit { course, edit } => self.edit(at, course, edit),
            Action::LeaveCourse { course, member } => self.leave_course(at, course, member),
            Action::ImportFromSis => self.import_from_sis(at),
        }
    }
}
