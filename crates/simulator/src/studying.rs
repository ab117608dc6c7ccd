//! What students do: log in, read, hand in, discuss.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::json;

use crate::calendar::column;
use crate::campus::{Assignment, Campus, Course, Submission, User};
use crate::context::By;
use crate::people;
use crate::rows::{merged, pseudonym, row};

impl Campus {
    pub(crate) fn log_in(&mut self, at: Timestamp, user: usize) {
        let session = self.chance.hex(32);
        let root = self.accounts.first().map(|it| it.id);
        let Some(somebody) = self.users.get_mut(user) else {
            return;
        };
        somebody.session = Some(session.clone());
        let related = [("pseudonym", pseudonym(somebody, root))];
        let with = json!({ "session_id": session, "redirect_url": null });
        self.acted((at, By::User(user, None)), "logged_in", with, &related);
    }

    pub(crate) fn log_out(&mut self, at: Timestamp, user: usize) {
        self.acted((at, By::User(user, None)), "logged_out", json!({}), &[]);
        if let Some(somebody) = self.users.get_mut(user) {
            somebody.session = None;
        }
    }

    /// Somebody opens something in a course, or the course itself.
    pub(crate) fn open_asset(&mut self, at: Timestamp, user: usize, place: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let role = course.members.iter().find(|it| it.user == user);
        let role = role.map(|it| it.role.name());
        let chance = &mut self.chance;
        let (kind, category, id, name, list) = match chance.below(6) {
            0 => (
                "course",
                "home",
                course.id,
                Some(&course.name),
                Some("home"),
            ),
            1 => (
                "course",
                "assignments",
                course.id,
                Some(&course.name),
                Some("assignments"),
            ),
            2 => {
                let work = chance.one_of(&course.assignments);
                let id = work.map_or(course.id, |it| it.id);
                (
                    "assignment",
                    "assignments",
                    id,
                    work.map(|it| &it.title),
                    None,
                )
            }
            3 => {
                let page = chance.one_of(&course.pages);
                let id = page.map_or(course.id, |it| it.id);
                ("wiki_page", "wiki", id, page.map(|it| &it.title), None)
            }
            4 => {
                let file = chance.one_of(&course.files);
                let id = file.map_or(course.id, |it| it.id);
                ("attachment", "files", id, file.map(|it| &it.name), None)
            }
            _ => (
                "discussion_topic",
                "topics",
                course.topic,
                Some(&course.topic_title),
                None,
            ),
        };
        let mut with = json!({
            "asset_id": id,
            "asset_name": name,
            "asset_type": kind,
            "asset_subtype": list,
            "category": category,
            "role": role,
            "level": null,
        });
        if kind == "attachment" {
            let filename = name.map(|it| it.replace(' ', "_"));
            with = merged(with, json!({ "display_name": name, "filename": filename }));
        }
        let related = [
            ("course", row(self.course_row(course))),
            ("root_account", self.root_account()),
        ];
        self.acted(
            (at, By::User(user, Some(place))),
            "asset_accessed",
            with,
            &related,
        );
    }

    /// A student hands work in, for the first time or again.
    pub(crate) fn hand_in(
        &mut self,
        at: Timestamp,
        place: usize,
        assignment: usize,
        member: usize,
    ) {
        let text = people::paragraph(&mut self.chance, 25);
        let id = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (Some(work), Some(user)) = (
            course.assignments.get(assignment),
            course.members.get(member).map(|it| it.user),
        ) else {
            return;
        };
        let Some(somebody) = self.users.get(user) else {
            return;
        };
        let before = work.submissions.get(member).cloned().flatten();
        let before_columns = before
            .as_ref()
            .map(|before| self.submission_row(before, work, somebody));
        let submission = Submission {
            id: before.as_ref().map_or(id, |it| it.id),
            attempt: before.as_ref().map_or(1, |it| it.attempt + 1),
            body: Some(text),
            submitted_at: Some(at),
            updated_at: at,
            score: None,
            graded_at: None,
            grader: None,
            state: "submitted",
            assessment: None,
        };
        let columns = self.submission_row(&submission, work, somebody);
        let related = self.of_submission(course, work, somebody);
        let places = self
            .courses
            .get_mut(place)
            .and_then(|it| it.assignments.get_mut(assignment));
        if let Some(mine) = places.and_then(|it| it.submissions.get_mut(member)) {
            *mine = Some(submission);
        }
        let by = By::User(user, Some(place));
        match before_columns {
            Some(before) => self.updated((at, by), "Submission", (before, columns), &related),
            None => self.inserted((at, by), "Submission", columns, &related),
        }
    }

    /// What goes with a submission.
    pub(crate) fn of_submission(
        &self,
        course: &Course,
        work: &Assignment,
        user: &User,
    ) -> [(&'static str, Row); 5] {
        let root = self.accounts.first().map(|it| it.id);
        let assignment = row(json!({
            "lti_context_id": work.lti_id,
            "points_possible": work.points,
            "grading_type": "points",
            "title": work.title,
        }));
        [
            ("assignment", assignment),
            (
                "user",
                row(json!({ "lti_context_id": user.lti_id, "uuid": user.uuid })),
            ),
            ("pseudonym", pseudonym(user, root)),
            ("course", row(self.course_row(course))),
            ("root_account", self.root_account()),
        ]
    }

    pub(crate) fn take_quiz(&mut self, at: Timestamp, place: usize, member: usize) {
        let id = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(user) = course.members.get(member).map(|it| it.user) else {
            return;
        };
        let with = json!({
            "id": id,
            "quiz_id": course.quiz,
            "workflow_state": "complete",
            "finished_at": column(at),
        });
        self.acted(
            (at, By::User(user, Some(place))),
            "quiz_submitted",
            with,
            &[],
        );
    }

    /// A student says something in the discussion of a course.
    pub(crate) fn post(&mut self, at: Timestamp, place: usize, member: usize) {
        let text = people::paragraph(&mut self.chance, 15);
        let id = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(user) = course.members.get(member).map(|it| it.user) else {
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
        self.inserted(
            (at, By::User(user, Some(place))),
            "DiscussionEntry",
            columns,
            &related,
        );
    }

    /// Somebody writes to the teacher of a course.
    pub(crate) fn write_to_teacher(&mut self, at: Timestamp, user: usize, place: usize) {
        let by = By::User(user, Some(place));
        let (conversation, message) = (self.new_id(), self.new_id());
        let author = self.users.get(user).map(|it| it.id);
        let columns = json!({ "id": conversation, "updated_at": column(at) });
        self.inserted((at, by), "Conversation", columns, &[]);
        let columns = json!({
            "id": message,
            "conversation_id": conversation,
            "author_id": author,
            "generated_template": false,
            "created_at": column(at),
        });
        self.inserted((at, by), "ConversationMessage", columns, &[]);
    }

    /// A student meets a requirement of a module, which a job tells.
    pub(crate) fn progress(&mut self, at: Timestamp, place: usize, member: usize) {
        let done = self.chance.between(1, 6);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let user = course
            .members
            .get(member)
            .and_then(|it| self.users.get(it.user));
        let Some(user) = user else {
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
                "requirement_count": 6,
                "requirement_completed_count": done,
                "next_requirement_url": null,
                "completed_at": (done == 6).then(|| column(at)),
            },
            "user": {
                "id": user.id,
                "name": user.name,
                "email": format!("{}@fjord.example.edu", user.login),
            },
        });
        let by = By::Job("CourseProgress.dispatch_live_event");
        self.acted((at, by), "course_progress", with, &[]);
    }
}
