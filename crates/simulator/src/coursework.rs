//! What a course consists of when its term begins.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::column;
use crate::campus::{
    Assignment, Campus, Course, CourseFile, CourseRole, Group, Outcomes, WikiPage,
};
use crate::context::Actor;
use crate::people;
use crate::rows::{in_course, outcome, outcome_group, proficiency, row};
use crate::setup::ADMINISTRATOR;

/// Days between what is due in a course.
const DUE_EVERY: u32 = 7;
/// Assignments of a course at most.
const MAX_ASSIGNMENTS: u32 = 16;
/// Groups of a course, and what their set is called.
const GROUPS: usize = 3;
const CATEGORY: &str = "Projects";

impl Campus {
    /// A new course with all that is in it but its students.
    pub(crate) fn open_course(&mut self, at: Timestamp, number: usize, teacher: usize) {
        let first_due = 2 + u32::try_from(number % 5).unwrap_or(0);
        let course = Course {
            id: self.new_id(),
            account: 1 + self.chance.below(self.accounts.len().saturating_sub(1)),
            name: people::course(number),
            uuid: self.chance.letters(40),
            sis_id: format!("2026-V-{:04}", number + 1000),
            section: self.new_id(),
            folder: self.new_id(),
            assignment_group: self.new_id(),
            teacher,
            members: Vec::new(),
            assignments: Vec::new(),
            pages: Vec::new(),
            files: Vec::new(),
            topic: self.new_id(),
            topic_title: people::title(&mut self.chance),
            module: self.new_id(),
            quiz: self.new_id(),
            quiz_day: first_due + 1,
            group_category: self.new_id(),
            groups: Vec::new(),
            outcome_link: self.new_id(),
        };
        let place = self.courses.len();
        let columns = json!({
            "id": course.id,
            "account_id": self.accounts.get(course.account).map(|it| it.id),
            "root_account_id": self.root(),
            "name": course.name,
            "uuid": course.uuid,
            "sis_source_id": course.sis_id,
            "lti_context_id": self.chance.hex(40),
            "syllabus_body": null,
            "is_public": null,
            "workflow_state": "available",
            "created_at": column(at),
            "updated_at": column(at),
        });
        let section = json!({
            "id": course.section,
            "course_id": course.id,
            "name": format!("{} A", course.name),
            "root_account_id": self.root(),
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
        let related = [self.account_of(&course)];
        self.courses.push(course);
        let opened = (at, Actor::User(ADMINISTRATOR, None));
        self.inserted(opened, "Course", columns, &related);
        self.inserted(opened, "CourseSection", section, &[]);
        self.enroll(at, place, teacher, CourseRole::Teacher);
        let when = (at, Actor::User(teacher, Some(place)));
        self.open_work(when, place, first_due);
        self.open_content(when, place);
        self.open_groups(when, place);
    }

    /// The account of a course, as a record that goes with it.
    pub(crate) fn account_of(&self, course: &Course) -> (&'static str, Row) {
        let account = self.accounts.get(course.account);
        let (id, uuid) = (account.map(|it| it.id), account.map(|it| it.uuid.as_str()));
        ("account", row(json!({ "id": id, "uuid": uuid })))
    }

    /// Assignments, and the quiz.
    fn open_work(&mut self, when: (Timestamp, Actor), place: usize, first_due: u32) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (id, group, quiz) = (course.id, course.assignment_group, course.quiz);
        let (members, quiz_due) = (course.members.len(), self.calendar.due(course.quiz_day));
        let related = [self.of_course(course), self.of_root_account()];
        let at = column(when.0);
        let columns = json!({
            "name": "Assignments",
            "position": 1,
            "group_weight": 100.0,
            "rules": "drop_lowest:1",
            "integration_data": null,
            "sis_source_id": format!("ag-{group}"),
            "workflow_state": "available",
        });
        self.inserted(when, "AssignmentGroup", in_course(id, group, columns), &[]);
        let mut due_day = first_due;
        let last_due = std::cmp::min(self.options.days, first_due + MAX_ASSIGNMENTS * DUE_EVERY);
        while due_day < std::cmp::max(last_due, first_due + 1) {
            let assignment = Assignment {
                id: self.new_id(),
                title: people::title(&mut self.chance),
                points: 10.0,
                lti_id: self.chance.uuid(),
                due_day,
                submissions: vec![None; members],
                override_id: None,
            };
            let columns = json!({
                "assignment_group_id": group,
                "title": assignment.title,
                "description": people::paragraph(&mut self.chance, 20),
                "points_possible": assignment.points,
                "grading_type": "points",
                "submission_types": "online_text_entry,online_upload",
                "due_at": column(self.calendar.due(due_day)),
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
            self.inserted(when, "Assignment", columns, &related);
            if let Some(course) = self.courses.get_mut(place) {
                course.assignments.push(assignment);
            }
            due_day += DUE_EVERY;
        }
        let columns = json!({
            "title": people::title(&mut self.chance),
            "quiz_type": "assignment",
            "points_possible": 5.0,
            "due_at": column(quiz_due),
            "time_limit": 30,
            "access_code": null,
            "shuffle_answers": true,
            "allowed_attempts": 1,
            "workflow_state": "available",
            "updated_at": at,
        });
        let columns = in_course(id, quiz, columns);
        self.inserted(when, "Quizzes::Quiz", columns, &related);
    }

    /// Pages, files, a discussion, a module and a link to what is to be learned.
    fn open_content(&mut self, when: (Timestamp, Actor), place: usize) {
        for _ in 0..3 {
            self.new_page(when, place);
            self.new_file(when, place);
        }
        let item = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (id, at) = (course.id, column(when.0));
        let topic = json!({
            "assignment_id": null,
            "type": null,
            "title": course.topic_title,
            "message": "<p>What do you think?</p>",
            "lock_at": null,
            "updated_at": at,
        });
        let topic = in_course(id, course.topic, topic);
        let name = people::title(&mut self.chance);
        let module = json!({ "name": name, "position": 1 });
        let module = in_course(id, course.module, module);
        let item = in_course(
            id,
            item,
            json!({
                "context_module_id": course.module,
                "tag_type": "context_module",
                "position": 1,
            }),
        );
        let link = in_course(
            id,
            course.outcome_link,
            json!({
                "content_id": self.outcomes.id,
                "content_type": "LearningOutcome",
                "associated_asset_id": self.outcomes.group,
                "tag_type": "learning_outcome_association",
                "position": 1,
                "updated_at": at,
            }),
        );
        self.inserted(when, "DiscussionTopic", topic, &[]);
        self.inserted(when, "ContextModule", module, &[]);
        self.inserted(when, "ContentTag", item, &[]);
        self.inserted(when, "ContentTag", link, &[]);
    }

    fn open_groups(&mut self, when: (Timestamp, Actor), place: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (id, category) = (course.id, course.group_category);
        let account = self.accounts.get(course.account).map(|it| it.id);
        let columns = json!({ "name": CATEGORY, "group_limit": null });
        let columns = in_course(id, category, columns);
        self.inserted(when, "GroupCategory", columns, &[]);
        for number in 1..=GROUPS {
            let group = Group {
                id: self.new_id(),
                name: format!("Group {number}"),
                first: None,
            };
            let columns = json!({
                "account_id": account,
                "group_category_id": category,
                "name": group.name,
                "uuid": self.chance.letters(40),
                "max_membership": null,
                "workflow_state": "available",
            });
            let columns = in_course(id, group.id, columns);
            self.inserted(when, "Group", columns, &[of_category()]);
            if let Some(course) = self.courses.get_mut(place) {
                course.groups.push(group);
            }
        }
    }

    /// Puts each student of a course into one of its groups.
    pub(crate) fn group_members(&mut self, at: Timestamp, place: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let when = (at, Actor::User(course.teacher, Some(place)));
        let students = course
            .members
            .iter()
            .filter(|it| it.role == CourseRole::Student);
        let students: Vec<_> = students.map(|it| it.user).collect();
        for (number, user) in students.into_iter().enumerate() {
            let membership = self.new_id();
            let user = self.users.get(user).map(|it| it.id);
            let Some(course) = self.courses.get_mut(place) else {
                return;
            };
            let category = course.group_category;
            let Some(group) = course.groups.get_mut(number % GROUPS) else {
                return;
            };
            group.first.get_or_insert(membership);
            let columns = json!({
                "id": membership,
                "group_id": group.id,
                "user_id": user,
                "workflow_state": "accepted",
            });
            let related = of_membership(group, category);
            self.inserted(when, "GroupMembership", columns, &related);
        }
    }

    pub(crate) fn new_page(&mut self, when: (Timestamp, Actor), place: usize) {
        let page = WikiPage {
            id: self.new_id(),
            title: people::title(&mut self.chance),
        };
        let columns = json!({
            "id": page.id,
            "title": page.title,
            "body": people::paragraph(&mut self.chance, 30),
            "workflow_state": "active",
            "updated_at": column(when.0),
        });
        self.inserted(when, "WikiPage", columns, &[]);
        if let Some(course) = self.courses.get_mut(place) {
            course.pages.push(page);
        }
    }

    pub(crate) fn new_file(&mut self, when: (Timestamp, Actor), place: usize) {
        let name = people::file(&mut self.chance);
        let file = CourseFile {
            id: self.new_id(),
            filename: name.replace(' ', "_"),
            name,
        };
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let columns = json!({
            "id": file.id,
            "context_id": course.id,
            "context_type": "Course",
            "folder_id": course.folder,
            "display_name": file.name,
            "filename": file.filename,
            "content_type": "application/pdf",
            "user_id": self.users.get(course.teacher).map(|it| it.id),
            "lock_at": null,
            "unlock_at": null,
            "locked": false,
            "file_state": "available",
            "updated_at": column(when.0),
        });
        self.inserted(when, "Attachment", columns, &[]);
        if let Some(course) = self.courses.get_mut(place) {
            course.files.push(file);
        }
    }

    /// What is to be learned anywhere on campus.
    pub(crate) fn open_outcomes(&mut self, at: Timestamp) {
        let outcomes = Outcomes {
            id: self.new_id(),
            group: self.new_id(),
            proficiency: self.new_id(),
            ratings: [self.new_id(), self.new_id()],
        };
        self.outcomes = outcomes;
        let when = (at, Actor::User(ADMINISTRATOR, None));
        let root = self.root();
        let related = [("account", self.root_account())];
        let tell: [(&str, Value); 3] = [
            ("LearningOutcomeGroup", outcome_group(outcomes, root, at)),
            ("LearningOutcome", outcome(outcomes, root, at)),
            ("OutcomeProficiency", proficiency(outcomes, root, at)),
        ];
        for (kind, columns) in tell {
            self.inserted(when, kind, columns, &related);
        }
    }
}

/// The set of the groups, as a record that goes with them.
pub(crate) fn of_category() -> (&'static str, Row) {
    ("group_category", row(json!({ "name": CATEGORY })))
}

/// What goes with a membership of a group.
pub(crate) fn of_membership(group: &Group, category: u64) -> [(&'static str, Row); 2] {
    let group = json!({ "name": group.name, "group_category_id": category });
    [("group", row(group)), of_category()]
}
