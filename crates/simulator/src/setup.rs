//! The eve of the term: accounts, people and courses come into being, step by step.

use std::ops::Range;

use jiff::Timestamp;
use serde_json::json;

use crate::calendar::column;
use crate::campus::{Campus, CampusAccount, Course, CourseMember, CourseRole, User};
use crate::context::Actor;
use crate::people;
use crate::rows::{pseudonym, row};

/// Students of a course, about.
const COURSE_SIZE: usize = 30;
/// Courses of a student.
const COURSES_EACH: usize = 4;

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_2) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

/// What an import from a student information system is run by.
const IMPORT: Actor = Actor::Job("SisBatch#process_without_send_later");

/// Somebody who is made with the campus: the administrator.
pub(crate) const ADMINISTRATOR: usize = 0;

/// How far the opening is, and who was made so far, by place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    step: SetupStep,
    teachers: Range<usize>,
    assistants: Range<usize>,
    observer: usize,
    students: Range<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
enum SetupStep {
    #[default]
    Staff,
    Student(usize),
    Course(usize),
    Enrollments(usize),
    Groups(usize),
}

impl Campus {
    /// Makes a step, and answers how far it is then; none when all is open.
    pub(crate) fn open(&mut self, mut opening: Setup) -> Option<Setup> {
        let at = self.options.begins;
        let students = usize::try_from(self.options.students).unwrap_or(usize::MAX);
        let students = std::cmp::max(students, 1);
        let courses = (students * COURSES_EACH).div_ceil(COURSE_SIZE);
        opening.step = match opening.step {
            SetupStep::Staff => {
                self.open_accounts(at);
                self.new_user(at, 'E');
                self.announce(at);
                self.open_outcomes(at);
                opening.teachers = self.new_users(at, courses.div_ceil(2));
                opening.assistants = self.new_users(at, courses.div_ceil(4));
                opening.observer = self.new_user(at, 'E');
                opening.students = self.users.len()..self.users.len() + students;
                SetupStep::Student(0)
            }
            SetupStep::Student(number) if number < students => {
                self.new_user(at, 'S');
                SetupStep::Student(number + 1)
            }
            SetupStep::Student(_) => SetupStep::Course(0),
            SetupStep::Course(number) if number < courses => {
                let teacher = self.chance.within(&opening.teachers);
                self.open_course(at, number, teacher);
                let assistant = self.chance.within(&opening.assistants);
                self.enroll(at, number, assistant, CourseRole::Ta);
                SetupStep::Course(number + 1)
            }
            SetupStep::Course(_) => {
                self.enroll(at, 0, opening.observer, CourseRole::Observer);
                SetupStep::Enrollments(0)
            }
            SetupStep::Enrollments(number) if number < students => {
                // Far enough apart that none comes twice; where there are few courses, all of them.
                let stride = std::cmp::max(courses / COURSES_EACH, 1);
                for round in 0..std::cmp::min(COURSES_EACH, courses) {
                    let course = (number + round * stride) % courses;
                    let student = opening.students.start + number;
                    self.enroll(at, course, student, CourseRole::Student);
                }
                SetupStep::Enrollments(number + 1)
            }
            SetupStep::Enrollments(_) => SetupStep::Groups(0),
            SetupStep::Groups(course) if course < courses => {
                self.group_members(at, course);
                SetupStep::Groups(course + 1)
            }
            SetupStep::Groups(_) => return None,
        };
        Some(opening)
    }

    fn open_accounts(&mut self, at: Timestamp) {
        let names = [
            "Fjord University",
            "Faculty of Arts",
            "Faculty of Science",
            "School of Medicine",
        ];
        for name in names {
            let id = self.new_id();
            let uuid = self.chance.letters(40);
            self.accounts.push(CampusAccount {
                id,
                uuid: uuid.clone(),
            });
            let above = self.root().filter(|root| *root != id);
            let columns = json!({
                "id": id,
                "name": name,
                "uuid": uuid,
                "root_account_id": above.unwrap_or(0),
                "parent_account_id": above,
                "external_status": "active",
                "workflow_state": "active",
                "default_time_zone": "Europe/Oslo",
                "default_locale": "en",
                "updated_at": column(at),
            });
            let related = [self.of_root_account()];
            self.inserted((at, IMPORT), "Account", columns, &related);
        }
    }

