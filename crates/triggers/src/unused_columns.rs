//! Columns of Canvas's tables that no event uses.
//!
//! A sender sends all columns of a row. Without this list, each of these columns would cause a
//! warning about an unknown column.

/// Columns that nearly every table has.
const COMMON: [&str; 5] = [
    "created_at",
    "id",
    "root_account_id",
    "updated_at",
    "workflow_state",
];

/// The space-separated columns of each type of row. The names before them are those of related rows of this
/// type, and of actions whose row has this type.
const UNUSED: &[(&[&str], &str)] = &[
    (
        &["account"],
        "brand_config_md5 course_template_id default_storage_quota deleted_at integration_id \
         lti_context_id lti_guid membership_types sis_source_id storage_quota uuid",
    ),
    (
        &["account_notification"],
        "account_id domain_specific messages_sent_at months_in_display_cycle \
         required_account_service send_message user_id",
    ),
    (&["artifact"], "score"),
    (&["account_user"], "account_id role_id sis_batch_id user_id"),
    (
        &["assignment", "duplicate_of"],
        "allowed_attempts automatic_peer_reviews grading_standard_id grading_type \
         group_category_id integration_id lti_context_id migration_id muted omit_from_final_grade \
         only_visible_to_overrides peer_reviews position sis_source_id title",
    ),
    (
        &["assignment_group"],
        "assignment_weighting_scheme cloned_item_id default_assignment_name migration_id",
    ),
    (
        &["assignment_override"],
        "assignment_version due_at_overridden lock_at_overridden quiz_id quiz_version title \
         unlock_at_overridden",
    ),
    (
        &["attachment"],
        "category could_be_locked deleted_at instfs_uuid md5 media_entry_id \
         replacement_attachment_id root_attachment_id size usage_rights_id uuid visibility_level",
    ),
    (&["child_subscription"], "use_selective_copy"),
    (
        &["content"],
        "context_id context_type lti_context_id submission_types title",
    ),
    (
        &["content_export"],
        "attachment_id content_migration_id global_identifiers progress user_id",
    ),
    (
        &["content_migration"],
        "asset_map_attachment_id attachment_id child_subscription_id error_count error_data \
         exported_attachment_id finished_at migration_settings overview_attachment_id progress \
         started_at user_id",
    ),
    (
        &["content_tag"],
        "associated_asset_type comments content_type context_code indent learning_outcome_id \
         link_settings mastery_score migration_id new_tab rubric_association_id sort_order tag \
         title url",
    ),
    (
        &[
            "context",
            "learning_outcome_context",
            "learning_outcome_group_context",
            "parent_context",
        ],
        "name",
    ),
    (
        &["context_module"],
        "cloned_item_id completion_events completion_requirements deleted_at migration_id \
         prerequisites require_sequential_progress requirement_count unlock_at",
    ),
    (
        &["conversation", "conversation_forwarded"],
        "context_id context_type has_attachments has_media_objects private_hash root_account_ids \
         subject tags",
    ),
    (
        &["conversation_message"],
        "asset_id asset_type attachment_ids body context_id context_type forwarded_message_ids \
         generated has_attachments has_media_objects media_comment_id media_comment_type \
         root_account_ids",
    ),
    (
        &["course"],
        "blueprint conclude_at course_code default_view enrollment_term_id grading_standard_id \
         integration_id is_public license lti_context_id public_description sis_source_id \
         start_at storage_quota template_course_id time_zone",
    ),
    (
        &["custom_grade_status", "final_grade_custom_status"],
        "color",
    ),
    (
        &["discussion_entry"],
        "attachment_id depth editor_id include_reply_preview is_anonymous_author legacy \
         migration_id quoted_entry_id rating_count rating_sum root_entry_id",
    ),
    (
        &["discussion_topic"],
        "allow_rating anonymous_state attachment_id delayed_post_at deleted_at discussion_type \
         editor_id external_feed_id group_category_id is_section_specific last_reply_at locked \
         only_graders_can_rate pinned podcast_enabled posted_at require_initial_post \
         root_topic_id todo_date user_id",
    ),
    (
        &["enrollment"],
        "completed_at end_at grade_publishing_status last_activity_at role_id self_enrolled \
         sis_pseudonym_id start_at total_activity_time uuid",
    ),
    (&["enrollment_state"], "lock_version"),
    (
        &["group"],
        "avatar_attachment_id category default_view default_wiki_editing_roles deleted_at \
         description is_public join_level leader_id lti_context_id migration_id sis_source_id \
         storage_quota stuck_sis_fields wiki_id",
    ),
    (
        &["group_category"],
        "auto_leader deleted_at role self_signup sis_source_id",
    ),
    (&["group_membership"], "moderator uuid"),
    (
        &["learning_outcome"],
        "high_grade low_grade migration_id migration_id_2 outcome_import_id root_account_ids \
         vendor_guid_2",
    ),
    (
        &["learning_outcome_group"],
        "high_grade low_grade migration_id migration_id_2 outcome_import_id \
         root_learning_outcome_group_id source_outcome_group_id vendor_guid_2",
    ),
    (
        &["learning_outcome_result"],
        "association_id association_type content_tag_id context_code hidden hide_points \
         submitted_at title",
    ),
    (
        &["master_content_tag"],
        "content_type current_migration_id master_template_id migration_id",
    ),
    (
        &["master_migration"],
        "comment export_results exports_started_at import_results imports_completed_at \
         imports_queued_at migration_settings send_notification user_id",
    ),
    (&["master_template"], "active_migration_id full_course"),
    (
        &["pseudonym"],
        "authentication_provider_id current_login_at failed_login_count integration_id \
         last_login_at login_count",
    ),
    (
        &["quiz"],
        "assignment_group_id cloned_item_id could_be_locked deleted_at last_assignment_id \
         last_edited_at migration_id published_at question_count quiz_data \
         require_lockdown_browser_monitor unpublished_question_count",
    ),
    (
        &["quiz_submission", "quiz_submitted"],
        "attempt end_at finished_at kept_score quiz_version score started_at submission_id \
         user_id",
    ),
    (&["resource_link"], "custom"),
    (&["rubric"], "context_id context_type points_possible title"),
    (
        &["rubric_assessment"],
        "artifact_attempt assessor_id data hide_points score user_id",
    ),
    (&["rubric_association"], "purpose rubric_id use_for_grading"),
    (
        &["score"],
        "assignment_group_id current_points final_points unposted_current_points \
         unposted_final_points",
    ),
    (
        &["sis_batch"],
        "attachment_id batch_mode batch_mode_term_id data diffing_data_set_identifier \
         diffing_remaster diffing_threshold ended_at errored_attempts errors_attachment_id \
         generated_diff_id job_ids options processing_errors processing_warnings progress user_id",
    ),
    (
        &["submission", "plagiarism_resubmit"],
        "anonymous_id attachment_id attachment_ids cached_quiz_lti custom_grade_status_id excused \
         extra_attempts grade_matches_current_submission graded_anonymously grader_id \
         grading_period_id last_comment_at lti_user_id media_comment_id media_comment_type \
         points_deducted processed proxy_submitter_id published_grade published_score \
         quiz_submission_id redo_request resource_link_lookup_uuid seconds_late_override \
         student_entered_score submission_comments_count turnitin_data",
    ),
    (
        &["submission_comment"],
        "anonymous assessment_request_id attempt author_name cached_attachments context_id \
         context_type draft edited_at group_comment_id hidden media_comment_id media_comment_type \
         provisional_grade_id teacher_only_comment",
    ),
    (
        &["user"],
        "avatar_image_source avatar_image_url avatar_state browser_locale deleted_at locale \
         lti_context_id lti_id merged_into_user_id phone pronouns public root_account_ids \
         sortable_name storage_quota time_zone",
    ),
    (&["user_account_association"], "depth"),
    (
        &["wiki_page"],
        "assignment_id context_id context_type could_be_locked editing_roles migration_id \
         protected_editing revised_at todo_date url user_id wiki_id",
    ),
];

/// Returns the columns that no event uses, by the name of a related row or of an action.
pub(crate) fn unused_columns(name: &str) -> impl Iterator<Item = &'static str> {
    let of_type = UNUSED
        .iter()
        .filter(move |(names, _)| names.contains(&name));
    COMMON
        .into_iter()
        .chain(of_type.flat_map(|(_, columns)| columns.split(' ')))
}
