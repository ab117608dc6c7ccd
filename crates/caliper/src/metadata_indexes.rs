//! The indexes of the metadata fields that every translation needs.

use easel_catalog::Catalog;

use crate::event_template::TranslatorError;

/// The indexes of fields in [`Catalog::metadata`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetadataIndexes {
    pub(crate) event_time: usize,
    pub(crate) hostname: usize,
    pub(crate) user_id: usize,
    pub(crate) job_id: usize,
    pub(crate) context_id: usize,
    pub(crate) context_type: usize,
    pub(crate) context_role: usize,
    pub(crate) session_id: usize,
    pub(crate) referrer: usize,
    pub(crate) url: usize,
    /// The fields that describe the actor, in output order. A key is in quotes and ends with its colon.
    pub(crate) actor_fields: [(&'static str, usize); 6],
    /// The fields that describe the request, in output order. `request_url` follows them.
    pub(crate) request_fields: [(&'static str, usize); 4],
    /// The fields that describe the job, in output order.
    pub(crate) job_fields: [(&'static str, usize); 2],
}

impl MetadataIndexes {
    pub(crate) fn new(catalog: &Catalog) -> Result<Self, TranslatorError> {
        let find = |name: &str| {
            let index = catalog
                .metadata()
                .iter()
                .position(|metadata| metadata.field.name == name);
            index.ok_or_else(|| TranslatorError::Field {
                event_type: "every event type".to_owned(),
                field: format!("metadata.{name}"),
            })
        };
        Ok(Self {
            event_time: find("event_time")?,
            hostname: find("hostname")?,
            user_id: find("user_id")?,
            job_id: find("job_id")?,
            context_id: find("context_id")?,
            context_type: find("context_type")?,
            context_role: find("context_role")?,
            session_id: find("session_id")?,
            referrer: find("referrer")?,
            url: find("url")?,
            actor_fields: [
                ("\"user_login\":", find("user_login")?),
                ("\"user_sis_id\":", find("user_sis_id")?),
                ("\"root_account_id\":", find("root_account_id")?),
                ("\"root_account_lti_guid\":", find("root_account_lti_guid")?),
                ("\"root_account_uuid\":", find("root_account_uuid")?),
                ("\"real_user_id\":", find("real_user_id")?),
            ],
            request_fields: [
                ("\"hostname\":", find("hostname")?),
                ("\"request_id\":", find("request_id")?),
                ("\"user_agent\":", find("user_agent")?),
                ("\"client_ip\":", find("client_ip")?),
            ],
            job_fields: [
                ("\"job_id\":", find("job_id")?),
                ("\"job_tag\":", find("job_tag")?),
            ],
        })
    }
}
