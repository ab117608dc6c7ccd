-- At which hours of the week do people log in? A heat map of 7 x 24 hours, for planning support and maintenance.
--
-- Logins during masquerading do not count. A week has every hour, also those without a login. Hours follow the clock
-- of the time zone, so summer time is taken into account.
--
-- Tables: logged_in
--
-- Columns:
--   weekday 1 is Monday, 7 is Sunday
--   hour    hour of the day, 0 to 23, in the time zone of the parameters
--   logins  logins in this hour of all weeks
--   users   users who logged in
with parameters as not materialized (
    select
        'Europe/Oslo' as time_zone,
        timestamp '-infinity' as starts_at, -- local time, included
        timestamp 'infinity' as ends_at     -- local time, excluded
),

logins as (
    select
        cast(extract(isodow from logged_in.event_time at time zone parameters.time_zone) as integer) as weekday,
        cast(extract(hour from logged_in.event_time at time zone parameters.time_zone) as integer) as hour,
        logged_in.user_id
    from live.logged_in
    cross join parameters
    where logged_in.user_id is not null
        and logged_in.real_user_id is null
        and logged_in.event_time >= parameters.starts_at at time zone parameters.time_zone
        and logged_in.event_time < parameters.ends_at at time zone parameters.time_zone
)

select
    weekdays.weekday,
    hours.hour,
    count(logins.user_id) as logins,
    count(distinct logins.user_id) as users
from generate_series(1, 7) as weekdays (weekday)
cross join generate_series(0, 23) as hours (hour)
left join logins
    on logins.weekday = weekdays.weekday
    and logins.hour = hours.hour
group by weekdays.weekday, hours.hour
order by weekdays.weekday, hours.hour;
