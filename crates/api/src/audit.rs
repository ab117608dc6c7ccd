//! `/v1/audit`: who changed what, and who was shown payloads.
//!
//! A caller that is confined to one root account sees only entries of callers with its own reach. It gets no
//! numbers and no MACs, because gaps between them would show what others do. Its cursor is sealed.

use axum::extract::State;
use axum::{Extension, Json};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use easel_access::Caller;
use easel_audit::{AuditEntry, AuditError, AuditQuery, ChainFault, ChainPoint, Verification};
use easel_catalog::Reach;
use easel_keys::{SealedPlace, Sealer};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::request::{Query, check_limit};

/// The place of sealed cursors. They are stored nowhere.
const CURSOR: &str = "api/audit-cursor";

/// An entry of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct AuditEntryJson {
    /// The number of the entry: from 1, without gaps. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it: the id of a token or of an access key, `local`, `oidc:` and a subject, `canvas`, `settings` for the
    /// settings file, or `server` for the server itself.
    #[schema(example = "3kD9xQ0aVb2c")]
    actor: String,
    /// The address of the caller. Null for the server itself.
    address: Option<String>,
    /// What the actor could access.
    #[schema(example = "*")]
    reach: String,
    /// What was done.
    #[schema(example = "subscription.change")]
    action: String,
    /// What it was done to: a name or an id. Empty if the action has no object.
    object: String,
    /// More about it, such as the names of changed fields, or the number of events.
    #[schema(value_type = Object)]
    details: Value,
    /// The MAC of the entry, which also covers the entry before it. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditList)]
pub(crate) struct AuditListJson {
    /// The entries, oldest first.
    entries: Vec<AuditEntryJson>,
    /// The value for `from` in the next request.
    next: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditListQuery {
    /// The value of `next` of an earlier answer, or the number of an entry. The default is the oldest entry.
    from: Option<String>,
    /// The maximum number of entries: 1 to 1,000. The default is 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only entries of this actor.
    actor: Option<String>,
    /// Only entries whose action matches this pattern, such as `token.*`.
    action: Option<String>,
    /// Only entries with this object.
    object: Option<String>,
    /// Only entries of this time or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only entries before this time.
    #[param(format = DateTime)]
    until: Option<String>,
}

/// The result of a check of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditVerification)]
pub(crate) struct VerificationJson {
    /// Whether the audit is complete and authentic.
    valid: bool,
    /// The number of entries.
    entries: u64,
    /// The newest entry, as `NUMBER:MAC`. Note it elsewhere, to find later whether the audit was replaced by an
    /// older copy.
    newest: String,
    /// The last entry that retention removed, as `NUMBER:MAC`. The number is 0 if it removed none.
    anchor: String,
    /// What is wrong, by place. At most 1,000.
    faults: Vec<FaultJson>,
}

/// A fault of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditFault)]
struct FaultJson {
    /// The kind of fault: `changed`, `forged`, `missing`, `exchanged`, `moved`, `out_of_order`, `cut_off`, `head_missing`,
    /// `head_changed`, `head_older`, `unreadable`, `found_at_start` or `not_expected`.
    fault: &'static str,
    /// The number of the first entry, if the place is known.
    first: Option<u64>,
    /// The number of the last entry; of exchanged entries the second one.
    last: Option<u64>,
    /// The time of the place, as far as the file says it.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// What is wrong, for people.
    detail: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    /// An entry that the audit must have, as `NUMBER:MAC`: the `newest` of an earlier check.
    expect: Option<String>,
}

/// Lists entries of the audit, oldest first.
#[utoipa::path(get, path = "/v1/audit", operation_id = "list_audit", tag = "audit", params(AuditListQuery), responses((status = OK, body = AuditListJson), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<AuditListQuery>,
) -> Result<Json<AuditListJson>, ApiError> {
    let limit = check_limit(query.limit)?;
    let cursor = Cursor {
        sealer: &api.keys.sealer(),
        reach: &caller.reach,
    };
    let from = query.from.as_deref().map(|from| cursor.parse(from));
    let wanted = AuditQuery {
        from: from.transpose()?.unwrap_or(0),
        limit,
        reach: caller.reach.clone(),
        actor: query.actor,
        action: query.action,
        object: query.object,
        since: parse_time("since", query.since.as_deref())?,
        until: parse_time("until", query.until.as_deref())?,
    };
    let (entries, next) = api.audit.list(wanted).await?;
    let is_confined = caller.reach != Reach::Everything;
    let entries = entries.into_iter();
    Ok(Json(AuditListJson {
        entries: entries
            .map(|entry| AuditEntryJson::new(entry, is_confined.then_some(())))
            .collect(),
        next: cursor.format(next)?,
    }))
}

/// Checks that the audit is complete and authentic, and says where it is not.
#[utoipa::path(get, path = "/v1/audit/verify", operation_id = "verify_audit", tag = "audit", params(VerifyQuery), responses((status = OK, body = VerificationJson), (status = FORBIDDEN, description = "`scope_missing` or `reach_too_small`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn verify(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(VerifyQuery { expect }): Query<VerifyQuery>,
) -> Result<Json<VerificationJson>, ApiError> {
    caller.require_everything()?;
    let expected = expect.map(|text| {
        let invalid = |fault| invalid(format!("`expect`: {fault}."));
        text.parse::<ChainPoint>().map_err(invalid)
    });
    let verification = api.audit.verify(expected.transpose()?).await?;
    Ok(Json(verification.into()))
}