    fn announce(&mut self, at: Timestamp) {
        let columns = json!({
            "id": self.new_id(),
            "account_id": self.root(),
            "subject": "Welcome back",
            "message": people::paragraph(&mut self.chance, 12),
            "icon": "information",
            "start_at": column(at),
            "end_at": column(self.calendar.at(7, 0)),
        });
        let by = Actor::User(ADMINISTRATOR, None);
        self.inserted((at, by), "AccountNotification", columns, &[]);
    }

    fn new_users(&mut self, at: Timestamp, count: usize) -> Range<usize> {
        let first = self.users.len();
        for _ in 0..count {
            self.new_user(at, 'E');
        }
        first..self.users.len()
    }

    /// A new user of the root account, whose number begins with this letter.
    fn new_user(&mut self, at: Timestamp, letter: char) -> usize {
        let (given, family) = people::name(&mut self.chance);
        let id = self.new_id();
        let place = self.users.len();
        let user = User {
            id,
            login: format!("{}.{}{place}", given.to_lowercase(), family.to_lowercase()),
            name: format!("{given} {family}"),
            sis_id: format!("{letter}-{place:06}"),
            uuid: self.chance.letters(40),
            lti_id: self.chance.hex(40),
            session: None,
            agent: self.chance.word(&AGENTS),
            address: format!("192.0.2.{}", self.chance.between(1, 254)),
            courses: Vec::new(),
        };
        let related = [pseudonym(&user, self.root())];
        let columns = json!({
            "id": id,
            "name": user.name,
            "short_name": user.name,
            "uuid": user.uuid,
            "lti_context_id": user.lti_id,
            "workflow_state": "registered",
            "created_at": column(at),
            "updated_at": column(at),
        });
        self.users.push(user);
        self.inserted((at, IMPORT), "User", columns, &related);
        let association = json!({
            "id": self.new_id(),
            "user_id": id,
            "account_id": self.root(),
            "created_at": column(at),
            "updated_at": column(at),
        });
        let mut related = vec![("account", self.root_account())];
        if place == ADMINISTRATOR {
            related.push(("account_user", row(json!({ "user_id": id }))));
        }
        self.inserted(
            (at, IMPORT),
            "UserAccountAssociation",
            association,
            &related,
        );
        place
    }

    /// Enrolls somebody in a course.
    pub(crate) fn enroll(&mut self, at: Timestamp, place: usize, user: usize, role: CourseRole) {
        let (enrollment, score) = (self.new_id(), self.new_id());
        let (Some(course), Some(somebody)) =
            (self.courses.get_mut(place), self.users.get_mut(user))
        else {
            return;
        };
        course.members.push(CourseMember {
            user,
            enrollment,
            role,
            has_left: false,
            score,
            points: 0.0,
            requirements_met: 0,
            points_possible: 0.0,
            result: None,
        });
        for assignment in &mut course.assignments {
            assignment.submissions.push(None);
        }
        somebody.courses.push(place);
        let columns = json!({
            "id": enrollment,
            "course_id": course.id,
            "course_section_id": course.section,
            "user_id": somebody.id,
            "associated_user_id": null,
            "type": role.name(),
            "limit_privileges_to_course_section": false,
            "workflow_state": "active",
            "created_at": column(at),
            "updated_at": column(at),
        });
        let state = json!({
            "enrollment_id": enrollment,
            "state": "active",
            "state_is_current": true,
            "state_started_at": column(at),
            "state_valid_until": null,
            "access_is_current": true,
            "restricted_access": false,
            "lock_version": 0,
        });
        // What there is of a score before anything was graded.
        let nothing = json!({
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
            "created_at": column(at),
            "updated_at": column(at),
        });
        let related = of_enrollment(course, somebody);
        self.inserted((at, IMPORT), "Enrollment", columns, &related);
        self.inserted((at, IMPORT), "EnrollmentState", state, &[]);
        if role == CourseRole::Student {
            self.inserted((at, IMPORT), "Score", nothing, &[]);
        }
    }
}

/// What goes with an enrollment.
pub(crate) fn of_enrollment(
    course: &Course,
    user: &User,
) -> [(&'static str, easel_triggers::Row); 2] {
    [
        ("user", row(json!({ "name": user.name, "uuid": user.uuid }))),
        ("course", row(json!({ "uuid": course.uuid }))),
    ]
}
