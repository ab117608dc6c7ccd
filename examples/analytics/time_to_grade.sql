-- How long do students wait for the first grade of their work, by course and grader?
--
-- The wait is the time from the newest attempt before the first grade to that grade. Grades by Canvas itself, such as
-- those of automatically graded quizzes, and grades without a submission do not count.
--
-- Tables: grade_change, submission_created
--
-- Columns:
--   course_id            course, a global id
--   grader_id            user who graded, a global id
--   graded               submissions with a first grade by this user
--   median_hours         half of them waited at most this long
--   p90_hours            nine of ten waited at most this long
--   max_hours            longest wait
--   within_days_percent  share of them that waited at most as long as the parameter max_days
with parameters as not materialized (
    select
        null::bigint as course_id,          -- global or local id; null: every course
        3 as max_days,
        'Europe/Oslo' as time_zone,
        timestamp '-infinity' as starts_at, -- local time of the grade, included
        timestamp 'infinity' as ends_at     -- local time of the grade, excluded
),

first_grades as (
    select distinct on (submission_id)
        submission_id, context_id as course_id, context_id_local as course_id_local, grader_id, event_time
    from live.grade_change
    where grader_id is not null
        and grade is not null
    order by submission_id, event_time, easel_offset
),

waits as (
    select distinct on (first_grades.submission_id)
        first_grades.course_id,
        first_grades.grader_id,
        extract(epoch from first_grades.event_time - coalesce(created.submitted_at, created.event_time)) / 3600 as hours
    from first_grades
    inner join live.submission_created as created
        on created.submission_id = first_grades.submission_id
        and created.event_time < first_grades.event_time
    cross join parameters
    where (parameters.course_id is null
            or parameters.course_id in (first_grades.course_id, first_grades.course_id_local))
        and first_grades.event_time >= parameters.starts_at at time zone parameters.time_zone
        and first_grades.event_time < parameters.ends_at at time zone parameters.time_zone
    order by first_grades.submission_id, created.event_time desc, created.easel_offset desc
)

select
    waits.course_id,
    waits.grader_id,
    count(*) as graded,
    round(percentile_disc(0.5) within group (order by waits.hours), 1) as median_hours,
    round(percentile_disc(0.9) within group (order by waits.hours), 1) as p90_hours,
    round(max(waits.hours), 1) as max_hours,
    round(100.0 * count(*) filter (where waits.hours <= 24 * parameters.max_days) / count(*), 1) as within_days_percent
from waits
cross join parameters
group by waits.course_id, waits.grader_id
order by waits.course_id, waits.grader_id;
