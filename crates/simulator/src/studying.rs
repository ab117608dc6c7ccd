//! Actions of students: log in, open assets, submit, discuss.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::json;

use crate::calendar::to_column;
use crate::campus::{Assignment, Campus, Course, Submission, User};
use crate::context::Actor;
use crate::people;
use crate::rows::{merged, related_pseudonym, row};

/// The number of requirements in the module of a course.
const REQUIREMENTS: u32 = 6;

/// An asset of a course that a user opens.
struct CourseAsset<'a> {
    kind: &'static str,
    category: &'static str,
    id: u64,
    name: &'a str,
    /// The list within the asset that the user opens.
    list: Option<&'static str>,
    /// The name of a file in URLs.
    filename: Option<&'a str>,
}

impl Campus {
    pub(crate) fn log_in(&mut self, at: Timestamp, user: usize) {
        let session = self.rng.hex(32);
        let root = self.root_account_id();
        let Some(person) = self.users.get_mut(user) else {
            return;
        };
        person.session = Some(session.clone());
        let related = [related_pseudonym(person, root)];
        let columns = json!({ "session_id": session, "redirect_url": null });
        self.record_action(
            (at, Actor::User(user, None)),
            "logged_in",
            columns,
            &related,
        );
    }

    /// Logs a user in, unless they are logged in already.
    pub(crate) fn ensure_logged_in(&mut self, at: Timestamp, user: usize) {
        if self
            .users
            .get(user)
            .is_some_and(|person| person.session.is_none())
        {
            self.log_in(at, user);
        }
    }

    pub(crate) fn log_out(&mut self, at: Timestamp, user: usize) {
        if self
            .users
            .get(user)
            .is_none_or(|person| person.session.is_none())
        {
            return;
        }
        self.record_action((at, Actor::User(user, None)), "logged_out", json!({}), &[]);
        if let Some(person) = self.users.get_mut(user) {
            person.session = None;
        }
    }

    /// Lets a user open an asset of a course, or the course itself.
    pub(crate) fn open_asset(&mut self, at: Timestamp, user: usize, course_index: usize) {
        let choice = self.rng.below(6);
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let member = course.members.iter().find(|member| member.user == user);
        if member.is_none_or(|member| member.has_left) {
            return;
        }
        let role = member.map(|member| member.role.name());
        let course_page = |category, list| CourseAsset {
            kind: "course",
            category,
            id: course.id,
            name: &course.name,
            list: Some(list),
            filename: None,
        };
        let content = |kind, category, id, name| CourseAsset {
            kind,
            category,
            id,
            name,
            list: None,
            filename: None,
        };
        let asset = match choice {
            0 => self
                .rng
                .choose(&course.assignments)
                .map(|found| content("assignment", "assignments", found.id, found.title.as_str())),
            1 => self
                .rng
                .choose(&course.pages)
                .map(|page| content("wiki_page", "wiki", page.id, page.title.as_str())),
            2 => self.rng.choose(&course.files).map(|file| CourseAsset {
                filename: Some(&file.filename),
                ..content("attachment", "files", file.id, file.name.as_str())
            }),
            3 => Some(content(
                "discussion_topic",
                "topics",
                course.topic_id,
                &course.topic_title,
            )),
            4 => Some(course_page("assignments", "assignments")),
            _ => None,
        };
        let asset = asset.unwrap_or_else(|| course_page("home", "home"));
        let mut columns = json!({
            "asset_id": asset.id,
            "asset_name": asset.name,
            "asset_type": asset.kind,
            "asset_subtype": asset.list,
            "category": asset.category,
            "role": role,
            "level": null,
        });
        if let Some(filename) = asset.filename {
            let file_columns = json!({ "display_name": asset.name, "filename": filename });
            columns = merged(columns, file_columns);
        }
        let related = [self.related_course(course), self.related_root_account()];
        let when = (at, Actor::User(user, Some(course_index)));
        self.record_action(when, "asset_accessed", columns, &related);
    }

    /// Lets a student submit an assignment, for the first time or again.
    pub(crate) fn submit(
        &mut self,
        at: Timestamp,
        (course_index, assignment, member): (usize, usize, usize),
    ) {
        let text = people::paragraph(&mut self.rng, 25);
        let new_id = self.new_id();
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let (Some(assignment_data), Some(course_member)) = (
            course.assignments.get(assignment),
            course.active_member(member),
        ) else {
            return;
        };
        let Some(person) = self.users.get(course_member.user) else {
            return;
        };
        let previous = assignment_data.submissions.get(member).copied().flatten();
        let submission = Submission {
            id: previous.map_or(new_id, |submission| submission.id),
            attempt: previous.map_or(1, |submission| submission.attempt + 1),
            submitted_at: at,
        };
        let submitted = json!({
            "attempt": submission.attempt,
            "body": text,
            "submission_type": "online_text_entry",
            "submitted_at": to_column(at),
            "workflow_state": "submitted",
        });
        let when = (at, Actor::User(course_member.user, Some(course_index)));
        let related = self.related_to_submission(course, assignment_data, person);
        if previous.is_some() {
            self.update_row(when, ("Submission", submission.id), submitted, &related);
        } else {
            let columns = json!({
                "id": submission.id,
                "assignment_id": assignment_data.id,
                "user_id": person.id,
                "lti_user_id": person.lti_id,
                "cached_due_date": to_column(self.calendar.due_time(assignment_data.due_day)),
                "score": null,
                "grade": null,
                "graded_at": null,
                "posted_at": null,
                "grader_id": null,
                "excused": null,
                "group_id": null,
                "url": null,
                "updated_at": to_column(at),
            });
            self.insert_row(when, "Submission", merged(columns, submitted), &related);
        }
        self.store_submission((course_index, assignment, member), submission);
    }

