//! What a course consists of when its term begins.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::column;
use crate::campus::{Assignment, Campus, Course, File, Group, Outcomes, Page, Role};
use crate::context::By;
use crate::opening::ADMINISTRATOR;
use crate::people;
use crate::rows::{file_row, group_row, page_row, row};

/// Days between what is due in a course.
const DUE_EVERY: u32 = 7;
/// Groups of a course.
const GROUPS: usize = 3;

impl Campus {
    /// A new course with all that is in it but its students.
    pub(crate) fn open_course(&mut self, at: Timestamp, number: usize, teacher: usize) {
        let account = 1 + self.chance.below(self.accounts.len().saturating_sub(1));
        let first_due = 2 + u32::try_from(number % 5).unwrap_or(0);
        let course = Course {
            id: self.new_id(),
            account,
            name: people::course(number),
            uuid: self.chance.letters(40),
            sis_id: format!("2026-V-{:04}", number + 1000),
            lti_id: self.chance.hex(40),
            syllabus: None,
            created_at: at,
            updated_at: at,
            section: self.new_id(),
            section_name: format!("{} A", people::course(number)),
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
            module_name: people::title(&mut self.chance),
            quiz: self.new_id(),
            quiz_title: people::title(&mut self.chance),
            quiz_day: first_due + 1,
            group_category: self.new_id(),
            groups: Vec::new(),
            outcome_link: self.new_id(),
        };
        let place = self.courses.len();
        let by = By::User(teacher, Some(place));
        let columns = self.course_row(&course);
        let related = [("account", self.account_of(&course))];
        let section = self.section_row(&course);
        self.courses.push(course);
        self.inserted(
            (at, By::User(ADMINISTRATOR, None)),
            "Course",
            columns,
            &related,
        );
        self.inserted(
            (at, By::User(ADMINISTRATOR, None)),
            "CourseSection",
            section,
            &[],
        );
        self.enroll(at, place, teacher, Role::Teacher);
        self.open_work(at, place, by, first_due);
        self.open_content(at, place, by);
        self.open_groups(at, place, by);
    }

