//! The day before the term: accounts, people and courses come into being.

use jiff::Timestamp;
use serde_json::json;

use crate::calendar::column;
use crate::campus::{Account, Campus, Course, Member, Role, User};
use crate::context::By;
use crate::people;
use crate::rows::{enrollment_row, enrollment_state_row, pseudonym, row, user_row};

/// Students of a course, about.
const COURSE_SIZE: u32 = 30;
/// Courses of a student.
const COURSES_EACH: u32 = 4;

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_2) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

/// What an import from a student information system is run by.
const IMPORT: By = By::Job("SisBatch#process_without_send_later");

/// Somebody who is made with the campus: the administrator.
pub(crate) const ADMINISTRATOR: usize = 0;

impl Campus {
    /// Everything that is there when the term begins.
    pub(crate) fn open(&mut self) {
        let at = self.calendar.at(0, 0);
        self.open_accounts(at);
        self.new_user(at, Some(ADMINISTRATOR), false);
        self.announce(at);
        let students = std::cmp::max(self.options.students, 1);
        let courses = (students * COURSES_EACH).div_ceil(COURSE_SIZE);
        let teachers: Vec<_> = (0..courses.div_ceil(2))
            .map(|_| self.new_user(at, None, false))
            .collect();
        let assistants: Vec<_> = (0..courses.div_ceil(4))
            .map(|_| self.new_user(at, None, false))
            .collect();
        let observer = self.new_user(at, None, false);
        let students: Vec<_> = (0..students)
            .map(|_| self.new_user(at, None, true))
            .collect();
        self.open_outcomes(at);
        for number in 0..courses as usize {
            let teacher = self.chance.one_of(&teachers).copied();
            let teacher = teacher.unwrap_or(ADMINISTRATOR);
            self.open_course(at, number, teacher);
            if let Some(assistant) = self.chance.one_of(&assistants).copied() {
                self.enroll(at, number, assistant, Role::Ta);
            }
        }
        for (number, student) in students.into_iter().enumerate() {
            // Where there are fewer courses than that, all of them.
            for round in 0..std::cmp::min(COURSES_EACH, courses) as usize {
                let course = (number + round * 7) % courses as usize;
                self.enroll(at, course, student, Role::Student);
            }
        }
        self.enroll(at, 0, observer, Role::Observer);
        for course in 0..self.courses.len() {
            self.group_members(at, course);
        }
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
            self.accounts.push(Account {
                id,
                uuid: uuid.clone(),
            });
            let root = self.accounts.first().map(|it| it.id);
            let above = root.filter(|root| *root != id);
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
            let root = self.root_account();
            self.inserted((at, IMPORT), "Account", columns, &[("root_account", root)]);
        }
    }

    fn announce(&mut self, at: Timestamp) {
        let columns = json!({
            "id": self.new_id(),
            "account_id": self.accounts.first().map(|it| it.id),
            "subject": "Welcome back",
            "message": people::paragraph(&mut self.chance, 12),
            "icon": "information",
            "start_at": column(at),
            "end_at": column(self.calendar.at(7, 0)),
        });
        let by = By::User(ADMINISTRATOR, None);
        self.inserted((at, by), "AccountNotification", columns, &[]);
    }

    /// A new user, who belongs to the root account; `administers` is the place of one who does.
    fn new_user(&mut self, at: Timestamp, administers: Option<usize>, is_student: bool) -> usize {
        let (given, family) = people::name(&mut self.chance);
        let id = self.new_id();
        let place = self.users.len();
        let user = User {
            id,
            name: format!("{given} {family}"),
            login: format!("{}.{}{place}", given.to_lowercase(), family.to_lowercase()),
            sis_id: format!("{}-{place:06}", if is_student { "S" } else { "E" }),
            uuid: self.chance.letters(40),
            lti_id: self.chance.hex(40),
            session: None,
            agent: self.chance.word(&AGENTS),
            address: format!("192.0.2.{}", self.chance.between(1, 254)),
            courses: Vec::new(),
        };
        let root = self.accounts.first().map(|it| it.id);
        let login = pseudonym(&user, root);
        let columns = user_row(&user, at);
        self.users.push(user);
        self.inserted((at, IMPORT), "User", columns, &[("pseudonym", login)]);
        let association = json!({
            "id": self.new_id(),
            "user_id": id,
            "account_id": root,
            "created_at": column(at),
            "updated_at": column(at),
        });
        let account = row(json!({ "uuid": self.accounts.first().map(|it| it.uuid.as_str()) }));
        let mut related = vec![("account", account)];
        if administers == Some(place) {
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
    pub(crate) fn enroll(&mut self, at: Timestamp, course: usize, user: usize, role: Role) {
        let member = Member {
            user,
            enrollment: self.new_id(),
            role,
            has_left: false,
            created_at: at,
            score: self.new_id(),
            score_now: None,
            points: 0.0,
            points_possible: 0.0,
            result: None,
        };
        let (Some(of), Some(somebody)) = (self.courses.get(course), self.users.get(user)) else {
            return;
        };
        let columns = enrollment_row(of, &member, somebody, at);
        let related = enrollment_related(of, somebody);
        let state = enrollment_state_row(&member, 0);
        if let Some(of) = self.courses.get_mut(course) {
            of.members.push(member);
            for assignment in &mut of.assignments {
                assignment.submissions.push(None);
            }
        }
        if let Some(user) = self.users.get_mut(user) {
            user.courses.push(course);
        }
        self.inserted((at, IMPORT), "Enrollment", columns, &related);
        self.inserted((at, IMPORT), "EnrollmentState", state, &[]);
    }
}

/// What goes with an enrollment.
pub(crate) fn enrollment_related(
    course: &Course,
    user: &User,
) -> [(&'static str, easel_triggers::Row); 2] {
    [
        ("user", row(json!({ "name": user.name, "uuid": user.uuid }))),
        ("course", row(json!({ "uuid": course.uuid }))),
    ]
}
