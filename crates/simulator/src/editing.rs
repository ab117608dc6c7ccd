//! What is changed in courses, and in who is in them.

use jiff::Timestamp;
use serde_json::json;

use crate::act::Edit;
use crate::calendar::{column, later};
use crate::campus::{Campus, Role};
use crate::context::By;
use crate::coursework::{
    assignment_group_row, membership_row, module_row, outcome_group_row, outcome_link_row,
    outcome_row, proficiency_row, quiz_row, topic_row,
};
use crate::opening::{ADMINISTRATOR, enrollment_related};
use crate::people;
use crate::rows::{
    enrollment_row, enrollment_state_row, file_row, group_row, merged, page_row, row,
};

impl Campus {
    /// The teacher, or whoever may, changes something in a course.
    pub(crate) fn edit(&mut self, at: Timestamp, place: usize, edit: Edit) {
        match edit {
            Edit::Assignment | Edit::Points => self.edit_assignment(at, place, edit),
            Edit::Override => self.edit_override(at, place),
            Edit::Enrollment => self.edit_enrollment(at, place),
            Edit::File | Edit::FileName | Edit::FileRemoval => self.edit_file(at, place, edit),
            Edit::Page | Edit::PageRemoval => self.edit_page(at, place, edit),
            Edit::Syllabus | Edit::Course | Edit::Section => self.edit_course(at, place, edit),
            Edit::Group | Edit::GroupMember => self.edit_group(at, place, edit),
            Edit::Outcome | Edit::OutcomeGroup | Edit::OutcomeLink => {
                self.edit_outcome(at, place, edit);
            }
            Edit::AssignmentGroup | Edit::Module | Edit::Quiz | Edit::Topic => {
                self.edit_title(at, place, edit);
            }
        }
    }

    fn by_teacher(&self, place: usize) -> By {
        let teacher = self
            .courses
            .get(place)
            .map_or(ADMINISTRATOR, |it| it.teacher);
        By::User(teacher, Some(place))
    }

    fn edit_assignment(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let text = people::paragraph(&mut self.chance, 20);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let which = self.chance.below(course.assignments.len());
        let Some(work) = course.assignments.get(which) else {
            return;
        };
        let before = self.assignment_row(course, work, course.created_at);
        let mut work = work.clone();
        match edit {
            // What was handed in already counts as it did.
            Edit::Points if work.submissions.iter().all(Option::is_none) => work.points += 5.0,
            _ => work.description = text,
        }
        let after = self.assignment_row(course, &work, at);
        let related = self.of_assignment(place);
        let by = self.by_teacher(place);
        let known = self
            .courses
            .get_mut(place)
            .and_then(|it| it.assignments.get_mut(which));
        if let Some(known) = known {
            *known = work;
        }
        self.updated((at, by), "Assignment", (before, after), &related);
    }

    /// Gives one student, or the section, more time; and more still where they have it.
    fn edit_override(&mut self, at: Timestamp, place: usize) {
        let id = self.new_id();
        let by = self.by_teacher(place);
        let is_of_section = self.chance.percent(50);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let which = self.chance.below(course.assignments.len());
        let Some(work) = course.assignments.get(which) else {
            return;
        };
        let known = work.override_id;
        let columns = |id: u64, days: u32, at: Timestamp| {
            let due = self.calendar.due(work.due_day + days);
            json!({
                "id": id,
                "assignment_id": work.id,
                "set_type": if is_of_section { "CourseSection" } else { "ADHOC" },
                "set_id": is_of_section.then_some(course.section),
                "due_at": column(due),
                "all_day": true,
                "all_day_date": column(due).get(..10),
                "lock_at": null,
                "unlock_at": null,
                "workflow_state": "active",
                "updated_at": column(at),
            })
        };
        match known {
            Some(id) => {
                let rows = (columns(id, 2, course.created_at), columns(id, 3, at));
                self.updated((at, by), "AssignmentOverride", rows, &[]);
            }
            None => {
                let columns = columns(id, 2, at);
                self.inserted((at, by), "AssignmentOverride", columns, &[]);
            }
        }
        let work = self
            .courses
            .get_mut(place)
            .and_then(|it| it.assignments.get_mut(which));
        if let Some(work) = work {
            work.override_id = Some(known.unwrap_or(id));
        }
    }

