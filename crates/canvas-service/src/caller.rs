//! Who calls: the claims of the token, and what a caller may see.
//!
//! Every caller acts for one root account. A tool of LTI 2 sees only what it created itself. Every other
//! caller, such as Canvas's page of data services, sees all subscriptions of its root account.

use easel_catalog::{Reach, RootAccount};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The start of `sub` in the token of an LTI 2 tool. Its GUID follows.
const TOOL_PROXY: &str = "ltiToolProxy:";

/// The caller that a token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanvasCaller {
    /// The root account that the caller acts for.
    pub root_account: CanvasAccount,
    /// The claim `sub`.
    #[serde(default)]
    pub subject: Option<String>,
    /// The claim `DeveloperKey`.
    #[serde(default)]
    pub developer_key: Option<String>,
}

/// A root account. Old versions of Canvas do not send its UUID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanvasAccount {
    /// The global id.
    #[serde(default)]
    pub id: Option<String>,
    /// The UUID, a text of letters and digits.
    #[serde(default)]
    pub uuid: Option<String>,
}

/// The claims that are read. An id is a string or a number.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ClaimsJson {
    #[serde(default, rename = "sub")]
    subject: Option<String>,
    #[serde(default)]
    developer_key: Option<Value>,
    #[serde(default)]
    root_account_id: Option<Value>,
    #[serde(default, rename = "RootAccountUUID")]
    root_account_uuid: Option<Value>,
}

impl CanvasCaller {
    /// Reads the caller from the claims of a verified token. Returns `None` if they name no root account.
    pub fn from_claims(claims: &[u8]) -> Option<Self> {
        let claims: ClaimsJson = serde_json::from_slice(claims).ok()?;
        let root_account = CanvasAccount {
            id: id_text(claims.root_account_id.as_ref()),
            uuid: id_text(claims.root_account_uuid.as_ref()),
        };
        let has_account = root_account.id.is_some() || root_account.uuid.is_some();
        has_account.then_some(Self {
            root_account,
            subject: claims.subject,
            developer_key: id_text(claims.developer_key.as_ref()),
        })
    }

    /// Returns the reach of the root account.
    pub(crate) fn reach(&self) -> Reach {
        self.root_account.reach()
    }

    /// Returns `sub` if the caller is an LTI 2 tool.
    pub fn tool_proxy(&self) -> Option<&str> {
        let subject = self.subject.as_deref()?;
        subject.starts_with(TOOL_PROXY).then_some(subject)
    }

    /// Returns true if this caller may see and change what `creator` created.
    pub(crate) fn may_see(&self, creator: &Self) -> bool {
        let is_own = self.root_account.is_same(&creator.root_account);
        is_own
            && self
                .tool_proxy()
                .is_none_or(|tool| creator.tool_proxy() == Some(tool))
    }
}

impl CanvasAccount {
    /// Returns true if both are the same account: by UUID if both have one, else by id.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.uuid, &other.uuid) {
            (Some(uuid), Some(other)) => uuid == other,
            _ => self.id.is_some() && self.id == other.id,
        }
    }

    /// Returns the reach of a subscription of the account: by id, or else by UUID. A UUID of digits would be an id.
    pub(crate) fn reach(&self) -> Reach {
        let parse = |name: &String| name.parse::<RootAccount>().ok();
        let id = self.id.iter().filter_map(parse).filter(RootAccount::is_id);
        let uuid = self.uuid.iter().filter_map(parse);
        let mut accounts = id.chain(uuid.filter(|account| !account.is_id()));
        // The conditions of the subscription name the account too. So without a name that a reach can have, the
        // subscription still gets only the events of the account.
        accounts
            .next()
            .map_or(Reach::Everything, Reach::RootAccount)
    }

    /// Iterates over the ids by which events name the account.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.id.iter().chain(&self.uuid)
    }
}

/// Returns an id as text. Returns `None` for an empty text and for other values.
pub(crate) fn id_text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => integer_text(number),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

fn integer_text(number: &Number) -> Option<String> {
    number.as_u64().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(claims: &str) -> Option<CanvasCaller> {
        CanvasCaller::from_claims(claims.as_bytes())
    }

    #[test]
    fn an_id_is_a_string_or_a_number() {
        let text = caller(r#"{"RootAccountId":"10000000000007","sub":"a"}"#).unwrap();
        let number = caller(r#"{"RootAccountId":10000000000007,"sub":"a"}"#).unwrap();
        assert_eq!(text, number);
        assert!(text.may_see(&number));
    }

    #[test]
    fn claims_without_a_root_account_are_no_caller() {
        for claims in [
            "{}",
            "[]",
            r#"{"RootAccountId":null}"#,
            r#"{"RootAccountId":""}"#,
            r#"{"RootAccountId":1.5}"#,
            r#"{"RootAccountUUID":{}}"#,
        ] {
            assert_eq!(caller(claims), None, "{claims}");
        }
    }

    #[test]
    fn a_caller_sees_its_root_account_and_a_tool_sees_only_itself() {
        let claims = |sub: &str, id: &str, uuid: &str| {
            let claims = serde_json::json!({
                "sub": sub, "RootAccountId": id, "RootAccountUUID": uuid,
            });
            caller(&claims.to_string()).unwrap()
        };
        let tool_a = claims("ltiToolProxy:a", "1", "u1");
        let tool_b = claims("ltiToolProxy:b", "1", "u1");
        let page = claims("10000000000003:u1", "1", "u1");
        let elsewhere = claims("ltiToolProxy:a", "2", "u2");
        assert!(tool_a.may_see(&tool_a) && page.may_see(&tool_a) && page.may_see(&page));
        assert!(!tool_a.may_see(&tool_b) && !tool_a.may_see(&page));
        assert!(!tool_a.may_see(&elsewhere) && !elsewhere.may_see(&tool_a));
        // The UUID decides, and without it the id.
        assert!(!page.may_see(&claims("x", "1", "u2")));
        let old = caller(r#"{"sub":"x","RootAccountId":"1"}"#).unwrap();
        assert!(old.may_see(&tool_a) && tool_a.may_see(&claims("ltiToolProxy:a", "9", "u1")));
        let uuid_alone = caller(r#"{"sub":"x","RootAccountUUID":"u1"}"#).unwrap();
        assert!(!old.may_see(&uuid_alone));
    }
}
