-- Which grades changed after the student could see them?
--
-- A grade is visible from the first grade_change of its submission that has a grade and is not muted. From then on,
-- every new score or grade counts, also if the grade was hidden again before it changed. Canvas sends grade_change for
-- other reasons too, such as new maximum points; these rows have the old score and grade and do not count.
--
-- Tables: grade_change
--
-- Columns:
--   changed_at         when the grade changed
--   course_id          course, a global id
--   assignment_id      assignment, a global id
--   assignment_name    title of the assignment; null if Canvas did not send it
--   student_id         student, a global id
--   grader_id          user who changed the grade, a global id; null if Canvas did
--   score_before       points before the change
--   score_after        points after the change
--   grade_before       grade before the change, as displayed
--   grade_after        grade after the change, as displayed
--   days_after_posting days since the student could first see a grade of this submission
with parameters as not materialized (
    select
        null::bigint as course_id,          -- global or local id; null: every course
        'Europe/Oslo' as time_zone,
        timestamp '-infinity' as starts_at, -- local time, included
        timestamp 'infinity' as ends_at     -- local time, excluded
),

grades as (
    select
        event_time,
        easel_offset,
        context_id as course_id,
        context_id_local as course_id_local,
        assignment_id,
        assignment_name,
        student_id,
        grader_id,
        score,
        grade,
        lag(score) over submission as score_before,
        lag(grade) over submission as grade_before,
        min(event_time) filter (where not muted and (score is not null or grade is not null)) over (
            submission rows between unbounded preceding and 1 preceding
        ) as posted_at
    from live.grade_change
    window submission as (partition by submission_id order by event_time, easel_offset)
)

select
    grades.event_time as changed_at,
    grades.course_id,
    grades.assignment_id,
    grades.assignment_name,
    grades.student_id,
    grades.grader_id,
    grades.score_before,
    grades.score as score_after,
    grades.grade_before,
    grades.grade as grade_after,
    round(extract(epoch from grades.event_time - grades.posted_at) / 86400, 1) as days_after_posting
from grades
cross join parameters
where grades.posted_at is not null
    and (grades.score, grades.grade) is distinct from (grades.score_before, grades.grade_before)
    and (parameters.course_id is null
        or parameters.course_id in (grades.course_id, grades.course_id_local))
    and grades.event_time >= parameters.starts_at at time zone parameters.time_zone
    and grades.event_time < parameters.ends_at at time zone parameters.time_zone
order by grades.event_time, grades.easel_offset;
