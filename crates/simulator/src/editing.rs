//! What is changed in courses, and in who is in them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::action::Edit;
use crate::calendar::{column, later};
use crate::campus::{Campus, CourseRole};
use crate::context::Actor;
use crate::coursework::{of_category, of_membership};
use crate::people;
use crate::rows::ratings;
use crate::setup::{ADMINISTRATOR, of_enrollment};

/// Who and when.
type When = (Timestamp, Actor);

impl Campus {
    /// The teacher, or whoever may, changes something in a course.
    pub(crate) fn edit(&mut self, at: Timestamp, place: usize, edit: Edit) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (section, group, module) = (course.section, course.assignment_group, course.module);
        let (topic, quiz, link) = (course.topic, course.quiz, course.outcome_link);
        let when = (at, Actor::User(course.teacher, Some(place)));
        let of_course = [self.of_course(course)];
        let title = people::title(&mut self.chance);
        match edit {
            Edit::Assignment | Edit::Points => self.edit_assignment(when, place, edit),
            Edit::Override => self.edit_override(when, place),
            Edit::Enrollment => self.edit_enrollment(when, place),
            Edit::File => self.new_file(when, place),
            Edit::FileName => self.rename_file(when, place),
            Edit::FileRemoval => self.remove_file(when, place),
            Edit::Page => self.edit_page(when, place),
            Edit::PageRemoval => self.remove_page(when, place),
            Edit::Syllabus | Edit::Course => self.edit_course(when, place, edit),
            Edit::Group => self.edit_group(when, place),
            Edit::GroupMember => self.leave_group(when, place),
            Edit::Outcome | Edit::OutcomeGroup => self.edit_outcome(at, edit),
            Edit::OutcomeLink => {
                let position = self.chance.between(2, 90);
                let changed = json!({ "position": position });
                self.updated(when, ("ContentTag", link), changed, &[]);
            }
            Edit::Section => self.retitle(when, ("CourseSection", section), "name", &title),
            Edit::AssignmentGroup => {
                self.retitle(when, ("AssignmentGroup", group), "name", &title);
            }
            Edit::Module => self.retitle(when, ("ContextModule", module), "name", &title),
            Edit::Topic => {
                self.retitle(when, ("DiscussionTopic", topic), "title", &title);
                if let Some(course) = self.courses.get_mut(place) {
                    course.topic_title = title;
                }
            }
            Edit::Quiz => {
                let changed = json!({ "title": title });
                self.updated(when, ("Quizzes::Quiz", quiz), changed, &of_course);
            }
        }
    }

    /// Changes what something is called that is made of nothing else.
    fn retitle(&mut self, when: When, record: (&'static str, u64), column: &str, title: &str) {
        let mut changed = json!({});
        if let Value::Object(changed) = &mut changed {
            changed.insert(column.to_owned(), title.into());
        }
        self.updated(when, record, changed, &[]);
    }

    fn edit_assignment(&mut self, when: When, place: usize, edit: Edit) {
        let text = people::paragraph(&mut self.chance, 20);
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let which = self.chance.below(course.assignments.len());
        let Some(work) = course.assignments.get_mut(which) else {
            return;
        };
        // What was handed in already counts as it did.
        let is_new = work.submissions.iter().all(Option::is_none);
        let changed = if edit == Edit::Points && is_new {
            work.points += 5.0;
            json!({ "points_possible": work.points })
        } else {
            json!({ "description": text })
        };
        let id = work.id;
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let related = [self.of_course(course), self.of_root_account()];
        self.updated(when, ("Assignment", id), changed, &related);
    }

    /// Gives some students, or the section, more time; and more still where they have it.
    fn edit_override(&mut self, when: When, place: usize) {
        let id = self.new_id();
        let is_of_section = self.chance.percent(50);
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let which = self.chance.below(course.assignments.len());
        let Some(work) = course.assignments.get_mut(which) else {
            return;
        };
        let due = |days: u32| column(self.calendar.due(work.due_day + days));
        if let Some(known) = work.override_id {
            let due = due(3);
            let changed = json!({ "due_at": due, "all_day_date": due.get(..10) });
            self.updated(when, ("AssignmentOverride", known), changed, &[]);
            return;
        }
        work.override_id = Some(id);
        let due = due(2);
        let columns = json!({
            "id": id,
            "assignment_id": work.id,
            "set_type": if is_of_section { "CourseSection" } else { "ADHOC" },
            "set_id": is_of_section.then_some(course.section),
            "due_at": due,
            "all_day": true,
            "all_day_date": due.get(..10),
            "lock_at": null,
            "unlock_at": null,
            "workflow_state": "active",
            "updated_at": column(when.0),
        });
        self.inserted(when, "AssignmentOverride", columns, &[]);
    }

    /// A student is bound to their section, or no longer, and their state is worked out again.
    fn edit_enrollment(&mut self, when: When, place: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let members = course.members.iter().enumerate();
        let students = members.filter(|(_, it)| it.role == CourseRole::Student && !it.has_left);
        let students: Vec<_> = students.map(|(member, _)| member).collect();
        let Some(member) = self.chance.one_of(&students).copied() else {
            return;
        };
        let is_bound = self.chance.percent(50);
        let until = self.chance.between(150, 200);
        let until = self.calendar.at(u32::try_from(until).unwrap_or(180), 0);
        let changed = json!({ "limit_privileges_to_course_section": is_bound });
        let state = json!({ "state_valid_until": column(until) });
        self.change_enrollment(when, (place, member), changed, state);
    }

    /// A student leaves a course.
    pub(crate) fn leave(&mut self, at: Timestamp, place: usize, member: usize) {
        let course = self.courses.get_mut(place);
        let who = course.and_then(|it| it.members.get_mut(member));
        let Some(who) = who.filter(|it| !it.has_left) else {
            return;
        };
        who.has_left = true;
        if let Some(user) = self.users.get_mut(who.user) {
            user.courses.retain(|it| *it != place);
        }
        let when = (at, Actor::User(ADMINISTRATOR, Some(place)));
        let changed = json!({ "workflow_state": "deleted" });
        let state = json!({ "state": "deleted", "restricted_access": true });
        self.change_enrollment(when, (place, member), changed, state);
    }

    /// Changes an enrollment, and by a job that follows the state that is worked out for it.
    fn change_enrollment(
        &mut self,
        when: When,
        (place, member): (usize, usize),
        changed: Value,
        state: Value,
    ) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(who) = course.members.get(member) else {
            return;
        };
        let Some(user) = self.users.get(who.user) else {
            return;
        };
        let (enrollment, related) = (who.enrollment, of_enrollment(course, user));
        self.updated(when, ("Enrollment", enrollment), changed, &related);
        let by = Actor::Job("EnrollmentState#ensure_current_state");
        let when = (later(when.0, 1), by);
        self.updated(when, ("EnrollmentState", enrollment), state, &[]);
    }

    fn rename_file(&mut self, when: When, place: usize) {
        let name = people::file(&mut self.chance);
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let which = self.chance.below(course.files.len());
        let Some(file) = course.files.get_mut(which) else {
            return;
        };
        let (id, changed) = (file.id, json!({ "display_name": name }));
        file.name = name;
        self.updated(when, ("Attachment", id), changed, &[]);
    }

    fn remove_file(&mut self, when: When, place: usize) {
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let which = self.chance.below(course.files.len());
        if which < course.files.len() {
            let id = course.files.remove(which).id;
            let changed = json!({ "file_state": "deleted" });
            self.updated(when, ("Attachment", id), changed, &[]);
        }
    }

    fn edit_page(&mut self, when: When, place: usize) {
        let text = people::paragraph(&mut self.chance, 30);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        match self.chance.one_of(&course.pages).map(|it| it.id) {
            Some(id) => {
                let changed = json!({ "body": text });
                self.updated(when, ("WikiPage", id), changed, &[]);
            }
            None => self.new_page(when, place),
        }
    }

    fn remove_page(&mut self, when: When, place: usize) {
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let which = self.chance.below(course.pages.len());
        if which < course.pages.len() {
            let id = course.pages.remove(which).id;
            // Mostly the row of a deleted page is kept.
            if self.chance.percent(90) {
                let changed = json!({ "workflow_state": "deleted" });
                self.updated(when, ("WikiPage", id), changed, &[]);
            } else {
                self.deleted(when, "WikiPage", id);
            }
        }
    }

    fn edit_course(&mut self, when: When, place: usize, edit: Edit) {
        let text = people::paragraph(&mut self.chance, 40);
        let is_public = self.chance.percent(50);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let changed = match edit {
            Edit::Syllabus => json!({ "syllabus_body": text }),
            _ => json!({ "is_public": is_public }),
        };
        let (id, related) = (course.id, [self.account_of(course)]);
        self.updated(when, ("Course", id), changed, &related);
    }

    fn edit_group(&mut self, when: When, place: usize) {
        let name = people::title(&mut self.chance);
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let which = self.chance.below(course.groups.len());
        let Some(group) = course.groups.get_mut(which) else {
            return;
        };
        let (id, changed) = (group.id, json!({ "name": name }));
        group.name = name;
        self.updated(when, ("Group", id), changed, &[of_category()]);
    }

    /// The first member of a group leaves it.
    fn leave_group(&mut self, when: When, place: usize) {
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let (which, category) = (
            self.chance.below(course.groups.len()),
            course.group_category,
        );
        let Some(group) = course.groups.get_mut(which) else {
            return;
        };
        let Some(membership) = group.first.take() else {
            return;
        };
        let related = of_membership(group, category);
        let changed = json!({ "workflow_state": "deleted" });
        self.updated(when, ("GroupMembership", membership), changed, &related);
    }

    fn edit_outcome(&mut self, at: Timestamp, edit: Edit) {
        let when = (at, Actor::User(ADMINISTRATOR, None));
        let text = people::paragraph(&mut self.chance, 12);
        let best = people::title(&mut self.chance);
        let related = [("account", self.root_account())];
        let outcomes = self.outcomes;
        let changed = json!({ "description": text });
        if edit == Edit::OutcomeGroup {
            let group = ("LearningOutcomeGroup", outcomes.group);
            self.updated(when, group, changed, &related);
            return;
        }
        let outcome = ("LearningOutcome", outcomes.id);
        self.updated(when, outcome, changed, &related);
        let changed = json!({ "outcome_proficiency_ratings": ratings(outcomes, &best) });
        let proficiency = ("OutcomeProficiency", outcomes.proficiency);
        self.updated((later(at, 1), when.1), proficiency, changed, &[]);
    }

    /// An import from a student information system runs through its states.
    pub(crate) fn import(&mut self, at: Timestamp) {
        let id = self.new_id();
        let by = Actor::Job("SisBatch#process");
        let columns = json!({ "id": id, "account_id": self.root(), "workflow_state": "created" });
        self.inserted((at, by), "SisBatch", columns, &[]);
        for (state, seconds) in [("importing", 5), ("imported", 240)] {
            let changed = json!({ "workflow_state": state });
            let when = (later(at, seconds), by);
            self.updated(when, ("SisBatch", id), changed, &[]);
        }
    }
}
