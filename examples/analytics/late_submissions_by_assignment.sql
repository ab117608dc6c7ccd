-- How much work was late, for each assignment that was due?
--
-- The newest attempt of each student counts, as in the gradebook. Canvas decides what is late: its flag knows overrides
-- and grace periods. Only if the flag is missing, the due date of the assignment decides. Deleted assignments and
-- assignments without a due date are left out. An assignment is known if it was created or changed since Easel fills
-- the tables.
--
-- Tables: assignment_created, assignment_updated, submission_created, submission_updated
--
-- Columns:
--   course_id         course, a global id
--   assignment_id     assignment, a global id
--   title             title of the assignment
--   due_at            due date of the assignment
--   submitted         students who submitted
--   late              students among them whose newest attempt was late
--   late_percent      share of late work; null if nobody submitted
--   median_hours_late hours after the due date that half of the late work took at most; null without late work
with parameters as not materialized (
    select
        null::bigint as course_id, -- global or local id; null: every course
        now() as as_of             -- assignments due before this time are in the answer
),

assignments as (
    select distinct on (assignment_id)
        assignment_id, course_id, course_id_local, title, due_at, workflow_state
    from (
        select
            assignment_id, context_id as course_id, context_id_local as course_id_local,
            title, due_at, workflow_state, event_time, easel_offset
        from live.assignment_created
        union all
        select
            assignment_id, context_id, context_id_local,
            title, due_at, workflow_state, event_time, easel_offset
        from live.assignment_updated
    ) as both_tables
    order by assignment_id, event_time desc, easel_offset desc
),

submissions as (
    select distinct on (assignment_id, user_id)
        assignment_id, user_id, submitted_at, late
    from (
        select assignment_id, user_id, submitted_at, late, event_time, easel_offset
        from live.submission_created
        union all
        select assignment_id, user_id, submitted_at, late, event_time, easel_offset
        from live.submission_updated
    ) as both_tables
    order by assignment_id, user_id, event_time desc, easel_offset desc
),

work as (
    select
        assignments.course_id,
        assignments.assignment_id,
        assignments.title,
        assignments.due_at,
        submissions.user_id,
        coalesce(submissions.late, submissions.submitted_at > assignments.due_at) as is_late,
        extract(epoch from submissions.submitted_at - assignments.due_at) / 3600 as hours_late
    from assignments
    cross join parameters
    left join submissions
        on submissions.assignment_id = assignments.assignment_id
        and submissions.submitted_at is not null
    where assignments.due_at < parameters.as_of
        and assignments.workflow_state is distinct from 'deleted'
        and (parameters.course_id is null
            or parameters.course_id in (assignments.course_id, assignments.course_id_local))
)

select
    course_id,
    assignment_id,
    title,
    due_at,
    count(user_id) as submitted,
    count(*) filter (where is_late) as late,
    round(100.0 * count(*) filter (where is_late) / nullif(count(user_id), 0), 1) as late_percent,
    round(percentile_disc(0.5) within group (order by hours_late) filter (where is_late), 1) as median_hours_late
from work
group by course_id, assignment_id, title, due_at
order by course_id, due_at, assignment_id;
