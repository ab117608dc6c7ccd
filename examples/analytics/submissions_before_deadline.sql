-- When do students submit: how many submissions arrive in each hour before (and after) the due date?
--
-- The due date is the newest one of the assignment. Due dates of single students or sections (overrides) do not
-- count, because Canvas does not send whom they are for. Deleted assignments are left out. An assignment is known
-- if it was created or changed since Easel fills the tables.
--
-- Tables: assignment_created, assignment_updated, submission_created
--
-- Columns:
--   course_id        course, a global id
--   assignment_id    assignment, a global id
--   title            title of the assignment
--   due_at           due date
--   hours_before_due 0 is the last hour before the due date, 1 the hour before that; -1 is the first hour after it
--   submissions      submissions in that hour, each attempt
--   resubmissions    submissions among them that are not the first attempt
--   students         students who submitted in that hour
with parameters as not materialized (
    select
        null::bigint as course_id,     -- global or local id; null: every course
        null::bigint as assignment_id, -- global or local id; null: every assignment
        48 as max_hours_before,
        24 as max_hours_after
),

assignments as (
    select distinct on (assignment_id)
        assignment_id, assignment_id_local, course_id, course_id_local, title, due_at, workflow_state
    from (
        select
            assignment_id, assignment_id_local, context_id as course_id, context_id_local as course_id_local,
            title, due_at, workflow_state, event_time, easel_offset
        from live.assignment_created
        union all
        select
            assignment_id, assignment_id_local, context_id, context_id_local,
            title, due_at, workflow_state, event_time, easel_offset
        from live.assignment_updated
    ) as both_tables
    order by assignment_id, event_time desc, easel_offset desc
),

submissions as (
    select
        assignments.course_id,
        assignments.assignment_id,
        assignments.title,
        assignments.due_at,
        cast(
            floor(extract(epoch from assignments.due_at - coalesce(created.submitted_at, created.event_time)) / 3600)
            as integer
        ) as hours_before_due,
        created.user_id,
        created.attempt
    from live.submission_created as created
    inner join assignments on assignments.assignment_id = created.assignment_id
    cross join parameters
    where assignments.due_at is not null
        and assignments.workflow_state is distinct from 'deleted'
        and (parameters.course_id is null
            or parameters.course_id in (assignments.course_id, assignments.course_id_local))
        and (parameters.assignment_id is null
            or parameters.assignment_id in (assignments.assignment_id, assignments.assignment_id_local))
)

select
    submissions.course_id,
    submissions.assignment_id,
    submissions.title,
    submissions.due_at,
    submissions.hours_before_due,
    count(*) as submissions,
    count(*) filter (where submissions.attempt > 1) as resubmissions,
    count(distinct submissions.user_id) as students
from submissions
cross join parameters
where submissions.hours_before_due < parameters.max_hours_before
    and submissions.hours_before_due >= -parameters.max_hours_after
group by
    submissions.course_id, submissions.assignment_id, submissions.title, submissions.due_at,
    submissions.hours_before_due
order by
    submissions.course_id, submissions.due_at, submissions.assignment_id, submissions.hours_before_due desc;