    /// The state of an enrollment is worked out again after its section was looked at.
    fn edit_enrollment(&mut self, at: Timestamp, place: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let students: Vec<_> = course
            .members
            .iter()
            .filter(|it| it.role == Role::Student)
            .collect();
        let Some(member) = self.chance.one_of(&students) else {
            return;
        };
        let Some(user) = self.users.get(member.user) else {
            return;
        };
        let before = enrollment_row(course, member, user, member.created_at);
        let changed = json!({
            "limit_privileges_to_course_section": true,
            "updated_at": column(at),
        });
        let rows = (before.clone(), merged(before, changed));
        let related = enrollment_related(course, user);
        let state = enrollment_state_row(member, 1);
        let changed = json!({ "state_valid_until": column(self.calendar.at(180, 0)) });
        let states = (state.clone(), merged(state, changed));
        let by = self.by_teacher(place);
        self.updated((at, by), "Enrollment", rows, &related);
        let by = By::Job("EnrollmentState#ensure_current_state");
        self.updated((later(at, 1), by), "EnrollmentState", states, &[]);
    }

    /// A student leaves a course.
    pub(crate) fn leave(&mut self, at: Timestamp, place: usize, member: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(who) = course.members.get(member).filter(|it| !it.has_left) else {
            return;
        };
        let Some(user) = self.users.get(who.user) else {
            return;
        };
        let mut gone = who.clone();
        gone.has_left = true;
        let rows = (
            enrollment_row(course, who, user, who.created_at),
            enrollment_row(course, &gone, user, at),
        );
        let states = (enrollment_state_row(who, 1), enrollment_state_row(&gone, 2));
        let related = enrollment_related(course, user);
        let known = self
            .courses
            .get_mut(place)
            .and_then(|it| it.members.get_mut(member));
        if let Some(known) = known {
            *known = gone;
        }
        let by = By::User(ADMINISTRATOR, Some(place));
        self.updated((at, by), "Enrollment", rows, &related);
        let by = By::Job("EnrollmentState#ensure_current_state");
        self.updated((later(at, 1), by), "EnrollmentState", states, &[]);
    }

    fn edit_file(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let by = self.by_teacher(place);
        if edit == Edit::File {
            self.new_file(at, place, by);
            return;
        }
        let name = format!("{}.pdf", people::title(&mut self.chance));
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let which = self.chance.below(course.files.len());
        let Some(file) = course.files.get(which) else {
            return;
        };
        let owner = self.users.get(course.teacher).map_or(0, |it| it.id);
        let before = file_row(course, file, owner, ("available", course.created_at));
        if edit == Edit::FileRemoval {
            let after = file_row(course, file, owner, ("deleted", at));
            self.updated((at, by), "Attachment", (before, after), &[]);
            if let Some(course) = self.courses.get_mut(place) {
                course.files.remove(which);
            }
            return;
        }
        let mut file = file.clone();
        file.name = name;
        let after = file_row(course, &file, owner, ("available", at));
        let known = self
            .courses
            .get_mut(place)
            .and_then(|it| it.files.get_mut(which));
        if let Some(known) = known {
            *known = file;
        }
        self.updated((at, by), "Attachment", (before, after), &[]);
    }

    fn edit_page(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let by = self.by_teacher(place);
        let text = people::paragraph(&mut self.chance, 30);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let created_at = course.created_at;
        let which = self.chance.below(course.pages.len());
        let Some(page) = course.pages.get(which) else {
            self.new_page(at, place, by);
            return;
        };
        let before = page_row(page, created_at);
        if edit == Edit::PageRemoval {
            self.deleted((at, by), "WikiPage", before, &[]);
            if let Some(course) = self.courses.get_mut(place) {
                course.pages.remove(which);
            }
            return;
        }
        let mut page = page.clone();
        page.body = text;
        let after = page_row(&page, at);
        let known = self
            .courses
            .get_mut(place)
            .and_then(|it| it.pages.get_mut(which));
        if let Some(known) = known {
            *known = page;
        }
        self.updated((at, by), "WikiPage", (before, after), &[]);
    }

    fn edit_course(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let text = people::paragraph(&mut self.chance, 40);
        let by = self.by_teacher(place);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        if edit == Edit::Section {
            let before = self.section_row(course);
            let changed = json!({ "name": format!("{} B", course.name) });
            let rows = (before.clone(), merged(before, changed));
            self.updated((at, by), "CourseSection", rows, &[]);
            return;
        }
        let mut after = course.clone();
        after.updated_at = at;
        match edit {
            Edit::Syllabus => after.syllabus = Some(text),
            _ => after.name = format!("{}, spring", course.name.trim_end_matches(", spring")),
        }
        let mut rows = (self.course_row(course), self.course_row(&after));
        if after.name == course.name && edit != Edit::Syllabus {
            rows.1 = merged(rows.1, json!({ "is_public": true }));
        }
        let related = [("account", self.account_of(course))];
        if let Some(known) = self.courses.get_mut(place) {
            *known = after;
        }
        self.updated((at, by), "Course", rows, &related);
    }

