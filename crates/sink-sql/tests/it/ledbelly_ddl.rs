//! Tables as `LEDbelly` makes them in PostgreSQL, and rows as it writes them.

/// The tables of some event types and the stream. The table `live_logged_in` has the column names of an older
/// version.
pub(crate) const TABLES: &str = "
create schema live;
create table live.live_asset_accessed (
  asset_accessed_id serial primary key, processed_at timestamp, event_time_local timestamp,
  client_ip varchar(39), context_account_id bigint, context_id_meta bigint, context_role_meta varchar(24),
  context_sis_source_id varchar(32), context_type_meta varchar(24), developer_key_id bigint,
  event_name varchar(14), event_time timestamp, hostname varchar(64), http_method varchar(7),
  producer varchar(12), real_user_id bigint, request_id varchar(36), root_account_id_meta bigint,
  root_account_lti_guid varchar(40), root_account_uuid varchar(40), session_id varchar(32),
  time_zone varchar(255), url_meta text, user_account_id bigint, user_agent varchar(300), user_id_meta bigint,
  user_login_meta varchar(64), user_sis_id_meta varchar(32),
  asset_id bigint, asset_name varchar(255), asset_type varchar(24), asset_subtype varchar(24),
  category varchar(24), level varchar(24), role varchar(24), filename text, display_name text,
  domain varchar(255));
create table live.live_logged_in (
  logged_in_id serial primary key, processed_at timestamp, event_time_local timestamp,
  client_ip varchar(39), event_name varchar(9), event_time timestamp, hostname varchar(64),
  http_method varchar(7), producer varchar(12), real_user_id bigint, request_id varchar(36),
  root_account_id bigint, root_account_lti_guid varchar(40), root_account_uuid varchar(40),
  session_id varchar(32), time_zone varchar(255), url_meta text, user_account_id bigint,
  user_agent varchar(300), user_id_meta bigint, user_login varchar(64), user_sis_id varchar(32),
  redirect_url text);
create table live.live_quiz_submitted (
  quiz_submitted_id serial primary key, processed_at timestamp, event_time_local timestamp,
  client_ip varchar(39), context_id_meta bigint, context_role_meta varchar(24), context_type_meta varchar(24),
  event_name varchar(14), event_time timestamp, hostname varchar(64), producer varchar(12),
  request_id varchar(36), root_account_id_meta bigint, session_id varchar(32), user_agent varchar(300),
  user_id_meta bigint, user_login_meta varchar(64),
  submission_id bigint, quiz_id bigint);
create table live.live_submission_created (
  submission_created_id serial primary key, processed_at timestamp, event_time_local timestamp,
  client_ip varchar(39), context_account_id bigint, context_id_meta bigint, context_role_meta varchar(24),
  context_sis_source_id varchar(32), context_type_meta varchar(24), event_name varchar(18),
  event_time timestamp, hostname varchar(64), http_method varchar(7), job_id bigint, job_tag varchar(100),
  producer varchar(12), real_user_id bigint, request_id varchar(36), root_account_id_meta bigint,
  root_account_lti_guid varchar(40), root_account_uuid varchar(40), session_id varchar(32),
  time_zone varchar(255), url_meta text, user_account_id bigint, user_agent varchar(300), user_id_meta bigint,
  user_login_meta varchar(64), user_sis_id_meta varchar(32),
  submission_id bigint, assignment_id bigint, user_id bigint, submitted_at timestamp, lti_user_id varchar(40),
  graded_at timestamp, updated_at timestamp, score float(53), grade varchar(255), submission_type varchar(24),
  body text, url text, attempt int, lti_assignment_id varchar(36), group_id int, late varchar(5),
  missing varchar(5));
create table live.live_enrollment_created (
  enrollment_created_id serial primary key, processed_at timestamp, event_time_local timestamp,
  client_ip varchar(39), context_account_id bigint, context_id_meta bigint, context_role_meta varchar(24),
  context_sis_source_id varchar(32), context_type_meta varchar(24), event_name varchar(18),
  event_time timestamp, hostname varchar(64), job_id bigint, job_tag varchar(100), producer varchar(12),
  request_id varchar(36), root_account_id_meta bigint, session_id varchar(32), url_meta text,
  user_account_id bigint, user_agent varchar(300), user_id_meta bigint, user_login_meta varchar(64),
  user_sis_id_meta varchar(32),
  enrollment_id bigint, course_id bigint, user_id bigint, user_name varchar(64), type varchar(24),
  created_at timestamp, updated_at timestamp, limit_privileges_to_course_section varchar(5),
  course_section_id bigint, associated_user_id bigint, workflow_state varchar(16));
