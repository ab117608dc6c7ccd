//! What the query string of a request with changes asks for.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use easel_access::Problem;
use serde::Deserialize;

/// What the query string asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) on_fault: OnFault,
    /// Explain the changes and store nothing.
    pub(super) is_dry_run: bool,
}

/// What becomes of a request in which a change has a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnFault {
    /// Nothing of it is stored.
    #[default]
    Refuse,
    /// The other changes are stored.
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WishesQuery {
    #[serde(default)]
    on_fault: OnFault,
    dry_run: Option<String>,
}

impl Wishes {
    /// Whether a request with so many faulty changes is refused.
    pub(super) fn refuses(self, faulty_count: usize) -> bool {
        faulty_count > 0 && self.on_fault == OnFault::Refuse
    }

    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        let invalid =
            |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
        let Query(query) = Query::<WishesQuery>::try_from_uri(uri)
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