/// Converts cursors between numbers and texts.
struct Cursor<'a> {
    sealer: &'a Sealer,
    reach: &'a Reach,
}

impl Cursor<'_> {
    fn parse(&self, text: &str) -> Result<u64, ApiError> {
        let number = match self.reach {
            Reach::Everything => text.parse().ok(),
            Reach::RootAccount(_) => self.open(text),
        };
        number.ok_or_else(|| invalid("`from` must be the `next` of an earlier answer.".to_owned()))
    }

    fn open(&self, text: &str) -> Option<u64> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let reach = self.reach.to_string();
        let opened = self.sealer.open(place(&reach), &sealed).ok()?;
        let number = opened.expose().as_slice().try_into().ok()?;
        Some(u64::from_be_bytes(number))
    }

    fn format(&self, number: u64) -> Result<String, ApiError> {
        match self.reach {
            Reach::Everything => Ok(number.to_string()),
            Reach::RootAccount(_) => {
                let reach = self.reach.to_string();
                let sealed = self.sealer.seal(place(&reach), &number.to_be_bytes());
                let sealed = sealed.map_err(|error| ApiError::bug(&error))?;
                Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed))
            }
        }
    }
}

fn place(reach: &str) -> SealedPlace<'_> {
    SealedPlace {
        table: CURSOR,
        row: reach,
        version: 1,
    }
}

fn parse_time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    let parsed = text.map(|text| {
        text.parse().map_err(|_not_a_time| {
            invalid(format!(
                "`{name}` must be a time such as 2026-11-22T00:00:00Z, not {text:?}."
            ))
        })
    });
    parsed.transpose()
}

fn invalid(detail: String) -> ApiError {
    ApiError::invalid("invalid_range", detail)
}

impl AuditEntryJson {
    /// Returns the answer for one entry. A confined caller gets neither number nor MAC.
    fn new(entry: AuditEntry, confined: Option<()>) -> Self {
        let is_whole = confined.is_none();
        Self {
            number: is_whole.then_some(entry.number),
            at: entry.at,
            actor: entry.actor,
            address: entry.address,
            reach: entry.reach,
            action: entry.action,
            object: entry.object,
            details: entry.details,
            mac: is_whole.then(|| entry.mac.to_string()),
        }
    }
}

impl From<Verification> for VerificationJson {
    fn from(verification: Verification) -> Self {
        Self {
            valid: verification.is_valid(),
            entries: verification.entry_count,
            newest: verification.newest.to_string(),
            anchor: verification.anchor.to_string(),
            faults: verification
                .faults
                .into_iter()
                .map(FaultJson::from)
                .collect(),
        }
    }
}

impl From<ChainFault> for FaultJson {
    fn from(fault: ChainFault) -> Self {
        Self {
            fault: fault.kind.code(),
            detail: fault.to_string(),
            first: fault.first,
            last: fault.last,
            at: fault.at,
        }
    }
}

impl From<AuditError> for ApiError {
    fn from(error: AuditError) -> Self {
        Self::storage("audit_unavailable", &error)
    }
}

#[cfg(test)]
mod tests {
    use easel_audit::EntryMac;

    use super::*;

    #[test]
    fn a_cursor_of_a_confined_caller_shows_no_number_and_is_valid_only_for_its_reach() {
        let sealer = Sealer::ephemeral().unwrap();
        let reaches = ["*", "root_account:7", "root_account:8"];
        let [everything, own, other] = reaches.map(|reach| reach.parse::<Reach>().unwrap());
        let cursor = |reach| Cursor {
            sealer: &sealer,
            reach,
        };
        assert_eq!(cursor(&everything).format(1234).unwrap(), "1234");
        assert_eq!(cursor(&everything).parse("1234").unwrap(), 1234);
        let text = cursor(&own).format(1234).unwrap();
        assert_ne!(text, cursor(&own).format(1234).unwrap());
        assert_eq!(cursor(&own).parse(&text).unwrap(), 1234);
        for (reach, text) in [
            (&other, text.as_str()),
            (&everything, &text),
            (&own, "1234"),
        ] {
            cursor(reach).parse(text).unwrap_err();
        }
    }

    #[test]
    fn a_confined_caller_gets_neither_numbers_nor_macs() {
        let entry = AuditEntry {
            number: 7,
            at: Timestamp::UNIX_EPOCH,
            actor: "a".to_owned(),
            address: None,
            reach: "root_account:7".to_owned(),
            action: "events.read".to_owned(),
            object: String::new(),
            details: Value::Null,
            mac: EntryMac::NONE,
        };
        let confined = serde_json::to_value(AuditEntryJson::new(entry, Some(()))).unwrap();
        assert!(confined.get("number").is_none() && confined.get("mac").is_none());
        assert_eq!(confined["action"], "events.read");
    }
}
