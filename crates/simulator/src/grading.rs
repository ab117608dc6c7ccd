//! Grades, comments and assessments by teachers.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::json;

use crate::calendar::{later, to_column};
use crate::campus::{Campus, Course, CourseMember, Submission};
use crate::context::Actor;
use crate::rows::{merged, row};

impl Campus {
    /// Lets the teacher grade the submission of a student. Does nothing if there is no submission.
    pub(crate) fn grade(
        &mut self,
        at: Timestamp,
        (course_index, assignment, member): (usize, usize, usize),
    ) {
        let twentieths = self.rng.between(4, 20);
        let Some(course) = self.courses.get_mut(course_index) else {
            return;
        };
        let (Some(assignment_data), Some(course_member)) = (
            course.assignments.get(assignment),
            course.members.get_mut(member),
        ) else {
            return;
        };
        let Some(submission) = assignment_data.submissions.get(member).copied().flatten() else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "at most 20")]
        let score = twentieths as f64 / 20.0 * assignment_data.points;
        course_member.points += score;
        course_member.points_possible += assignment_data.points;
        let (student, teacher, assignment_data) =
            (course_member.user, course.teacher, assignment_data.clone());
        let (Some(course), Some(user)) = (self.courses.get(course_index), self.users.get(student))
        else {
            return;
        };
        let graded = json!({
            "score": score,
            "grade": score.to_string(),
            "graded_at": to_column(at),
            "posted_at": to_column(at),
            "grader_id": self.users.get(teacher).map(|user| user.id),
            "workflow_state": "graded",
        });
        let related = self.related_to_submission(course, &assignment_data, user);
        let by = Actor::User(teacher, Some(course_index));
        self.update_row((at, by), ("Submission", submission.id), graded, &related);
        self.rescore(later(at, 1), course_index, member);
        if self.rng.chance(15) {
            self.comment((later(at, 2), by), submission, teacher);
        }
        if self.rng.chance(20) {
            let assessed = (
                submission,
                assignment_data.id,
                score / assignment_data.points,
            );
            self.assess((later(at, 3), by), (course_index, member), assessed);
        }
    }

    /// Lets a job compute the course score of a member again.
    fn rescore(&mut self, at: Timestamp, course_index: usize, member: usize) {
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let Some(course_member) = course.members.get(member) else {
            return;
        };
        let percent =
            (course_member.points / course_member.points_possible * 1000.0).round() / 10.0;
        let computed = json!({
            "current_score": percent,
            "final_score": percent,
            "unposted_current_score": percent,
            "unposted_final_score": percent,
        });
        let (score, related) = (
            course_member.score_id,
            self.related_to_score(course, course_member),
        );
        let by = Actor::Job("GradeCalculator.recompute_final_score");
        self.update_row((at, by), ("Score", score), computed, &related);
    }

    /// Lets the teacher override the course grade of a member.
    pub(crate) fn override_grade(&mut self, at: Timestamp, course_index: usize, member: usize) {
        let override_score = self.rng.between(60, 100);
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let Some(course_member) = course.members.get(member) else {
            return;
        };
        let (score, related) = (
            course_member.score_id,
            self.related_to_score(course, course_member),
        );
        let when = (at, Actor::User(course.teacher, Some(course_index)));
        let decided = json!({ "override_score": override_score });
        self.update_row(when, ("Score", score), decided, &related);
    }

    fn related_to_score(&self, course: &Course, member: &CourseMember) -> [(&'static str, Row); 3] {
        let enrollment = row(json!({
            "id": member.enrollment_id,
            "user_id": self.users.get(member.user).map(|user| user.id),
            "course_id": course.id,
        }));
        [
            ("enrollment", enrollment),
            self.related_course(course),
            self.related_root_account(),
        ]
    }

    fn comment(&mut self, when: (Timestamp, Actor), submission: Submission, teacher: usize) {
        let columns = json!({
            "id": self.new_id(),
            "submission_id": submission.id,
            "author_id": self.users.get(teacher).map(|user| user.id),
            "comment": "Well reasoned; see the notes in the margin.",
            "attachment_ids": null,
            "created_at": to_column(when.0),
        });
        self.insert_row(when, "SubmissionComment", columns, &[]);
    }

    /// Lets the teacher assess with a rubric, and stores the outcome result of the student.
    fn assess(
        &mut self,
        when: (Timestamp, Actor),
        (course_index, member): (usize, usize),
        (submission, assignment, score_fraction): (Submission, u64, f64),
    ) {
        let (assessment, result) = (self.new_id(), self.new_id());
        let Some(course) = self.courses.get(course_index) else {
            return;
        };
        let Some(course_member) = course.members.get(member) else {
            return;
        };
        let Some(user) = self.users.get(course_member.user) else {
            return;
        };
        let at = to_column(when.0);
        let columns = json!({
            "id": assessment,
            "artifact_id": submission.id,
            "artifact_type": "Submission",
            "assessment_type": "grading",
            "created_at": at,
            "updated_at": at,
        });
        let submission_columns = json!({
            "submitted_at": to_column(submission.submitted_at),
            "attempt": submission.attempt,
        });
        let related = [
            (
                "rubric_association",
                row(json!({ "workflow_state": "active" })),
            ),
            ("rubric", row(json!({ "aligned_to_outcomes": true }))),
            ("submission", row(submission_columns)),
            self.related_course(course),
        ];
        let points = (score_fraction * 5.0).round();
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
            "learning_outcome_id": self.outcome_ids.id,
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
        let related_to_result = [
            ("user", row(json!({ "uuid": user.uuid }))),
            ("learning_outcome_context", self.root_account_row()),
            (
                "artifact",
                row(json!({ "created_at": at, "updated_at": at })),
            ),
            self.related_course(course),
        ];
        let existing = course_member.result_id;
        self.insert_row(when, "RubricAssessment", columns, &related);
        let when = (later(when.0, 1), when.1);
        match existing {
            Some(existing) => {
                let result = ("LearningOutcomeResult", existing);
                self.update_row(when, result, assessed, &related_to_result);
            }
            None => {
                let columns = merged(new, assessed);
                self.insert_row(when, "LearningOutcomeResult", columns, &related_to_result);
            }
        }
        let course = self.courses.get_mut(course_index);
        if let Some(course_member) = course.and_then(|course| course.members.get_mut(member)) {
            course_member.result_id = Some(existing.unwrap_or(result));
        }
    }
}