create table live.live_grade_change (
  grade_change_id serial primary key, processed_at timestamp, event_time_local timestamp,
  client_ip varchar(39), context_id_meta bigint, context_role_meta varchar(24), context_type_meta varchar(24),
  event_name varchar(12), event_time timestamp, hostname varchar(64), job_id bigint, job_tag varchar(100),
  producer varchar(12), request_id varchar(36), root_account_id_meta bigint, session_id varchar(32),
  url_meta text, user_agent varchar(300), user_id_meta bigint, user_login_meta varchar(64),
  submission_id bigint, assignment_id bigint, grade varchar(80), old_grade varchar(80), score float(53),
  old_score float(53), points_possible float(53), old_points_possible float(53), grader_id bigint,
  student_id bigint, student_sis_id varchar(32), user_id bigint, grading_complete varchar(5), muted varchar(5));
create table live.live_course_completed (
  course_completed_id serial primary key, processed_at timestamp, event_time_local timestamp,
  client_ip varchar(39), context_id_meta bigint, context_type_meta varchar(24), event_name varchar(16),
  event_time timestamp, hostname varchar(64), job_id bigint, job_tag varchar(100), producer varchar(12),
  request_id varchar(36), root_account_id_meta bigint, session_id varchar(32), user_agent varchar(300),
  user_id_meta bigint, user_login_meta varchar(64),
  requirement_count int, requirement_completed_count int, next_requirement_url varchar(255),
  completed_at timestamp, user_email varchar(255), user_id bigint, user_name varchar(64), course_id int,
  course_name varchar(255));
create table live.live_stream (
  live_stream_id serial primary key, processed_at timestamp, event_time_local timestamp,
  event_name varchar(64), event_time timestamp, request_id varchar(36), session_id varchar(32),
  client_ip varchar(39), real_user_id bigint, user_id_body bigint, user_id_meta bigint, user_login varchar(64),
  user_sis_id varchar(32), user_account_id bigint, user_agent varchar(300), context_id_body bigint,
  context_id_meta bigint, context_role_body varchar(24), context_role_meta varchar(24),
  context_type_body varchar(24), context_type_meta varchar(24), context_sis_source_id varchar(32),
  asset_id bigint, asset_type varchar(24), asset_subtype varchar(24), asset_category varchar(24),
  asset_level varchar(24), asset_role varchar(24), submission_id bigint, assignment_id bigint, quiz_id bigint,
  submitted_at timestamp, hostname varchar(64), producer varchar(12), root_account_id bigint,
  root_account_lti_guid varchar(40), root_account_uuid varchar(40), job_id bigint, job_tag varchar(100),
  workflow_state varchar(256));
";

/// Rows from before the change to Easel.
pub(crate) const OLD_ROWS: &str = "
insert into live.live_enrollment_created (processed_at, event_time_local, event_name, event_time, user_id,
  course_id, limit_privileges_to_course_section, workflow_state) values
  ('2025-09-01 01:00:01.123', '2025-09-01 01:00:00', 'enrollment_created', '2025-09-01 08:00:00', 101, 7, 'false', 'active'),
  ('2025-09-01 01:00:02.456', '2025-09-01 01:00:01', 'enrollment_created', '2025-09-01 08:00:01', 102, 7, 'false', 'active');
insert into live.live_grade_change (processed_at, event_time_local, event_name, event_time, student_id, score,
  grade, muted) values
  ('2025-09-02 01:00:01.123', '2025-09-02 01:00:00', 'grade_change', '2025-09-02 08:00:00', 101, 6, '6', 'false'),
  ('2025-09-02 01:00:02.456', '2025-09-02 01:00:01', 'grade_change', '2025-09-02 08:00:01', 102, 8, '8', 'false');
insert into live.live_quiz_submitted (event_name, quiz_id) values ('quiz_submitted', 55);
insert into live.live_stream (event_name, event_time_local, user_id_meta) values
  ('quiz_submitted', '2025-09-01 01:00:00', 101);
";
