-- Which pages, files, assignments and discussions do students open most, by course and week?
--
-- Lists within a course, such as its home page or the list of assignments, are left out.
--
-- Tables: asset_accessed
--
-- Columns:
--   course_id      course, a global id
--   week_starts_on Monday of the week, in the time zone of the parameters
--   place          place in the course and week, 1 for the most used resource
--   asset_type     kind of resource, such as attachment or wiki_page
--   asset_id       resource, a global id
--   asset_name     newest name of the resource in that week
--   students       students who opened it
--   views          how often they opened it
with parameters as not materialized (
    select
        null::bigint as course_id,          -- global or local id; null: every course
        5 as max_place,
        'Europe/Oslo' as time_zone,
        timestamp '-infinity' as starts_at, -- local time, included
        timestamp 'infinity' as ends_at     -- local time, excluded
),

views as (
    select
        accessed.context_id as course_id,
        cast(date_trunc('week', accessed.event_time at time zone parameters.time_zone) as date) as week_starts_on,
        accessed.asset_type,
        accessed.asset_id,
        count(distinct accessed.user_id) as students,
        count(*) as views,
        (array_agg(accessed.asset_name order by accessed.event_time desc, accessed.easel_offset desc))[1] as asset_name
    from live.asset_accessed as accessed
    cross join parameters
    where accessed.context_type = 'Course'
        and accessed.role = 'StudentEnrollment'
        and accessed.asset_subtype is null
        and accessed.user_id is not null
        and (parameters.course_id is null
            or parameters.course_id in (accessed.context_id, accessed.context_id_local))
        and accessed.event_time >= parameters.starts_at at time zone parameters.time_zone
        and accessed.event_time < parameters.ends_at at time zone parameters.time_zone
    group by 1, 2, 3, 4
),

places as (
    select
        *,
        row_number() over (
            partition by course_id, week_starts_on
            order by students desc, views desc, asset_type, asset_id
        ) as place
    from views
)

select
    places.course_id,
    places.week_starts_on,
    places.place,
    places.asset_type,
    places.asset_id,
    places.asset_name,
    places.students,
    places.views
from places
cross join parameters
where places.place <= parameters.max_place
order by places.course_id, places.week_starts_on, places.place;
