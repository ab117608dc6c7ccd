//! Sets up the campus before the term: accounts, people and courses, step by step.

use std::ops::Range;

use jiff::Timestamp;
use serde_json::json;

use crate::calendar::to_column;
use crate::campus::{Campus, CampusAccount, Course, CourseMember, CourseRole, User};
use crate::context::Actor;
use crate::people;
use crate::rows::{related_pseudonym, row};
use crate::setup_progress::{SetupProgress, SetupStep};

/// The approximate number of students in a course.
const COURSE_SIZE: usize = 30;
/// The number of courses of a student.
const COURSES_EACH: usize = 4;

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_2) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

/// The job that runs an import from a student information system.
const IMPORT: Actor = Actor::Job("SisBatch#process_without_send_later");

/// The index of the administrator, the first user.
pub(crate) const ADMINISTRATOR: usize = 0;

impl Campus {
    /// Performs one step and returns the next state, or `None` if the setup is complete.
    pub(crate) fn set_up(&mut self, mut setup: SetupProgress) -> Option<SetupProgress> {
        let at = self.options.begins;
        let students = usize::try_from(self.options.students).unwrap_or(usize::MAX);
        let students = std::cmp::max(students, 1);
        let courses = (students * COURSES_EACH).div_ceil(COURSE_SIZE);
        setup.step = match setup.step {
            SetupStep::Staff => {
                self.create_accounts(at);
                self.new_user(at, 'E');
                self.create_announcement(at);
                self.create_outcomes(at);
                setup.teachers = self.new_users(at, courses.div_ceil(2));
                setup.assistants = self.new_users(at, courses.div_ceil(4));
                setup.observer = self.new_user(at, 'E');
                setup.students = self.users.len()..self.users.len() + students;
                SetupStep::Student(0)
            }
            SetupStep::Student(number) if number < students => {
                self.new_user(at, 'S');
                SetupStep::Student(number + 1)
            }
            SetupStep::Student(_) => SetupStep::Course(0),
            SetupStep::Course(number) if number < courses => {
                let teacher = self.rng.in_range(&setup.teachers);
                self.create_course(at, number, teacher);
                let assistant = self.rng.in_range(&setup.assistants);
                self.enroll(at, number, assistant, CourseRole::Ta);
                SetupStep::Course(number + 1)
            }
            SetupStep::Course(_) => {
                self.enroll(at, 0, setup.observer, CourseRole::Observer);
                SetupStep::Enrollments(0)
            }
            SetupStep::Enrollments(number) if number < students => {
                // With this stride, no course is repeated. If there are few courses, the student takes all.
                let stride = std::cmp::max(courses / COURSES_EACH, 1);
                for round in 0..std::cmp::min(COURSES_EACH, courses) {
                    let course = (number + round * stride) % courses;
                    let student = setup.students.start + number;
                    self.enroll(at, course, student, CourseRole::Student);
                }
                SetupStep::Enrollments(number + 1)
            }
            SetupStep::Enrollments(_) => SetupStep::Groups(0),
            SetupStep::Groups(course) if course < courses => {
                self.fill_groups(at, course);
                SetupStep::Groups(course + 1)
            }
            SetupStep::Groups(_) => return None,
        };
        Some(setup)
    }

    fn create_accounts(&mut self, at: Timestamp) {
        let names = [
            "Fjord University",
            "Faculty of Arts",
            "Faculty of Science",
            "School of Medicine",
        ];
        for name in names {
            let id = self.new_id();
            let uuid = self.rng.alphanumeric(40);
            self.accounts.push(CampusAccount {
                id,
                uuid: uuid.clone(),
            });
            let parent = self.root_account_id().filter(|root| *root != id);
            let columns = json!({
                "id": id,
                "name": name,
                "uuid": uuid,
                "root_account_id": parent.unwrap_or(0),
                "parent_account_id": parent,
                "external_status": "active",
                "workflow_state": "active",
                "default_time_zone": "Europe/Oslo",
                "default_locale": "en",
                "updated_at": to_column(at),
            });
            let related = [self.related_root_account()];
            self.insert_row((at, IMPORT), "Account", columns, &related);
        }
    }

    fn create_announcement(&mut self, at: Timestamp) {
        let columns = json!({
            "id": self.new_id(),
            "account_id": self.root_account_id(),
            "subject": "Welcome back",
            "message": people::paragraph(&mut self.rng, 12),
            "icon": "information",
            "start_at": to_column(at),
            "end_at": to_column(self.calendar.at(7, 0)),
        });
        let by = Actor::User(ADMINISTRATOR, None);
        self.insert_row((at, by), "AccountNotification", columns, &[]);
    }

