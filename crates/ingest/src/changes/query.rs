//! The query string of a request with changes.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use easel_access::Problem;
use serde::Deserialize;

/// The options in the query string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChangesOptions {
    pub(super) on_fault: OnFault,
    /// Whether to return the events and store nothing.
    pub(super) is_dry_run: bool,
}

/// What to do with a request in which a change has a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnFault {
    /// Reject the request and store nothing.
    #[default]
    Refuse,
    /// Skip the change and store the others.
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesQuery {
    #[serde(default)]
    on_fault: OnFault,
    dry_run: Option<String>,
}

impl ChangesOptions {
    /// Returns whether a request with this number of faulty changes is rejected.
    pub(super) fn refuses(self, faulty_count: usize) -> bool {
        faulty_count > 0 && self.on_fault == OnFault::Refuse
    }

    pub(super) fn from_uri(uri: &Uri) -> Result<Self, Problem> {
        let invalid =
            |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
        let Query(query) = Query::<ChangesQuery>::try_from_uri(uri)
            .map_err(|rejection| invalid(rejection.body_text()))?;
        let is_dry_run = match query.dry_run.as_deref() {
            None | Some("0" | "false") => false,
            Some("" | "1" | "true") => true,
            Some(_) => return Err(invalid("`dry_run` must be 1, true, 0 or false.".to_owned())),
        };
        Ok(Self {
            on_fault: query.on_fault,
            is_dry_run,
        })
    }
}
