//! Edits of courses and enrollments.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::action::Edit;
use crate::calendar::{later, to_column};
use crate::campus::{Campus, CourseRole};
use crate::context::Actor;
use crate::coursework::{related_category, related_to_membership};
use crate::people;
use crate::rows::ratings;
use crate::setup::{ADMINISTRATOR, related_to_enrollment};

/// The time and the actor of a change.
type When = (Timestamp, Actor);

impl Campus {
    /// Lets the teacher or the administrator edit a course.
    pub(crate) fn edit(&mut self, at: Timestamp, course_index: usize, edit: Edit) {
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let (section, group, module) = (
            course.section_id,
            course.assignment_group_id,
            course.module_id,
        );
        let (topic, quiz, link) = (course.topic_id, course.quiz_id, course.outcome_link_id);
        let when = (at, Actor::User(course.teacher, Some(course_index)));
        let related = [self.related_course(course)];
        let title = people::title(&mut self.rng);
        match edit {
            Edit::Assignment | Edit::Points => self.edit_assignment(when, course_index, edit),
            Edit::Override => self.edit_override(when, course_index),
            Edit::Enrollment => self.edit_enrollment(when, course_index),
            Edit::NewFile => self.new_file(when, course_index),
            Edit::FileName => self.rename_file(when, course_index),
            Edit::FileRemoval => self.remove_file(when, course_index),
            Edit::Page => self.edit_page(when, course_index),
            Edit::PageRemoval => self.remove_page(when, course_index),
            Edit::Syllabus | Edit::Course => self.edit_course(when, course_index, edit),
            Edit::Group => self.edit_group(when, course_index),
            Edit::GroupMemberRemoval => self.leave_group(when, course_index),
            Edit::Outcome | Edit::OutcomeGroup => self.edit_outcome(at, edit),
            Edit::OutcomeLink => {
                let position = self.rng.between(2, 90);
                let changed = json!({ "position": position });
                self.update_row(when, ("ContentTag", link), changed, &[]);
            }
            Edit::Section => self.retitle(when, ("CourseSection", section), "name", &title),
            Edit::AssignmentGroup => {
                self.retitle(when, ("AssignmentGroup", group), "name", &title);
            }
            Edit::Module => self.retitle(when, ("ContextModule", module), "name", &title),
            Edit::Topic => {
                self.retitle(when, ("DiscussionTopic", topic), "title", &title);
                if let Some(course) = self.courses.get_mut(course_index) {
                    course.topic_title = title;
                }
            }
            Edit::Quiz => {
                let changed = json!({ "title": title });
                self.update_row(when, ("Quizzes::Quiz", quiz), changed, &related);
            }
        }
    }