    fn new_users(&mut self, at: Timestamp, count: usize) -> Range<usize> {
        let first = self.users.len();
        for _ in 0..count {
            self.new_user(at, 'E');
        }
        first..self.users.len()
    }

    /// Creates a user of the root account, with an SIS id that starts with `sis_letter`. Returns the index of
    /// the user.
    fn new_user(&mut self, at: Timestamp, sis_letter: char) -> usize {
        let (first_name, last_name) = people::name(&mut self.rng);
        let id = self.new_id();
        let user_index = self.users.len();
        let user = User {
            id,
            login: format!(
                "{}.{}{user_index}",
                first_name.to_lowercase(),
                last_name.to_lowercase()
            ),
            name: format!("{first_name} {last_name}"),
            sis_id: format!("{sis_letter}-{user_index:06}"),
            uuid: self.rng.alphanumeric(40),
            lti_id: self.rng.hex(40),
            session: None,
            agent: self.rng.choose_word(&AGENTS),
            address: format!("192.0.2.{}", self.rng.between(1, 254)),
            courses: Vec::new(),
        };
        let related = [related_pseudonym(&user, self.root_account_id())];
        let columns = json!({
            "id": id,
            "name": user.name,
            "short_name": user.name,
            "uuid": user.uuid,
            "lti_context_id": user.lti_id,
            "workflow_state": "registered",
            "created_at": to_column(at),
            "updated_at": to_column(at),
        });
        self.users.push(user);
        self.insert_row((at, IMPORT), "User", columns, &related);
        let association = json!({
            "id": self.new_id(),
            "user_id": id,
            "account_id": self.root_account_id(),
            "created_at": to_column(at),
            "updated_at": to_column(at),
        });
        let mut related = vec![("account", self.root_account_row())];
        if user_index == ADMINISTRATOR {
            related.push(("account_user", row(json!({ "user_id": id }))));
        }
        self.insert_row(
            (at, IMPORT),
            "UserAccountAssociation",
            association,
            &related,
        );
        user_index
    }

    /// Enrolls a user in a course.
    pub(crate) fn enroll(
        &mut self,
        at: Timestamp,
        course_index: usize,
        user: usize,
        role: CourseRole,
    ) {
        let (enrollment, score) = (self.new_id(), self.new_id());
        let (Some(course), Some(person)) =
            (self.courses.get_mut(course_index), self.users.get_mut(user))
        else {
            return;
        };
        course.members.push(CourseMember {
            user,
            enrollment_id: enrollment,
            role,
            has_left: false,
            score_id: score,
            points: 0.0,
            requirements_met: 0,
            points_possible: 0.0,
            result_id: None,
        });
        for assignment in &mut course.assignments {
            assignment.submissions.push(None);
        }
        person.courses.push(course_index);
        let columns = json!({
            "id": enrollment,
            "course_id": course.id,
            "course_section_id": course.section_id,
            "user_id": person.id,
            "associated_user_id": null,
            "type": role.name(),
            "limit_privileges_to_course_section": false,
            "workflow_state": "active",
            "created_at": to_column(at),
            "updated_at": to_column(at),
        });
        let state = json!({
            "enrollment_id": enrollment,
            "state": "active",
            "state_is_current": true,
            "state_started_at": to_column(at),
            "state_valid_until": null,
            "access_is_current": true,
            "restricted_access": false,
            "lock_version": 0,
        });
        let score_columns = json!({
            "id": score,
            "enrollment_id": enrollment,
            "course_score": true,
            "grading_period_id": null,
            "current_score": null,
            "final_score": null,
            "unposted_current_score": null,
            "unposted_final_score": null,
            "override_score": null,
            "custom_grade_status_id": null,
            "workflow_state": "active",
            "created_at": to_column(at),
            "updated_at": to_column(at),
        });
        let related = related_to_enrollment(course, person);
        self.insert_row((at, IMPORT), "Enrollment", columns, &related);
        self.insert_row((at, IMPORT), "EnrollmentState", state, &[]);
        if role == CourseRole::Student {
            self.insert_row((at, IMPORT), "Score", score_columns, &[]);
        }
    }
}

/// Returns the rows that are related to an enrollment.
pub(crate) fn related_to_enrollment(
    course: &Course,
    user: &User,
) -> [(&'static str, easel_triggers::Row); 2] {
    [
        ("user", row(json!({ "name": user.name, "uuid": user.uuid }))),
        ("course", row(json!({ "uuid": course.uuid }))),
    ]
}
