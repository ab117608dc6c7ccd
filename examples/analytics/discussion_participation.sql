-- How many students of each course take part in its discussions?
--
-- Every current student counts, also those who never posted. A post is an entry or a reply. Ids of people in
-- discussion events are local (older releases of Canvas sent global ids), so local ids are compared. Discussions of
-- groups are left out. Enrollments are known if they were created or changed since Easel fills the tables.
--
-- Tables: enrollment_created and enrollment_updated (view enrollments_now), discussion_entry_created
--
-- Columns:
--   course_id             course, a global id
--   students              active students of the course
--   students_who_posted   students among them who posted
--   participation_percent share of students who posted
--   posts                 posts by these students
--   replies               posts among them that reply to another post
--   last_posted_at        when one of them last posted
with parameters as not materialized (
    select
        null::bigint as course_id,          -- global or local id; null: every course
        'Europe/Oslo' as time_zone,
        timestamp '-infinity' as starts_at, -- local time, included
        timestamp 'infinity' as ends_at     -- local time, excluded
),

-- The filter on the newest rows is a column of yes or no. The planner of PostgreSQL expects that half of the rows pass
-- such a filter. From a comparison with a text it expects one row, and joins far too slowly.
enrollments as materialized (
    select
        course_id, course_id_local, user_id_local,
        type = 'StudentEnrollment' and workflow_state = 'active' as is_active_student
    from live.enrollments_now
),

students as (
    select distinct
        enrollments.course_id,
        enrollments.user_id_local
    from enrollments
    cross join parameters
    where enrollments.is_active_student
        and (parameters.course_id is null
            or parameters.course_id in (enrollments.course_id, enrollments.course_id_local))
),

posts as (
    select
        entries.context_id as course_id,
        entries.user_id % 10000000000000 as user_id_local,
        entries.parent_discussion_entry_id,
        entries.event_time
    from live.discussion_entry_created as entries
    cross join parameters
    where entries.context_type = 'Course'
        and entries.event_time >= parameters.starts_at at time zone parameters.time_zone
        and entries.event_time < parameters.ends_at at time zone parameters.time_zone
)

select
    students.course_id,
    count(distinct students.user_id_local) as students,
    count(distinct posts.user_id_local) as students_who_posted,
    round(
        100.0 * count(distinct posts.user_id_local) / count(distinct students.user_id_local), 1
    ) as participation_percent,
    count(posts.user_id_local) as posts,
    count(posts.parent_discussion_entry_id) as replies,
    max(posts.event_time) as last_posted_at
from students
left join posts
    on posts.course_id = students.course_id
    and posts.user_id_local = students.user_id_local
group by students.course_id
order by students.course_id;
