-- How many students join and leave each course, by week?
--
-- Canvas sends enrollment_updated for every change of an enrollment, so a row counts only if the student joined or left
-- with it. A student with enrollments in two sections of a course counts twice. If the first row of an enrollment shows
-- that the student left, the student joined before Easel filled the tables; this counts as a drop. Weeks without a
-- change have no row.
--
-- Tables: enrollment_created, enrollment_updated
--
-- Columns:
--   course_id      course, a global id
--   week_starts_on Monday of the week, in the time zone of the parameters
--   joined         enrollments that were created, or became active again
--   dropped        enrollments that were deleted, deactivated or rejected
--   students       joined minus dropped, from the first week to the end of this week
with parameters as not materialized (
    select
        null::bigint as course_id, -- global or local id; null: every course
        'Europe/Oslo' as time_zone
),

enrollments as (
    select
        enrollment_id, course_id, course_id_local, event_time, easel_offset,
        workflow_state not in ('deleted', 'inactive', 'rejected') as is_in
    from live.enrollment_created
    where type = 'StudentEnrollment'
    union all
    select
        enrollment_id, course_id, course_id_local, event_time, easel_offset,
        workflow_state not in ('deleted', 'inactive', 'rejected')
    from live.enrollment_updated
    where type = 'StudentEnrollment'
),

changes as (
    select
        course_id,
        course_id_local,
        event_time,
        is_in,
        lag(is_in) over (partition by enrollment_id order by event_time, easel_offset) as was_in
    from enrollments
    where is_in is not null
),

weeks as (
    select
        changes.course_id,
        cast(date_trunc('week', changes.event_time at time zone parameters.time_zone) as date) as week_starts_on,
        count(*) filter (where changes.is_in) as joined,
        count(*) filter (where not changes.is_in) as dropped
    from changes
    cross join parameters
    where changes.is_in is distinct from changes.was_in
        and (parameters.course_id is null
            or parameters.course_id in (changes.course_id, changes.course_id_local))
    group by 1, 2
)

select
    course_id,
    week_starts_on,
    joined,
    dropped,
    cast(sum(joined - dropped) over (partition by course_id order by week_starts_on) as bigint) as students
from weeks
order by course_id, week_starts_on;
