//! What students do: log in, read, hand in, discuss.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::json;

use crate::calendar::column;
use crate::campus::{Assignment, Campus, Course, Submission, User};
use crate::context::Actor;
use crate::people;
use crate::rows::{merged, pseudonym, row};

/// Requirements of the module of a course.
const REQUIREMENTS: u32 = 6;

/// What in a course is opened.
struct CourseAsset<'a> {
    kind: &'static str,
    category: &'static str,
    id: u64,
    name: &'a str,
    /// A list within it.
    list: Option<&'static str>,
    /// The name of a file in addresses.
    filename: Option<&'a str>,
}

impl Campus {
    pub(crate) fn log_in(&mut self, at: Timestamp, user: usize) {
        let session = self.chance.hex(32);
        let root = self.root();
        let Some(somebody) = self.users.get_mut(user) else {
            return;
        };
        somebody.session = Some(session.clone());
        let related = [pseudonym(somebody, root)];
        let with = json!({ "session_id": session, "redirect_url": null });
        self.acted((at, Actor::User(user, None)), "logged_in", with, &related);
    }

    /// Logs somebody in who is not, for what they do next.
    pub(crate) fn be_present(&mut self, at: Timestamp, user: usize) {
        if self.users.get(user).is_some_and(|it| it.session.is_none()) {
            self.log_in(at, user);
        }
    }

    pub(crate) fn log_out(&mut self, at: Timestamp, user: usize) {
        if self.users.get(user).is_none_or(|it| it.session.is_none()) {
            return;
        }
        self.acted((at, Actor::User(user, None)), "logged_out", json!({}), &[]);
        if let Some(somebody) = self.users.get_mut(user) {
            somebody.session = None;
        }
    }

    /// Somebody opens something in a course, or the course itself.
    pub(crate) fn open_asset(&mut self, at: Timestamp, user: usize, place: usize) {
        let which = self.chance.below(6);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let member = course.members.iter().find(|it| it.user == user);
        if member.is_none_or(|it| it.has_left) {
            return;
        }
        let role = member.map(|it| it.role.name());
        let of_course = |category, list| CourseAsset {
            kind: "course",
            category,
            id: course.id,
            name: &course.name,
            list: Some(list),
            filename: None,
        };
        let of_id = |kind, category, id, name| CourseAsset {
            kind,
            category,
            id,
            name,
            list: None,
            filename: None,
        };
        let asset = match which {
            0 => self
                .chance
                .one_of(&course.assignments)
                .map(|it| of_id("assignment", "assignments", it.id, it.title.as_str())),
            1 => self
                .chance
                .one_of(&course.pages)
                .map(|it| of_id("wiki_page", "wiki", it.id, it.title.as_str())),
            2 => self.chance.one_of(&course.files).map(|it| CourseAsset {
                filename: Some(&it.filename),
                ..of_id("attachment", "files", it.id, it.name.as_str())
            }),
            3 => Some(of_id(
                "discussion_topic",
                "topics",
                course.topic,
                &course.topic_title,
            )),
            4 => Some(of_course("assignments", "assignments")),
            _ => None,
        };
        let asset = asset.unwrap_or_else(|| of_course("home", "home"));
        let mut with = json!({
            "asset_id": asset.id,
            "asset_name": asset.name,
            "asset_type": asset.kind,
            "asset_subtype": asset.list,
            "category": asset.category,
            "role": role,
            "level": null,
        });
        if let Some(filename) = asset.filename {
            let of_file = json!({ "display_name": asset.name, "filename": filename });
            with = merged(with, of_file);
        }
        let related = [self.of_course(course), self.of_root_account()];
        let when = (at, Actor::User(user, Some(place)));
        self.acted(when, "asset_accessed", with, &related);
    }

    /// A student hands work in, for the first time or again.
    pub(crate) fn hand_in(
        &mut self,
        at: Timestamp,
        (place, assignment, member): (usize, usize, usize),
    ) {
        let text = people::paragraph(&mut self.chance, 25);
        let new_id = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (Some(work), Some(member_of)) =
            (course.assignments.get(assignment), course.there(member))
        else {
            return;
        };
        let Some(somebody) = self.users.get(member_of.user) else {
            return;
        };
        let known = work.submissions.get(member).copied().flatten();
        let submission = Submission {
            id: known.map_or(new_id, |it| it.id),
            attempt: known.map_or(1, |it| it.attempt + 1),
            submitted_at: at,
        };
        let handed_in = json!({
            "attempt": submission.attempt,
            "body": text,
            "submission_type": "online_text_entry",
            "submitted_at": column(at),
            "workflow_state": "submitted",
        });
        let when = (at, Actor::User(member_of.user, Some(place)));
        let related = self.of_submission(course, work, somebody);
        if known.is_some() {
            self.updated(when, ("Submission", submission.id), handed_in, &related);
        } else {
            let columns = json!({
                "id": submission.id,
                "assignment_id": work.id,
                "user_id": somebody.id,
                "lti_user_id": somebody.lti_id,
                "cached_due_date": column(self.calendar.due(work.due_day)),
                "score": null,
                "grade": null,
                "graded_at": null,
                "posted_at": null,
                "grader_id": null,
                "excused": null,
                "group_id": null,
                "url": null,
                "updated_at": column(at),
            });
            self.inserted(when, "Submission", merged(columns, handed_in), &related);
        }
        self.note(place, assignment, member, submission);
    }

