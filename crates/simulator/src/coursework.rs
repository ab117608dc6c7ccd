//! The content of a course at the start of the term.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::to_column;
use crate::campus::{
    Assignment, Campus, Course, CourseFile, CourseRole, Group, OutcomeIds, WikiPage,
};
use crate::context::Actor;
use crate::people;
use crate::rows::{in_course, outcome, outcome_group, proficiency, row};
use crate::setup::ADMINISTRATOR;

/// Days between the due days of two assignments of a course.
const DUE_EVERY: u32 = 7;
/// The maximum number of assignments of a course.
const MAX_ASSIGNMENTS: u32 = 16;
/// The number of groups of a course.
const GROUPS: usize = 3;
/// The name of the category of these groups.
const CATEGORY: &str = "Projects";

impl Campus {
    /// Creates a course with its content and teacher, but without students.
    pub(crate) fn create_course(&mut self, at: Timestamp, number: usize, teacher: usize) {
        let first_due = 2 + u32::try_from(number % 5).unwrap_or(0);
        let course = Course {
            id: self.new_id(),
            account: 1 + self.rng.below(self.accounts.len().saturating_sub(1)),
            name: people::course(number),
            uuid: self.rng.alphanumeric(40),
            sis_id: format!("2026-V-{:04}", number + 1000),
            section_id: self.new_id(),
            folder_id: self.new_id(),
            assignment_group_id: self.new_id(),
            teacher,
            members: Vec::new(),
            assignments: Vec::new(),
            pages: Vec::new(),
            files: Vec::new(),
            topic_id: self.new_id(),
            topic_title: people::title(&mut self.rng),
            module_id: self.new_id(),
            quiz_id: self.new_id(),
            quiz_day: first_due + 1,
            group_category_id: self.new_id(),
            groups: Vec::new(),
            outcome_link_id: self.new_id(),
        };
        let course_index = self.courses.len();
        let columns = json!({
            "id": course.id,
            "account_id": self.accounts.get(course.account).map(|account| account.id),
            "root_account_id": self.root_account_id(),
            "name": course.name,
            "uuid": course.uuid,
            "sis_source_id": course.sis_id,
            "lti_context_id": self.rng.hex(40),
            "syllabus_body": null,
            "is_public": null,
            "workflow_state": "available",
            "created_at": to_column(at),
            "updated_at": to_column(at),
        });
        let section = json!({
            "id": course.section_id,
            "course_id": course.id,
            "name": format!("{} A", course.name),
            "root_account_id": self.root_account_id(),
            "enrollment_term_id": 1,
            "accepting_enrollments": null,
            "can_manually_enroll": null,
            "default_section": true,
            "start_at": null,
            "end_at": null,
            "integration_id": null,
            "nonxlist_course_id": null,
            "restrict_enrollments_to_section_dates": false,
            "sis_batch_id": null,
            "sis_source_id": format!("{}-1", course.sis_id),
            "stuck_sis_fields": null,
            "workflow_state": "active",
        });
        let related = [self.related_account(&course)];
        self.courses.push(course);
        let by_administrator = (at, Actor::User(ADMINISTRATOR, None));
        self.insert_row(by_administrator, "Course", columns, &related);
        self.insert_row(by_administrator, "CourseSection", section, &[]);
        self.enroll(at, course_index, teacher, CourseRole::Teacher);
        let when = (at, Actor::User(teacher, Some(course_index)));
        self.create_assignments(when, course_index, first_due);
        self.create_content(when, course_index);
        self.create_groups(when, course_index);
    }

    /// Returns the account of a course as a related row.
    pub(crate) fn related_account(&self, course: &Course) -> (&'static str, Row) {
        let account = self.accounts.get(course.account);
        let (id, uuid) = (
            account.map(|account| account.id),
            account.map(|account| account.uuid.as_str()),
        );
        ("account", row(json!({ "id": id, "uuid": uuid })))
    }

