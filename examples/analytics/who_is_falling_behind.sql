-- Which students miss work or submit late, in which course?
--
-- Only assignments count that take submissions in Canvas, are published and were due after the student was enrolled.
-- Work is missing if it was not submitted, unless it has a grade without a submission. A missing work that Canvas
-- graded by the policy for missing work still counts as missing. Excused students, and due dates of single students
-- or sections (overrides), are not in the events, so such work counts as missing too.
-- Enrollments and assignments are known if they were created or changed since Easel fills the tables.
--
-- Tables: enrollment_created and enrollment_updated (view enrollments_now), assignment_created, assignment_updated,
--         submission_created, submission_updated
--
-- Columns:
--   course_id         course, a global id
--   student_id        student, a global id
--   student_name      name, as in the newest enrollment
--   assignments_due   assignments that were due
--   submitted         assignments among them that the student submitted
--   late              submitted assignments whose newest attempt was late
--   missing           assignments that the student did not submit
--   last_submitted_at when the student last submitted one of these assignments
with parameters as not materialized (
    select
        null::bigint as course_id, -- global or local id; null: every course
        now() as as_of,            -- assignments due before, and submissions known before this time count
        2 as min_late_or_missing   -- students with fewer are left out
),

-- Filters on the newest rows are columns of yes or no. The planner of PostgreSQL expects that half of the rows pass such
-- a filter. From a comparison with a text it expects one row, and joins far too slowly.
enrollments as materialized (
    select
        course_id, course_id_local, user_id, user_name, created_at,
        type = 'StudentEnrollment' and workflow_state = 'active' as is_active_student
    from live.enrollments_now
),

students as (
    select
        enrollments.course_id,
        enrollments.user_id,
        max(enrollments.user_name) as user_name,
        min(enrollments.created_at) as enrolled_at
    from enrollments
    cross join parameters
    where enrollments.is_active_student
        and (parameters.course_id is null
            or parameters.course_id in (enrollments.course_id, enrollments.course_id_local))
    group by enrollments.course_id, enrollments.user_id
),

assignments as (
    select distinct on (assignment_id)
        assignment_id,
        course_id,
        due_at,
        workflow_state = 'published'
            and string_to_array(submission_types, ',') && array[
                'online_text_entry', 'online_upload', 'online_url', 'media_recording', 'student_annotation'
            ] as takes_submissions
    from (
        select
            assignment_id, context_id as course_id, due_at, submission_types, workflow_state,
            event_time, easel_offset
        from live.assignment_created
        union all
        select
            assignment_id, context_id, due_at, submission_types, workflow_state,
            event_time, easel_offset
        from live.assignment_updated
    ) as both_tables
    order by assignment_id, event_time desc, easel_offset desc
),

submissions as (
    select distinct on (assignment_id, user_id)
        assignment_id, user_id, submitted_at, late, missing, workflow_state
    from (
        select
            assignment_id, user_id, submitted_at, late, missing, workflow_state,
            event_time, easel_offset
        from live.submission_created
        union all
        select
            assignment_id, user_id, submitted_at, late, missing, workflow_state,
            event_time, easel_offset
        from live.submission_updated
    ) as both_tables
    cross join parameters
    where event_time < parameters.as_of
    order by assignment_id, user_id, event_time desc, easel_offset desc
),

-- A row for each student and assignment that was due.
work as (
    select
        students.course_id,
        students.user_id,
        students.user_name,
        submissions.submitted_at,
        submissions.submitted_at is not null
            and coalesce(submissions.late, submissions.submitted_at > assignments.due_at) as is_late,
        submissions.submitted_at is null
            and (coalesce(submissions.missing, false)
                or submissions.workflow_state is distinct from 'graded') as is_missing
    from students
    cross join parameters
    inner join assignments
        on assignments.course_id = students.course_id
        and assignments.due_at >= students.enrolled_at
        and assignments.due_at < parameters.as_of
    left join submissions
        on submissions.assignment_id = assignments.assignment_id
        and submissions.user_id = students.user_id
    where assignments.takes_submissions
)

select
    work.course_id,
    work.user_id as student_id,
    work.user_name as student_name,
    count(*) as assignments_due,
    count(work.submitted_at) as submitted,
    count(*) filter (where work.is_late) as late,
    count(*) filter (where work.is_missing) as missing,
    max(work.submitted_at) as last_submitted_at
from work
cross join parameters
group by work.course_id, work.user_id, work.user_name, parameters.min_late_or_missing
having count(*) filter (where work.is_late or work.is_missing) >= parameters.min_late_or_missing
order by work.course_id, missing desc, late desc, work.user_id;