    /// Assignments, and the quiz.
    fn open_work(&mut self, at: Timestamp, place: usize, by: By, first_due: u32) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (id, group, quiz, title) = (
            course.id,
            course.assignment_group,
            course.quiz,
            course.quiz_title.clone(),
        );
        let (members, quiz_day) = (course.members.len(), course.quiz_day);
        let of_course = row(json!({ "uuid": course.uuid }));
        let columns = assignment_group_row(group, id, "Assignments");
        self.inserted((at, by), "AssignmentGroup", columns, &[]);
        let mut due_day = first_due;
        while due_day < std::cmp::max(self.options.days, first_due + 1) {
            let assignment = Assignment {
                id: self.new_id(),
                title: people::title(&mut self.chance),
                description: people::paragraph(&mut self.chance, 20),
                points: 10.0,
                lti_id: self.chance.uuid(),
                due_day,
                submissions: vec![None; members],
                override_id: None,
            };
            let related = self.of_assignment(place);
            if let Some(course) = self.courses.get(place) {
                let columns = self.assignment_row(course, &assignment, at);
                self.inserted((at, by), "Assignment", columns, &related);
            }
            if let Some(course) = self.courses.get_mut(place) {
                course.assignments.push(assignment);
            }
            due_day += DUE_EVERY;
        }
        let columns = quiz_row(quiz, id, &title, self.calendar.due(quiz_day), at);
        self.inserted((at, by), "Quizzes::Quiz", columns, &[("course", of_course)]);
    }

    /// Pages, files, a discussion, a module and a link to what is to be learned.
    fn open_content(&mut self, at: Timestamp, place: usize, by: By) {
        for _ in 0..3 {
            self.new_page(at, place, by);
            self.new_file(at, place, by);
        }
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (id, topic, module) = (course.id, course.topic, course.module);
        let topic = topic_row(topic, id, &course.topic_title, at);
        let module_columns = module_row(module, id, &course.module_name);
        let link = outcome_link_row(course, &self.outcomes, at);
        let item = json!({
            "id": self.new_id(),
            "context_id": id,
            "context_type": "Course",
            "context_module_id": module,
            "tag_type": "context_module",
            "position": 1,
            "workflow_state": "active",
        });
        self.inserted((at, by), "DiscussionTopic", topic, &[]);
        self.inserted((at, by), "ContextModule", module_columns, &[]);
        self.inserted((at, by), "ContentTag", item, &[]);
        self.inserted((at, by), "ContentTag", link, &[]);
    }

    fn open_groups(&mut self, at: Timestamp, place: usize, by: By) {
        let groups: Vec<_> = (1..=GROUPS)
            .map(|number| Group {
                id: self.new_id(),
                name: format!("Group {number}"),
                uuid: self.chance.letters(40),
                first: None,
            })
            .collect();
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        course.groups.clone_from(&groups);
        let course = course.clone();
        let account = self.accounts.get(course.account).map(|it| it.id);
        let category = group_category_row(&course);
        self.inserted((at, by), "GroupCategory", category, &[]);
        let related = [("group_category", row(json!({ "name": "Projects" })))];
        for group in &groups {
            let columns = group_row(&course, group, account);
            self.inserted((at, by), "Group", columns, &related);
        }
    }

    /// Puts each student of a course into one of its groups.
    pub(crate) fn group_members(&mut self, at: Timestamp, place: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let by = By::User(course.teacher, Some(place));
        let students = course.members.iter().filter(|it| it.role == Role::Student);
        let students: Vec<_> = students.map(|it| it.user).collect();
        for (number, user) in students.into_iter().enumerate() {
            let membership = self.new_id();
            let user_id = self.users.get(user).map(|it| it.id);
            let Some(course) = self.courses.get_mut(place) else {
                return;
            };
            let category = course.group_category;
            let groups = std::cmp::max(course.groups.len(), 1);
            let Some(group) = course.groups.get_mut(number % groups) else {
                return;
            };
            group.first.get_or_insert((user, membership));
            let (columns, related) = membership_row(membership, group, user_id, category);
            self.inserted((at, by), "GroupMembership", columns, &related);
        }
    }

    pub(crate) fn new_page(&mut self, at: Timestamp, place: usize, by: By) {
        let page = Page {
            id: self.new_id(),
            title: people::title(&mut self.chance),
            body: people::paragraph(&mut self.chance, 30),
        };
        self.inserted((at, by), "WikiPage", page_row(&page, at), &[]);
        if let Some(course) = self.courses.get_mut(place) {
            course.pages.push(page);
        }
    }

    pub(crate) fn new_file(&mut self, at: Timestamp, place: usize, by: By) {
        let file = File {
            id: self.new_id(),
            name: format!("{}.pdf", people::title(&mut self.chance)),
        };
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let owner = self.users.get(course.teacher).map_or(0, |it| it.id);
        let columns = file_row(course, &file, owner, ("available", at));
        self.inserted((at, by), "Attachment", columns, &[]);
        if let Some(course) = self.courses.get_mut(place) {
            course.files.push(file);
        }
    }

    /// What goes with an assignment.
    pub(crate) fn of_assignment(&self, place: usize) -> [(&'static str, easel_triggers::Row); 2] {
        let uuid = self.courses.get(place).map(|it| it.uuid.as_str());
        [
            ("course", row(json!({ "uuid": uuid }))),
            ("root_account", self.root_account()),
        ]
    }

    /// What is to be learned anywhere on campus.
    pub(crate) fn open_outcomes(&mut self, at: Timestamp) {
        self.outcomes = Outcomes {
            id: self.new_id(),
            title: "Explains how a result came about".to_owned(),
            group: self.new_id(),
            group_title: "Scientific method".to_owned(),
            proficiency: self.new_id(),
        };
        let by = By::User(ADMINISTRATOR, None);
        let root = self.root_account();
        let account = self.accounts.first().map(|it| it.id);
        let related = [("account", root)];
        let group = outcome_group_row(&self.outcomes, account, at);
        let outcome = outcome_row(&self.outcomes, account, at);
        let proficiency = proficiency_row(&self.outcomes, account, "Mastered", at);
        self.inserted((at, by), "LearningOutcomeGroup", group, &related);
        self.inserted((at, by), "LearningOutcome", outcome, &related);
        self.inserted((at, by), "OutcomeProficiency", proficiency, &[]);
    }
}

pub(crate) fn assignment_group_row(id: u64, course: u64, name: &str) -> Value {
    json!({
        "id": id,
        "context_id": course,
        "context_type": "Course",
        "name": name,
        "position": 1,
        "group_weight": 100.0,
        "rules": "drop_lowest:1",
        "integration_data": null,
        "sis_source_id": format!("ag-{id}"),
        "workflow_state": "available",
    })
}