    /// Notes what a student handed in.
    fn note(&mut self, place: usize, assignment: usize, member: usize, it: Submission) {
        let course = self.courses.get_mut(place);
        let work = course.and_then(|course| course.assignments.get_mut(assignment));
        if let Some(mine) = work.and_then(|work| work.submissions.get_mut(member)) {
            *mine = Some(it);
        }
    }

    /// What goes with a submission.
    pub(crate) fn of_submission(
        &self,
        course: &Course,
        work: &Assignment,
        user: &User,
    ) -> [(&'static str, Row); 5] {
        let assignment = row(json!({
            "lti_context_id": work.lti_id,
            "points_possible": work.points,
            "grading_type": "points",
            "title": work.title,
        }));
        let of_user = json!({ "uuid": user.uuid });
        [
            ("assignment", assignment),
            ("user", row(of_user)),
            pseudonym(user, self.root()),
            self.of_course(course),
            self.of_root_account(),
        ]
    }

    pub(crate) fn take_quiz(&mut self, at: Timestamp, place: usize, member: usize) {
        let id = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(user) = course.there(member).map(|it| it.user) else {
            return;
        };
        let with = json!({
            "id": id,
            "quiz_id": course.quiz,
            "workflow_state": "complete",
            "finished_at": column(at),
        });
        let when = (at, Actor::User(user, Some(place)));
        self.acted(when, "quiz_submitted", with, &[]);
    }

    /// A student says something in the discussion of a course.
    pub(crate) fn post(&mut self, at: Timestamp, place: usize, member: usize) {
        let text = people::paragraph(&mut self.chance, 15);
        let id = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(user) = course.there(member).map(|it| it.user) else {
            return;
        };
        let columns = json!({
            "id": id,
            "discussion_topic_id": course.topic,
            "parent_id": null,
            "message": text,
            "user_id": self.users.get(user).map(|it| it.id),
            "workflow_state": "active",
            "deleted_at": null,
            "created_at": column(at),
            "updated_at": column(at),
        });
        let related = [("discussion_topic", row(json!({ "assignment_id": null })))];
        let when = (at, Actor::User(user, Some(place)));
        self.inserted(when, "DiscussionEntry", columns, &related);
    }

    /// Somebody writes to the teacher of a course.
    pub(crate) fn write_to_teacher(&mut self, at: Timestamp, user: usize, place: usize) {
        let course = self.courses.get(place);
        let member = course.and_then(|it| it.members.iter().find(|it| it.user == user));
        if member.is_none_or(|it| it.has_left) {
            return;
        }
        let when = (at, Actor::User(user, Some(place)));
        let (conversation, message) = (self.new_id(), self.new_id());
        let author = self.users.get(user).map(|it| it.id);
        let columns = json!({ "id": conversation, "updated_at": column(at) });
        self.inserted(when, "Conversation", columns, &[]);
        let columns = json!({
            "id": message,
            "conversation_id": conversation,
            "author_id": author,
            "generated": false,
            "created_at": column(at),
        });
        self.inserted(when, "ConversationMessage", columns, &[]);
    }

    /// A student meets a requirement of a module, which a job tells.
    pub(crate) fn progress(&mut self, at: Timestamp, place: usize, member: usize) {
        let course = self.courses.get_mut(place);
        let who = course.and_then(|it| it.members.get_mut(member));
        let Some(who) = who.filter(|it| !it.has_left && it.requirements_met < REQUIREMENTS) else {
            return;
        };
        who.requirements_met += 1;
        let (done, user) = (who.requirements_met, who.user);
        let (Some(course), Some(user)) = (self.courses.get(place), self.users.get(user)) else {
            return;
        };
        let with = json!({
            "course": {
                "id": course.id,
                "name": course.name,
                "account_id": self.accounts.get(course.account).map(|it| it.id),
                "sis_source_id": course.sis_id,
            },
            "progress": {
                "requirement_count": REQUIREMENTS,
                "requirement_completed_count": done,
                "next_requirement_url": null,
                "completed_at": (done == REQUIREMENTS).then(|| column(at)),
            },
            "user": {
                "id": user.id,
                "name": user.name,
                "email": format!("{}@fjord.example.edu", user.login),
            },
        });
        let when = (at, Actor::Job("CourseProgress.dispatch_live_event"));
        self.acted(when, "course_progress", with, &[]);
    }
}
