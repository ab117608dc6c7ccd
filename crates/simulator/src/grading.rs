//! What teachers do with what was handed in.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::json;

use crate::calendar::{column, later};
use crate::campus::{Campus, Course, CourseMember, Submission};
use crate::context::Actor;
use crate::rows::{merged, row};

impl Campus {
    /// A teacher grades what a student handed in; what was not is left as it is.
    pub(crate) fn grade(
        &mut self,
        at: Timestamp,
        (place, assignment, member): (usize, usize, usize),
    ) {
        let share = self.chance.between(4, 20);
        let Some(course) = self.courses.get_mut(place) else {
            return;
        };
        let (Some(work), Some(who)) = (
            course.assignments.get(assignment),
            course.members.get_mut(member),
        ) else {
            return;
        };
        let Some(submission) = work.submissions.get(member).copied().flatten() else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "at most 20")]
        let score = share as f64 / 20.0 * work.points;
        who.points += score;
        who.points_possible += work.points;
        let (who, teacher, work) = (who.user, course.teacher, work.clone());
        let (Some(course), Some(user)) = (self.courses.get(place), self.users.get(who)) else {
            return;
        };
        let graded = json!({
            "score": score,
            "grade": score.to_string(),
            "graded_at": column(at),
            "posted_at": column(at),
            "grader_id": self.users.get(teacher).map(|it| it.id),
            "workflow_state": "graded",
        });
        let related = self.of_submission(course, &work, user);
        let by = Actor::User(teacher, Some(place));
        self.updated((at, by), ("Submission", submission.id), graded, &related);
        self.rescore(later(at, 1), place, member);
        if self.chance.percent(15) {
            self.comment((later(at, 2), by), submission, teacher);
        }
        if self.chance.percent(20) {
            let assessed = (submission, work.id, score / work.points);
            self.assess((later(at, 3), by), (place, member), assessed);
        }
    }

    /// The score of a course is computed again, by a job.
    fn rescore(&mut self, at: Timestamp, place: usize, member: usize) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(who) = course.members.get(member) else {
            return;
        };
        let now = (who.points / who.points_possible * 1000.0).round() / 10.0;
        let computed = json!({
            "current_score": now,
            "final_score": now,
            "unposted_current_score": now,
            "unposted_final_score": now,
        });
        let (score, related) = (who.score, self.of_score(course, who));
        let by = Actor::Job("GradeCalculator.recompute_final_score");
        self.updated((at, by), ("Score", score), computed, &related);
    }

    /// The teacher decides the grade of a course by hand.
    pub(crate) fn override_grade(&mut self, at: Timestamp, place: usize, member: usize) {
        let by_hand = self.chance.between(60, 100);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(who) = course.members.get(member) else {
            return;
        };
        let (score, related) = (who.score, self.of_score(course, who));
        let when = (at, Actor::User(course.teacher, Some(place)));
        let decided = json!({ "override_score": by_hand });
        self.updated(when, ("Score", score), decided, &related);
    }

    fn of_score(&self, course: &Course, member: &CourseMember) -> [(&'static str, Row); 3] {
        let enrollment = row(json!({
            "id": member.enrollment,
            "user_id": self.users.get(member.user).map(|it| it.id),
            "course_id": course.id,
        }));
        [
            ("enrollment", enrollment),
            self.of_course(course),
            self.of_root_account(),
        ]
    }

    fn comment(&mut self, when: (Timestamp, Actor), submission: Submission, teacher: usize) {
        let columns = json!({
            "id": self.new_id(),
            "submission_id": submission.id,
            "author_id": self.users.get(teacher).map(|it| it.id),
            "comment": "Well reasoned; see the notes in the margin.",
            "attachment_ids": null,
            "created_at": column(when.0),
        });
        self.inserted(when, "SubmissionComment", columns, &[]);
    }

    /// The teacher assesses with a rubric, and the student's result for an outcome follows.
    fn assess(
        &mut self,
        when: (Timestamp, Actor),
        (place, member): (usize, usize),
        (submission, assignment, share): (Submission, u64, f64),
    ) {
        let (assessment, result) = (self.new_id(), self.new_id());
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(who) = course.members.get(member) else {
            return;
        };
        let Some(user) = self.users.get(who.user) else {
            return;
        };
        let at = column(when.0);
        let columns = json!({
            "id": assessment,
            "artifact_id": submission.id,
            "artifact_type": "Submission",
            "assessment_type": "grading",
            "created_at": at,
            "updated_at": at,
        });
        let of_submission = json!({
            "submitted_at": column(submission.submitted_at),
            "attempt": submission.attempt,
        });
        let related = [
            (
                "rubric_association",
                row(json!({ "workflow_state": "active" })),
            ),
            ("rubric", row(json!({ "aligned_to_outcomes": true }))),
            ("submission", row(of_submission)),
            self.of_course(course),
        ];
        let points = (share * 5.0).round();
        let assessed = json!({
            "score": points,
            "percent": points / 5.0,
            "mastery": points >= 3.0,
            "attempt": submission.attempt,
            "artifact_id": assessment,
            "associated_asset_id": assignment,
            "assessed_at": at,
        });
        let new = json!({
            "id": result,
            "learning_outcome_id": self.outcomes.id,
            "context_id": course.id,
            "context_type": "Course",
            "user_id": user.id,
            "possible": 5.0,
            "original_score": points,
            "original_possible": 5.0,
            "original_mastery": points >= 3.0,
            "artifact_type": "RubricAssessment",
            "associated_asset_type": "Assignment",
            "workflow_state": "active",
            "created_at": at,
            "updated_at": at,
        });
        let of_result = [
            ("user", row(json!({ "uuid": user.uuid }))),
            ("learning_outcome_context", self.root_account()),
            (
                "artifact",
                row(json!({ "created_at": at, "updated_at": at })),
            ),
            self.of_course(course),
        ];
        let known = who.result;
        self.inserted(when, "RubricAssessment", columns, &related);
        let when = (later(when.0, 1), when.1);
        match known {
            Some(known) => {
                let result = ("LearningOutcomeResult", known);
                self.updated(when, result, assessed, &of_result);
            }
            None => {
                let columns = merged(new, assessed);
                self.inserted(when, "LearningOutcomeResult", columns, &of_result);
            }
        }
        let course = self.courses.get_mut(place);
        if let Some(who) = course.and_then(|it| it.members.get_mut(member)) {
            who.result = Some(known.unwrap_or(result));
        }
    }
}
