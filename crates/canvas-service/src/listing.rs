//! Pages of a list: 100 subscriptions each, by id.
//!
//! If there are more, the answer has the header `endkey`. The next page comes with its value as the header
//! `StartKey`. Its text is JSON for Canvas and means nothing to the caller.

use serde_json::{Value, json};

use crate::caller::id_text;
use crate::document::ID;
use crate::service_error::ServiceError;

/// The most subscriptions in one answer.
const PAGE_SIZE: usize = 100;

/// One page of a list.
#[derive(Debug, PartialEq)]
pub(crate) struct ListPage {
    /// The subscriptions.
    pub(crate) items: Vec<Value>,
    /// The key of the next page, if there is one.
    pub(crate) end_key: Option<String>,
}

impl ListPage {
    /// Returns the page after `start_key`. `all` are ids with their answers, sorted by id.
    pub(crate) fn after(
        start_key: Option<&str>,
        all: Vec<(String, Value)>,
    ) -> Result<Self, ServiceError> {
        let after = start_key.map(last_id).transpose()?;
        let mut rest = all
            .into_iter()
            .skip_while(|(id, _)| after.as_ref().is_some_and(|after| id <= after));
        let page: Vec<_> = rest.by_ref().take(PAGE_SIZE).collect();
        let end_key = match (page.last(), rest.next()) {
            (Some((id, last)), Some(_more)) => {
                let developer_key = last.get("DeveloperKey").cloned().unwrap_or_default();
                let key = json!({ ID: id, "DeveloperKey": developer_key });
                Some(key.to_string())
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        Ok(Self {
            items: page.into_iter().map(|(_, item)| item).collect(),
            end_key,
        })
    }
}

/// Returns the id in the key of a page.
fn last_id(key: &str) -> Result<String, ServiceError> {
    let key: Option<Value> = serde_json::from_str(key).ok();
    let id = key.and_then(|key| id_text(key.get(ID)));
    id.ok_or_else(|| {
        ServiceError::Invalid("StartKey must be the value of the header EndKey".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: usize) -> Vec<(String, Value)> {
        let ids = (0..count).map(|number| format!("{number:05}"));
        ids.map(|id| (id.clone(), json!({ ID: id }))).collect()
    }

    #[test]
    fn the_pages_have_every_subscription_once() {
        for count in [0, 1, 99, 100, 101, 200, 250] {
            let (mut found, mut key) = (Vec::new(), None);
            loop {
                let page = ListPage::after(key.as_deref(), all(count)).unwrap();
                assert!(page.items.len() <= 100);
                found.extend(page.items);
                key = page.end_key;
                if key.is_none() {
                    break;
                }
            }
            let wanted: Vec<_> = all(count).into_iter().map(|(_, item)| item).collect();
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_page_goes_on_after_a_subscription_that_was_removed() {
        let page = ListPage::after(Some(r#"{"Id":"00001x"}"#), all(4)).unwrap();
        assert_eq!(page.items, [json!({ ID: "00002" }), json!({ ID: "00003" })]);
    }

    #[test]
    fn an_invalid_key_is_refused() {
        for key in ["", "x", "{}", "[]", r#"{"Id":null}"#, r#""x""#] {
            ListPage::after(Some(key), all(1)).unwrap_err();
        }
    }
}