    /// Creates the assignments and the quiz of a course.
    fn create_assignments(
        &mut self,
        when: (Timestamp, Actor),
        course_index: usize,
        first_due: u32,
    ) {
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let (id, group, quiz) = (course.id, course.assignment_group_id, course.quiz_id);
        let (members, quiz_due) = (
            course.members.len(),
            self.calendar.due_time(course.quiz_day),
        );
        let related = [self.related_course(course), self.related_root_account()];
        let at = to_column(when.0);
        let columns = json!({
            "name": "Assignments",
            "position": 1,
            "group_weight": 100.0,
            "rules": "drop_lowest:1",
            "integration_data": null,
            "sis_source_id": format!("ag-{group}"),
            "workflow_state": "available",
        });
        self.insert_row(when, "AssignmentGroup", in_course(id, group, columns), &[]);
        let mut due_day = first_due;
        let last_due = std::cmp::min(self.options.days, first_due + MAX_ASSIGNMENTS * DUE_EVERY);
        while due_day < std::cmp::max(last_due, first_due + 1) {
            let assignment = Assignment {
                id: self.new_id(),
                title: people::title(&mut self.rng),
                points: 10.0,
                lti_id: self.rng.uuid(),
                due_day,
                submissions: vec![None; members],
                override_id: None,
            };
            let columns = json!({
                "assignment_group_id": group,
                "title": assignment.title,
                "description": people::paragraph(&mut self.rng, 20),
                "points_possible": assignment.points,
                "grading_type": "points",
                "submission_types": "online_text_entry,online_upload",
                "due_at": to_column(self.calendar.due_time(due_day)),
                "lock_at": null,
                "unlock_at": null,
                "lti_context_id": assignment.lti_id,
                "lti_resource_link_id": format!("link-{}", assignment.lti_id),
                "duplicate_of_id": null,
                "anonymous_grading": false,
                "workflow_state": "published",
                "updated_at": at,
            });
            let columns = in_course(id, assignment.id, columns);
            self.insert_row(when, "Assignment", columns, &related);
            if let Some(course) = self.courses.get_mut(course_index) {
                course.assignments.push(assignment);
            }
            due_day += DUE_EVERY;
        }
        let columns = json!({
            "title": people::title(&mut self.rng),
            "quiz_type": "assignment",
            "points_possible": 5.0,
            "due_at": to_column(quiz_due),
            "time_limit": 30,
            "access_code": null,
            "shuffle_answers": true,
            "allowed_attempts": 1,
            "workflow_state": "available",
            "updated_at": at,
        });
        let columns = in_course(id, quiz, columns);
        self.insert_row(when, "Quizzes::Quiz", columns, &related);
    }

    /// Creates pages, files, a discussion, a module and a link to an outcome.
    fn create_content(&mut self, when: (Timestamp, Actor), course_index: usize) {
        for _ in 0..3 {
            self.new_page(when, course_index);
            self.new_file(when, course_index);
        }
        let item = self.new_id();
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let (id, at) = (course.id, to_column(when.0));
        let topic = json!({
            "assignment_id": null,
            "type": null,
            "title": course.topic_title,
            "message": "<p>What do you think?</p>",
            "lock_at": null,
            "updated_at": at,
        });
        let topic = in_course(id, course.topic_id, topic);
        let name = people::title(&mut self.rng);
        let module = json!({ "name": name, "position": 1 });
        let module = in_course(id, course.module_id, module);
        let item = in_course(
            id,
            item,
            json!({
                "context_module_id": course.module_id,
                "tag_type": "context_module",
                "position": 1,
            }),
        );
        let link = in_course(
            id,
            course.outcome_link_id,
            json!({
                "content_id": self.outcome_ids.id,
                "content_type": "LearningOutcome",
                "associated_asset_id": self.outcome_ids.group,
                "tag_type": "learning_outcome_association",
                "position": 1,
                "updated_at": at,
            }),
        );
        self.insert_row(when, "DiscussionTopic", topic, &[]);
        self.insert_row(when, "ContextModule", module, &[]);
        self.insert_row(when, "ContentTag", item, &[]);
        self.insert_row(when, "ContentTag", link, &[]);
    }

    fn create_groups(&mut self, when: (Timestamp, Actor), course_index: usize) {
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let (id, category) = (course.id, course.group_category_id);
        let account = self.accounts.get(course.account).map(|account| account.id);
        let columns = json!({ "name": CATEGORY, "group_limit": null });
        let columns = in_course(id, category, columns);
        self.insert_row(when, "GroupCategory", columns, &[]);
        for number in 1..=GROUPS {
            let group = Group {
                id: self.new_id(),
                name: format!("Group {number}"),
                first_membership_id: None,
            };
            let columns = json!({
                "account_id": account,
                "group_category_id": category,
                "name": group.name,
                "uuid": self.rng.alphanumeric(40),
                "max_membership": null,
                "workflow_state": "available",
            });
            let columns = in_course(id, group.id, columns);
            self.insert_row(when, "Group", columns, &[related_category()]);
            if let Some(course) = self.courses.get_mut(course_index) {
                course.groups.push(group);
            }
        }
    }