    /// Changes the title column of a row that has no related rows.
    fn retitle(&mut self, when: When, row: (&'static str, u64), column: &str, title: &str) {
        let mut changed = json!({});
        if let Value::Object(changed) = &mut changed {
            changed.insert(column.to_owned(), title.into());
        }
        self.update_row(when, row, changed, &[]);
    }

    fn edit_assignment(&mut self, when: When, course_index: usize, edit: Edit) {
        let text = people::paragraph(&mut self.rng, 20);
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let index = self.rng.below(course.assignments.len());
        let Some(assignment_data) = course.assignments.get_mut(index) else {
            return;
        };
        // Points must not change after a submission.
        let is_new = assignment_data.submissions.iter().all(Option::is_none);
        let changed = if edit == Edit::Points && is_new {
            assignment_data.points += 5.0;
            json!({ "points_possible": assignment_data.points })
        } else {
            json!({ "description": text })
        };
        let id = assignment_data.id;
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let related = [self.related_course(course), self.related_root_account()];
        self.update_row(when, ("Assignment", id), changed, &related);
    }

    /// Creates an override that moves the due date, for some students or for the section. If the assignment
    /// has an override already, moves the due date of this override.
    fn edit_override(&mut self, when: When, course_index: usize) {
        let id = self.new_id();
        let is_for_section = self.rng.chance(50);
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let index = self.rng.below(course.assignments.len());
        let Some(assignment_data) = course.assignments.get_mut(index) else {
            return;
        };
        let due = |days: u32| to_column(self.calendar.due_time(assignment_data.due_day + days));
        if let Some(existing) = assignment_data.override_id {
            let due = due(3);
            let changed = json!({ "due_at": due, "all_day_date": due.get(..10) });
            self.update_row(when, ("AssignmentOverride", existing), changed, &[]);
            return;
        }
        assignment_data.override_id = Some(id);
        let due = due(2);
        let columns = json!({
            "id": id,
            "assignment_id": assignment_data.id,
            "set_type": if is_for_section { "CourseSection" } else { "ADHOC" },
            "set_id": is_for_section.then_some(course.section_id),
            "due_at": due,
            "all_day": true,
            "all_day_date": due.get(..10),
            "lock_at": null,
            "unlock_at": null,
            "workflow_state": "active",
            "updated_at": to_column(when.0),
        });
        self.insert_row(when, "AssignmentOverride", columns, &[]);
    }

    /// Changes whether a student is limited to their section. A job updates the enrollment state.
    fn edit_enrollment(&mut self, when: When, course_index: usize) {
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let members = course.members.iter().enumerate();
        let students =
            members.filter(|(_, found)| found.role == CourseRole::Student && !found.has_left);
        let students: Vec<_> = students.map(|(member, _)| member).collect();
        let Some(member) = self.rng.choose(&students).copied() else {
            return;
        };
        let is_limited = self.rng.chance(50);
        let until = self.rng.between(150, 200);
        let until = self.calendar.at(u32::try_from(until).unwrap_or(180), 0);
        let changed = json!({ "limit_privileges_to_course_section": is_limited });
        let state = json!({ "state_valid_until": to_column(until) });
        self.change_enrollment(when, (course_index, member), changed, state);
    }

    /// Removes a student from a course.
    pub(crate) fn leave_course(&mut self, at: Timestamp, course_index: usize, member: usize) {
        let course = self.courses.get_mut(course_index);
        let course_member = course.and_then(|course| course.members.get_mut(member));
        let Some(course_member) = course_member.filter(|found| !found.has_left) else {
            return;
        };
        course_member.has_left = true;
        if let Some(user) = self.users.get_mut(course_member.user) {
            user.courses.retain(|index| *index != course_index);
        }
        let when = (at, Actor::User(ADMINISTRATOR, Some(course_index)));
        let changed = json!({ "workflow_state": "deleted" });
        let state = json!({ "state": "deleted", "restricted_access": true });
        self.change_enrollment(when, (course_index, member), changed, state);
    }

    /// Changes an enrollment. A job updates the enrollment state one second later.
    fn change_enrollment(
        &mut self,
        when: When,
        (course_index, member): (usize, usize),
        changed: Value,
        state: Value,
    ) {
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let Some(course_member) = course.members.get(member) else {
            return;
        };
        let Some(user) = self.users.get(course_member.user) else {
            return;
        };
        let (enrollment, related) = (
            course_member.enrollment_id,
            related_to_enrollment(course, user),
        );
        self.update_row(when, ("Enrollment", enrollment), changed, &related);
        let by = Actor::Job("EnrollmentState#ensure_current_state");
        let when = (later(when.0, 1), by);
        self.update_row(when, ("EnrollmentState", enrollment), state, &[]);
    }

    fn rename_file(&mut self, when: When, course_index: usize) {
        let name = people::file(&mut self.rng);
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let index = self.rng.below(course.files.len());
        let Some(file) = course.files.get_mut(index) else {
            return;
        };
        let (id, changed) = (file.id, json!({ "display_name": name }));
        file.name = name;
        self.update_row(when, ("Attachment", id), changed, &[]);
    }

    fn remove_file(&mut self, when: When, course_index: usize) {
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let index = self.rng.below(course.files.len());
        if index < course.files.len() {
            let id = course.files.remove(index).id;
            let changed = json!({ "file_state": "deleted" });
            self.update_row(when, ("Attachment", id), changed, &[]);
        }
    }

    fn edit_page(&mut self, when: When, course_index: usize) {
        let text = people::paragraph(&mut self.rng, 30);
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        match self.rng.choose(&course.pages).map(|page| page.id) {
            Some(id) => {
                let changed = json!({ "body": text });
                self.update_row(when, ("WikiPage", id), changed, &[]);
            }
            None => self.new_page(when, course_index),
        }
    }

    fn remove_page(&mut self, when: When, course_index: usize) {
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let index = self.rng.below(course.pages.len());
        if index < course.pages.len() {
            let id = course.pages.remove(index).id;
            // Canvas mostly marks a page as deleted instead of deleting its row.
            if self.rng.chance(90) {
                let changed = json!({ "workflow_state": "deleted" });
                self.update_row(when, ("WikiPage", id), changed, &[]);
            } else {
                self.delete_row(when, "WikiPage", id);
            }
        }
    }

    fn edit_course(&mut self, when: When, course_index: usize, edit: Edit) {
        let text = people::paragraph(&mut self.rng, 40);
        let is_public = self.rng.chance(50);
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let changed = match edit {
            Edit::Syllabus => json!({ "syllabus_body": text }),
            _ => json!({ "is_public": is_public }),
        };
        let (id, related) = (course.id, [self.related_account(course)]);
        self.update_row(when, ("Course", id), changed, &related);
    }

    fn edit_group(&mut self, when: When, course_index: usize) {
        let name = people::title(&mut self.rng);
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let index = self.rng.below(course.groups.len());
        let Some(group) = course.groups.get_mut(index) else {
            return;
        };
        let (id, changed) = (group.id, json!({ "name": name }));
        group.name = name;
        self.update_row(when, ("Group", id), changed, &[related_category()]);
    }

    /// Removes the first member of a group.
    fn leave_group(&mut self, when: When, course_index: usize) {
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let (index, category) = (
            self.rng.below(course.groups.len()),
            course.group_category_id,
        );
        let Some(group) = course.groups.get_mut(index) else {
            return;
        };
        let Some(membership) = group.first_membership_id.take() else {
            return;
        };
        let related = related_to_membership(group, category);
        let changed = json!({ "workflow_state": "deleted" });
        self.update_row(when, ("GroupMembership", membership), changed, &related);
    }

    fn edit_outcome(&mut self, at: Timestamp, edit: Edit) {
        let when = (at, Actor::User(ADMINISTRATOR, None));
        let text = people::paragraph(&mut self.rng, 12);
        let best_name = people::title(&mut self.rng);
        let related = [("account", self.root_account_row())];
        let outcome_ids = self.outcome_ids;
        let changed = json!({ "description": text });
        if edit == Edit::OutcomeGroup {
            let group = ("LearningOutcomeGroup", outcome_ids.group);
            self.update_row(when, group, changed, &related);
            return;
        }
        let outcome = ("LearningOutcome", outcome_ids.id);
        self.update_row(when, outcome, changed, &related);
        let changed = json!({ "outcome_proficiency_ratings": ratings(outcome_ids, &best_name) });
        let proficiency = ("OutcomeProficiency", outcome_ids.proficiency);
        self.update_row((later(at, 1), when.1), proficiency, changed, &[]);
    }

    /// Runs an import from a student information system: its row passes through all states.
    pub(crate) fn import_from_sis(&mut self, at: Timestamp) {
        let id = self.new_id();
        let by = Actor::Job("SisBatch#process");
        let columns =
            json!({ "id": id, "account_id": self.root_account_id(), "workflow_state": "created" });
        self.insert_row((at, by), "SisBatch", columns, &[]);
        for (state, seconds) in [("importing", 5), ("imported", 240)] {
            let changed = json!({ "workflow_state": state });
            let when = (later(at, seconds), by);
            self.update_row(when, ("SisBatch", id), changed, &[]);
        }
    }
}
