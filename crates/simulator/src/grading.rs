//! What teachers do with what was handed in.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::{column, later};
use crate::campus::{Campus, Course, Member, Submission};
use crate::context::By;
use crate::rows::row;

impl Campus {
    /// A teacher grades what a student handed in; what was not is left as it is.
    pub(crate) fn grade(&mut self, at: Timestamp, place: usize, assignment: usize, member: usize) {
        let points = self.chance.between(4, 20);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (Some(work), Some(who)) = (
            course.assignments.get(assignment),
            course.members.get(member),
        ) else {
            return;
        };
        let (Some(before), Some(user)) = (
            work.submissions.get(member).cloned().flatten(),
            self.users.get(who.user),
        ) else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "at most 20")]
        let score = points as f64 / 20.0 * work.points;
        let graded = Submission {
            score: Some(score),
            graded_at: Some(at),
            updated_at: at,
            state: "graded",
            grader: self.users.get(course.teacher).map(|it| it.id),
            ..before.clone()
        };
        let rows = (
            self.submission_row(&before, work, user),
            self.submission_row(&graded, work, user),
        );
        let related = self.of_submission(course, work, user);
        let by = By::User(course.teacher, Some(place));
        let possible = work.points;
        let submission = graded.clone();
        if let Some(course) = self.courses.get_mut(place) {
            let work = course.assignments.get_mut(assignment);
            if let Some(mine) = work.and_then(|it| it.submissions.get_mut(member)) {
                *mine = Some(graded);
            }
            if let Some(who) = course.members.get_mut(member) {
                who.points += score;
                who.points_possible += possible;
            }
        }
        self.updated((at, by), "Submission", rows, &related);
        self.rescore(later(at, 1), place, member);
        if self.chance.percent(15) {
            self.comment(later(at, 2), place, &submission);
        }
        if self.chance.percent(20) {
            self.assess(later(at, 3), (place, assignment, member), submission);
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
        let rows = (
            score_row(who, who.score_now, None, who.created_at),
            score_row(who, Some(now), None, at),
        );
        let related = self.of_score(course, who);
        if let Some(who) = self
            .courses
            .get_mut(place)
            .and_then(|it| it.members.get_mut(member))
        {
            who.score_now = Some(now);
        }
        let by = By::Job("GradeCalculator.recompute_final_score");
        self.updated((at, by), "Score", rows, &related);
    }

    /// The teacher decides the grade of a course by hand.
    pub(crate) fn override_grade(&mut self, at: Timestamp, place: usize, member: usize) {
        let to = self.chance.between(60, 100);
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(who) = course.members.get(member) else {
            return;
        };
        let rows = (
            score_row(who, who.score_now, None, who.created_at),
            score_row(who, who.score_now, Some(to), at),
        );
        let related = self.of_score(course, who);
        let by = By::User(course.teacher, Some(place));
        self.updated((at, by), "Score", rows, &related);
    }

    fn of_score(&self, course: &Course, member: &Member) -> [(&'static str, Row); 3] {
        let enrollment = row(json!({
            "id": member.enrollment,
            "user_id": self.users.get(member.user).map(|it| it.id),
            "course_id": course.id,
            "workflow_state": "active",
            "created_at": column(member.created_at),
            "updated_at": column(member.created_at),
        }));
        [
            ("enrollment", enrollment),
            ("course", row(self.course_row(course))),
            ("root_account", self.root_account()),
        ]
    }

    fn comment(&mut self, at: Timestamp, place: usize, submission: &Submission) {
        let id = self.new_id();
        let Some(teacher) = self.courses.get(place).map(|it| it.teacher) else {
            return;
        };
        let columns = json!({
            "id": id,
            "submission_id": submission.id,
            "author_id": self.users.get(teacher).map(|it| it.id),
            "comment": "Well reasoned; see the notes in the margin.",
            "attachment_ids": [],
            "created_at": column(at),
        });
        let by = By::User(teacher, Some(place));
        self.inserted((at, by), "SubmissionComment", columns, &[]);
    }

    /// The teacher assesses with a rubric, and the student's result for an outcome follows.
    fn assess(
        &mut self,
        at: Timestamp,
        (place, assignment, member): (usize, usize, usize),
        mut submission: Submission,
    ) {
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let (teacher, uuid) = (course.teacher, course.uuid.clone());
        let by = By::User(teacher, Some(place));
        let is_first = submission.assessment.is_none();
        let assessment = match submission.assessment {
            Some(known) => known,
            None => self.new_id(),
        };
        submission.assessment = Some(assessment);
        let columns = json!({
            "id": assessment,
            "artifact_id": submission.id,
            "artifact_type": "Submission",
            "assessment_type": "grading",
            "created_at": column(at),
            "updated_at": column(at),
        });
        let related = [
            (
                "rubric_association",
                row(json!({ "workflow_state": "active" })),
            ),
            ("rubric", row(json!({ "aligned_to_outcomes": true }))),
            ("course", row(json!({ "uuid": uuid }))),
            (
                "submission",
                row(json!({
                    "submitted_at": submission.submitted_at.map(column),
                    "attempt": submission.attempt,
                })),
            ),
        ];
        if is_first {
            self.inserted((at, by), "RubricAssessment", columns, &related);
        } else {
            let rows = (columns.clone(), columns);
            self.updated((at, by), "RubricAssessment", rows, &related);
        }
        self.result(later(at, 1), (place, assignment, member), &submission);
        let work = self
            .courses
            .get_mut(place)
            .and_then(|it| it.assignments.get_mut(assignment));
        if let Some(mine) = work.and_then(|it| it.submissions.get_mut(member)) {
            *mine = Some(submission);
        }
    }

    fn result(
        &mut self,
        at: Timestamp,
        (place, assignment, member): (usize, usize, usize),
        submission: &Submission,
    ) {
        let id = self.new_id();
        let Some(course) = self.courses.get(place) else {
            return;
        };
        let Some(who) = course.members.get(member) else {
            return;
        };
        let (known, teacher) = (who.result, course.teacher);
        let assignment = course.assignments.get(assignment).map(|it| it.id);
        let user = self.users.get(who.user);
        let related = [
            (
                "user",
                row(json!({ "uuid": user.map(|it| it.uuid.as_str()) })),
            ),
            ("course", row(json!({ "uuid": course.uuid }))),
            ("learning_outcome_context", self.root_account()),
            (
                "artifact",
                row(json!({
                    "created_at": column(submission.updated_at),
                    "updated_at": column(submission.updated_at),
                })),
            ),
        ];
        let columns = |id: u64, score: f64, assessed: Timestamp| {
            json!({
                "id": id,
                "learning_outcome_id": self.outcomes.id,
                "context_id": course.id,
                "context_type": "Course",
                "user_id": user.map(|it| it.id),
                "score": score,
                "possible": 5.0,
                "percent": score / 5.0,
                "mastery": score >= 3.0,
                "original_score": score,
                "original_possible": 5.0,
                "original_mastery": score >= 3.0,
                "attempt": submission.attempt,
                "artifact_id": submission.assessment,
                "artifact_type": "RubricAssessment",
                "associated_asset_id": assignment,
                "associated_asset_type": "Assignment",
                "assessed_at": column(assessed),
                "workflow_state": "active",
                "created_at": column(who.created_at),
                "updated_at": column(assessed),
            })
        };
        let score = (submission.score.unwrap_or(0.0) / 2.0).round();
        let by = By::User(teacher, Some(place));
        match known {
            Some(id) => {
                let rows = (columns(id, 2.5, who.created_at), columns(id, score, at));
                self.updated((at, by), "LearningOutcomeResult", rows, &related);
            }
            None => {
                let columns = columns(id, score, at);
                self.inserted((at, by), "LearningOutcomeResult", columns, &related);
            }
        }
        if let Some(who) = self
            .courses
            .get_mut(place)
            .and_then(|it| it.members.get_mut(member))
        {
            who.result = Some(known.unwrap_or(id));
        }
    }
}

fn score_row(member: &Member, score: Option<f64>, by_hand: Option<i64>, at: Timestamp) -> Value {
    json!({
        "id": member.score,
        "enrollment_id": member.enrollment,
        "course_score": true,
        "grading_period_id": null,
        "current_score": score,
        "final_score": score.unwrap_or(0.0),
        "unposted_current_score": score,
        "unposted_final_score": score.unwrap_or(0.0),
        "override_score": by_hand,
        "custom_grade_status_id": null,
        "workflow_state": "active",
        "created_at": column(member.created_at),
        "updated_at": column(at),
    })
}
