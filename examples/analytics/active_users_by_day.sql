-- How many people use Canvas on each day?
--
-- A user is active on a day if the user logs in, opens something, submits work, posts to a discussion or submits a
-- classic quiz. Requests during masquerading do not count. Days without activity are in the answer too.
--
-- Tables: logged_in, asset_accessed, submission_created, discussion_entry_created, quiz_submitted
--
-- Columns:
--   day           day in the time zone of the parameters
--   active_users  users who were active
--   working_users users among them who submitted work, posted or submitted a quiz
--   actions       logins, opened things, submissions, posts and quizzes
with parameters as not materialized (
    select
        'Europe/Oslo' as time_zone,
        timestamp '-infinity' as starts_at, -- local time, included
        timestamp 'infinity' as ends_at     -- local time, excluded
),

-- The columns of the acting user: a body with its own user_id moves the acting user to user_id_meta.
activity as (
    select event_time, user_id, real_user_id, false as is_work
    from live.logged_in
    union all
    select event_time, user_id, real_user_id, false
    from live.asset_accessed
    union all
    select event_time, user_id_meta, real_user_id, true
    from live.submission_created
    union all
    select event_time, user_id_meta, real_user_id, true
    from live.discussion_entry_created
    union all
    select event_time, user_id, real_user_id, true
    from live.quiz_submitted
),

activity_of_users as (
    select
        cast(activity.event_time at time zone parameters.time_zone as date) as day,
        activity.user_id,
        activity.is_work
    from activity
    cross join parameters
    where activity.user_id is not null
        and activity.real_user_id is null
        and activity.event_time >= parameters.starts_at at time zone parameters.time_zone
        and activity.event_time < parameters.ends_at at time zone parameters.time_zone
),

days as (
    select cast(day as date) as day
    from generate_series(
        (select cast(min(day) as timestamp) from activity_of_users),
        (select cast(max(day) as timestamp) from activity_of_users),
        interval '1 day'
    ) as series (day)
)

select
    days.day,
    count(distinct activity_of_users.user_id) as active_users,
    count(distinct activity_of_users.user_id) filter (where activity_of_users.is_work) as working_users,
    count(activity_of_users.user_id) as actions
from days
left join activity_of_users on activity_of_users.day = days.day
group by days.day
order by days.day;
