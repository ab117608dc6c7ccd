//! Where in a catalogue's metadata the fields are that every translation needs.

use easel_catalog::Catalog;

use crate::event_template::FormError;

/// The indexes of fields in [`Catalog::metadata`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
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
    /// What is told of the user who acts, in order, with its key, quoted, with the colon.
    pub(crate) of_actor: [(&'static str, usize); 6],
    /// What is told of the request or job, in order; the address asked for comes after four.
    pub(crate) of_request: [(&'static str, usize); 4],
    pub(crate) of_job: [(&'static str, usize); 2],
}

impl Places {
    pub(crate) fn of(catalog: &Catalog) -> Result<Self, FormError> {
        let find = |name: &str| {
            let place = catalog
                .metadata()
                .iter()
                .position(|it| it.field.name == name);
            place.ok_or_else(|| FormError::Field {
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
            of_actor: [
                ("\"user_login\":", find("user_login")?),
                ("\"user_sis_id\":", find("user_sis_id")?),
                ("\"root_account_id\":", find("root_account_id")?),
                ("\"root_account_lti_guid\":", find("root_account_lti_guid")?),
                ("\"root_account_uuid\":", find("root_account_uuid")?),
                ("\"real_user_id\":", find("real_user_id")?),
            ],
            of_request: [
                ("\"hostname\":", find("hostname")?),
                ("\"request_id\":", find("request_id")?),
                ("\"user_agent\":", find("user_agent")?),
                ("\"client_ip\":", find("client_ip")?),
            ],
            of_job: [
                ("\"job_id\":", find("job_id")?),
                ("\"job_tag\":", find("job_tag")?),
            ],
        })
    }
}