pub(crate) fn quiz_row(id: u64, course: u64, title: &str, due: Timestamp, at: Timestamp) -> Value {
    json!({
        "id": id,
        "context_id": course,
        "context_type": "Course",
        "title": title,
        "quiz_type": "assignment",
        "points_possible": 5.0,
        "due_at": column(due),
        "time_limit": 30,
        "access_code": null,
        "shuffle_answers": true,
        "allowed_attempts": 1,
        "workflow_state": "available",
        "updated_at": column(at),
    })
}

pub(crate) fn topic_row(id: u64, course: u64, title: &str, at: Timestamp) -> Value {
    json!({
        "id": id,
        "assignment_id": null,
        "context_id": course,
        "context_type": "Course",
        "type": null,
        "title": title,
        "message": "<p>What do you think?</p>",
        "lock_at": null,
        "workflow_state": "active",
        "updated_at": column(at),
    })
}

pub(crate) fn module_row(id: u64, course: u64, name: &str) -> Value {
    json!({
        "id": id,
        "context_id": course,
        "context_type": "Course",
        "name": name,
        "position": 1,
        "workflow_state": "active",
    })
}

pub(crate) fn outcome_link_row(course: &Course, outcomes: &Outcomes, at: Timestamp) -> Value {
    json!({
        "id": course.outcome_link,
        "context_id": course.id,
        "context_type": "Course",
        "content_id": outcomes.id,
        "content_type": "LearningOutcome",
        "associated_asset_id": outcomes.group,
        "tag_type": "learning_outcome_association",
        "workflow_state": "active",
        "updated_at": column(at),
    })
}

pub(crate) fn group_category_row(course: &Course) -> Value {
    json!({
        "id": course.group_category,
        "context_id": course.id,
        "context_type": "Course",
        "name": "Projects",
        "group_limit": null,
    })
}

pub(crate) fn membership_row(
    id: u64,
    group: &Group,
    user: Option<u64>,
    category: u64,
) -> (Value, [(&'static str, easel_triggers::Row); 2]) {
    let columns = json!({
        "id": id,
        "group_id": group.id,
        "user_id": user,
        "workflow_state": "accepted",
    });
    let related = [
        (
            "group",
            row(json!({ "name": group.name, "group_category_id": category })),
        ),
        ("group_category", row(json!({ "name": "Projects" }))),
    ];
    (columns, related)
}

pub(crate) fn outcome_row(it: &Outcomes, account: Option<u64>, at: Timestamp) -> Value {
    json!({
        "id": it.id,
        "context_id": account,
        "context_type": "Account",
        "short_description": it.title,
        "description": "<p>Explains which steps led to a result.</p>",
        "display_name": null,
        "vendor_guid": null,
        "calculation_method": "decaying_average",
        "calculation_int": 65,
        "workflow_state": "active",
        "rubric_criterion": {
            "description": it.title,
            "mastery_points": 3,
            "points_possible": 5,
            "ratings": [
                { "description": "Exceeds", "points": 5 },
                { "description": "Meets", "points": 3 },
                { "description": "Does not meet", "points": 0 },
            ],
        },
        "updated_at": column(at),
    })
}

pub(crate) fn outcome_group_row(it: &Outcomes, account: Option<u64>, at: Timestamp) -> Value {
    json!({
        "id": it.group,
        "context_id": account,
        "context_type": "Account",
        "title": it.group_title,
        "description": null,
        "learning_outcome_group_id": null,
        "vendor_guid": null,
        "workflow_state": "active",
        "updated_at": column(at),
    })
}

pub(crate) fn proficiency_row(
    it: &Outcomes,
    account: Option<u64>,
    best: &str,
    at: Timestamp,
) -> Value {
    let rating = |number: u64, description: &str, points: u32, mastery: bool| {
        json!({
            "id": it.proficiency * 10 + number,
            "description": description,
            "points": points,
            "mastery": mastery,
            "color": "127a1b",
            "workflow_state": "active",
        })
    };
    json!({
        "id": it.proficiency,
        "context_id": account,
        "context_type": "Account",
        "workflow_state": "active",
        "outcome_proficiency_ratings": [rating(1, best, 3, true), rating(2, "On the way", 1, false)],
        "updated_at": column(at),
    })
}