    /// Adds each student of a course to one of its groups.
    pub(crate) fn fill_groups(&mut self, at: Timestamp, course_index: usize) {
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let when = (at, Actor::User(course.teacher, Some(course_index)));
        let students = course
            .members
            .iter()
            .filter(|member| member.role == CourseRole::Student);
        let students: Vec<_> = students.map(|member| member.user).collect();
        for (number, user) in students.into_iter().enumerate() {
            let membership = self.new_id();
            let user = self.users.get(user).map(|user| user.id);
            let Some(course) = self.courses.get_mut(course_index) else {
                return;
            };
            let category = course.group_category_id;
            let Some(group) = course.groups.get_mut(number % GROUPS) else {
                return;
            };
            group.first_membership_id.get_or_insert(membership);
            let columns = json!({
                "id": membership,
                "group_id": group.id,
                "user_id": user,
                "workflow_state": "accepted",
            });
            let related = related_to_membership(group, category);
            self.insert_row(when, "GroupMembership", columns, &related);
        }
    }

    pub(crate) fn new_page(&mut self, when: (Timestamp, Actor), course_index: usize) {
        let page = WikiPage {
            id: self.new_id(),
            title: people::title(&mut self.rng),
        };
        let columns = json!({
            "id": page.id,
            "title": page.title,
            "body": people::paragraph(&mut self.rng, 30),
            "workflow_state": "active",
            "updated_at": to_column(when.0),
        });
        self.insert_row(when, "WikiPage", columns, &[]);
        if let Some(course) = self.courses.get_mut(course_index) {
            course.pages.push(page);
        }
    }

    pub(crate) fn new_file(&mut self, when: (Timestamp, Actor), course_index: usize) {
        let name = people::file(&mut self.rng);
        let file = CourseFile {
            id: self.new_id(),
            filename: name.replace(' ', "_"),
            name,
        };
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let columns = json!({
            "id": file.id,
            "context_id": course.id,
            "context_type": "Course",
            "folder_id": course.folder_id,
            "display_name": file.name,
            "filename": file.filename,
            "content_type": "application/pdf",
            "user_id": self.users.get(course.teacher).map(|user| user.id),
            "lock_at": null,
            "unlock_at": null,
            "locked": false,
            "file_state": "available",
            "updated_at": to_column(when.0),
        });
        self.insert_row(when, "Attachment", columns, &[]);
        if let Some(course) = self.courses.get_mut(course_index) {
            course.files.push(file);
        }
    }

    /// Creates the learning outcome of the campus, with its group and proficiency scale.
    pub(crate) fn create_outcomes(&mut self, at: Timestamp) {
        let outcome_ids = OutcomeIds {
            id: self.new_id(),
            group: self.new_id(),
            proficiency: self.new_id(),
            ratings: [self.new_id(), self.new_id()],
        };
        self.outcome_ids = outcome_ids;
        let when = (at, Actor::User(ADMINISTRATOR, None));
        let root = self.root_account_id();
        let related = [("account", self.root_account_row())];
        let rows: [(&str, Value); 3] = [
            ("LearningOutcomeGroup", outcome_group(outcome_ids, root, at)),
            ("LearningOutcome", outcome(outcome_ids, root, at)),
            ("OutcomeProficiency", proficiency(outcome_ids, root, at)),
        ];
        for (kind, columns) in rows {
            self.insert_row(when, kind, columns, &related);
        }
    }
}

/// Returns the group category as a related row.
pub(crate) fn related_category() -> (&'static str, Row) {
    ("group_category", row(json!({ "name": CATEGORY })))
}

/// Returns the rows that are related to a group membership.
pub(crate) fn related_to_membership(group: &Group, category: u64) -> [(&'static str, Row); 2] {
    let group = json!({ "name": group.name, "group_category_id": category });
    [("group", row(group)), related_category()]
}