    /// Stores the submission of a student.
    fn store_submission(
        &mut self,
        (course_index, assignment, member): (usize, usize, usize),
        submission: Submission,
    ) {
        let course = self.courses.get_mut(course_index);
        let assignment_data = course.and_then(|course| course.assignments.get_mut(assignment));
        if let Some(stored) = assignment_data.and_then(|found| found.submissions.get_mut(member)) {
            *stored = Some(submission);
        }
    }

    /// Returns the rows that are related to a submission.
    pub(crate) fn related_to_submission(
        &self,
        course: &Course,
        assignment_data: &Assignment,
        user: &User,
    ) -> [(&'static str, Row); 5] {
        let assignment = row(json!({
            "lti_context_id": assignment_data.lti_id,
            "points_possible": assignment_data.points,
            "grading_type": "points",
            "title": assignment_data.title,
        }));
        let user_columns = json!({ "uuid": user.uuid });
        [
            ("assignment", assignment),
            ("user", row(user_columns)),
            related_pseudonym(user, self.root_account_id()),
            self.related_course(course),
            self.related_root_account(),
        ]
    }

    pub(crate) fn take_quiz(&mut self, at: Timestamp, course_index: usize, member: usize) {
        let id = self.new_id();
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let Some(user) = course.active_member(member).map(|active| active.user) else {
            return;
        };
        let columns = json!({
            "id": id,
            "quiz_id": course.quiz_id,
            "workflow_state": "complete",
            "finished_at": to_column(at),
        });
        let when = (at, Actor::User(user, Some(course_index)));
        self.record_action(when, "quiz_submitted", columns, &[]);
    }

    /// Lets a student post an entry in the discussion of a course.
    pub(crate) fn post(&mut self, at: Timestamp, course_index: usize, member: usize) {
        let text = people::paragraph(&mut self.rng, 15);
        let id = self.new_id();
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let Some(user) = course.active_member(member).map(|active| active.user) else {
            return;
        };
        let columns = json!({
            "id": id,
            "discussion_topic_id": course.topic_id,
            "parent_id": null,
            "message": text,
            "user_id": self.users.get(user).map(|user| user.id),
            "workflow_state": "active",
            "deleted_at": null,
            "created_at": to_column(at),
            "updated_at": to_column(at),
        });
        let related = [("discussion_topic", row(json!({ "assignment_id": null })))];
        let when = (at, Actor::User(user, Some(course_index)));
        self.insert_row(when, "DiscussionEntry", columns, &related);
    }

    /// Lets a user write a message to the teacher of a course.
    pub(crate) fn write_to_teacher(&mut self, at: Timestamp, user: usize, course_index: usize) {
        let course = self.courses.get(course_index);
        let member =
            course.and_then(|course| course.members.iter().find(|member| member.user == user));
        if member.is_none_or(|member| member.has_left) {
            return;
        }
        let when = (at, Actor::User(user, Some(course_index)));
        let (conversation, message) = (self.new_id(), self.new_id());
        let author = self.users.get(user).map(|user| user.id);
        let columns = json!({ "id": conversation, "updated_at": to_column(at) });
        self.insert_row(when, "Conversation", columns, &[]);
        let columns = json!({
            "id": message,
            "conversation_id": conversation,
            "author_id": author,
            "generated": false,
            "created_at": to_column(at),
        });
        self.insert_row(when, "ConversationMessage", columns, &[]);
    }

    /// Lets a student meet a requirement of a module. A job reports the progress.
    pub(crate) fn meet_requirement(&mut self, at: Timestamp, course_index: usize, member: usize) {
        let course = self.courses.get_mut(course_index);
        let course_member = course.and_then(|course| course.members.get_mut(member));
        let Some(course_member) =
            course_member.filter(|found| !found.has_left && found.requirements_met < REQUIREMENTS)
        else {
            return;
        };
        course_member.requirements_met += 1;
        let (requirements_met, user) = (course_member.requirements_met, course_member.user);
        let (Some(course), Some(user)) = (self.courses.get(course_index), self.users.get(user))
        else {
            return;
        };
        let columns = json!({
            "course": {
                "id": course.id,
                "name": course.name,
                "account_id": self.accounts.get(course.account).map(|account| account.id),
                "sis_source_id": course.sis_id,
            },
            "progress": {
                "requirement_count": REQUIREMENTS,
                "requirement_completed_count": requirements_met,
                "next_requirement_url": null,
                "completed_at": (requirements_met == REQUIREMENTS).then(|| to_column(at)),
            },
            "user": {
                "id": user.id,
                "name": user.name,
                "email": format!("{}@fjord.example.edu", user.login),
            },
        });
        let when = (at, Actor::Job("CourseProgress.dispatch_live_event"));
        self.record_action(when, "course_progress", columns, &[]);
    }
}