    fn edit_group(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let by = self.by_teacher(place);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let which = self.chance.below(course.groups.len());
        let Some(group) = course.groups.get(which) else {
            return;
        };
        let account = self.accounts.get(course.account).map(|it| it.id);
        if edit == Edit::Group {
            let mut after = group.clone();
            after.name = format!("{} plus", group.name);
            let rows = (
                group_row(course, group, account),
                group_row(course, &after, account),
            );
            let related = [("group_category", row(json!({ "name": "Projects" })))];
            if let Some(known) = self
                .courses
                .get_mut(place)
                .and_then(|it| it.groups.get_mut(which))
            {
                *known = after;
            }
            self.updated((at, by), "Group", rows, &related);
            return;
        }
        let Some((user, membership)) = group.first else {
            return;
        };
        let user = self.users.get(user).map(|it| it.id);
        let (before, related) = membership_row(membership, group, user, course.group_category);
        let after = merged(before.clone(), json!({ "workflow_state": "deleted" }));
        if let Some(known) = self
            .courses
            .get_mut(place)
            .and_then(|it| it.groups.get_mut(which))
        {
            known.first = None;
        }
        self.updated((at, by), "GroupMembership", (before, after), &related);
    }

    fn edit_outcome(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let account = self.accounts.first().map(|it| it.id);
        let begins = self.calendar.at(0, 0);
        let related = [("account", self.root_account())];
        let by = By::User(ADMINISTRATOR, None);
        let changed = json!({ "description": people::paragraph(&mut self.chance, 12), "updated_at": column(at) });
        match edit {
            Edit::OutcomeLink => {
                let Some(course) = self.courses.get(place) else {
                    return;
                };
                let before = outcome_link_row(course, &self.outcomes, begins);
                let changed =
                    json!({ "position": self.chance.between(2, 90), "updated_at": column(at) });
                let rows = (before.clone(), merged(before, changed));
                let by = self.by_teacher(place);
                self.updated((at, by), "ContentTag", rows, &[]);
            }
            Edit::OutcomeGroup => {
                let before = outcome_group_row(&self.outcomes, account, begins);
                let rows = (before.clone(), merged(before, changed));
                self.updated((at, by), "LearningOutcomeGroup", rows, &related);
            }
            _ => {
                let before = outcome_row(&self.outcomes, account, begins);
                let rows = (before.clone(), merged(before, changed));
                self.updated((at, by), "LearningOutcome", rows, &related);
                let rows = (
                    proficiency_row(&self.outcomes, account, "Mastered", begins),
                    proficiency_row(&self.outcomes, account, "Mastered well", at),
                );
                self.updated((later(at, 1), by), "OutcomeProficiency", rows, &[]);
            }
        }
    }

    /// Changes what something that has little else is called.
    fn edit_title(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let title = people::title(&mut self.chance);
        let by = self.by_teacher(place);
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let (id, begins) = (course.id, course.created_at);
        let of_course = row(json!({ "uuid": course.uuid }));
        match edit {
            Edit::AssignmentGroup => {
                let group = course.assignment_group;
                let rows = (
                    assignment_group_row(group, id, "Assignments"),
                    assignment_group_row(group, id, &title),
                );
                self.updated((at, by), "AssignmentGroup", rows, &[]);
            }
            Edit::Module => {
                let before = std::mem::replace(&mut course.module_name, title.clone());
                let module = course.module;
                let rows = (
                    module_row(module, id, &before),
                    module_row(module, id, &title),
                );
                self.updated((at, by), "ContextModule", rows, &[]);
            }
            Edit::Topic => {
                let before = std::mem::replace(&mut course.topic_title, title.clone());
                let topic = course.topic;
                let rows = (
                    topic_row(topic, id, &before, begins),
                    topic_row(topic, id, &title, at),
                );
                self.updated((at, by), "DiscussionTopic", rows, &[]);
            }
            _ => {
                let before = std::mem::replace(&mut course.quiz_title, title.clone());
                let (quiz, due) = (course.quiz, self.calendar.due(course.quiz_day));
                let rows = (
                    quiz_row(quiz, id, &before, due, begins),
                    quiz_row(quiz, id, &title, due, at),
                );
                self.updated((at, by), "Quizzes::Quiz", rows, &[("course", of_course)]);
            }
        }
    }

    /// An import from a student information system runs through its states.
    pub(crate) fn import(&mut self, at: Timestamp) {
        let id = self.new_id();
        let account = self.accounts.first().map(|it| it.id);
        let columns =
            |state: &str| json!({ "id": id, "account_id": account, "workflow_state": state });
        let by = By::Job("SisBatch#process");
        self.inserted((at, by), "SisBatch", columns("created"), &[]);
        for (before, after, seconds) in
            [("created", "importing", 5), ("importing", "imported", 240)]
        {
            let rows = (columns(before), columns(after));
            self.updated((later(at, seconds), by), "SisBatch", rows, &[]);
        }
    }
}
