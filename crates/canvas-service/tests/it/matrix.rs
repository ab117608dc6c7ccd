//! Who may see and change what.

use std::slice::from_ref;

use serde_json::{Value, json};

use crate::fixture::{Fixture, full_name, path, plagiarism};
use crate::token::{page, tool};

#[tokio::test]
async fn a_tool_and_a_root_account_see_and_change_only_what_is_theirs() {
    let fixture = Fixture::new().await;
    let (tool_a, tool_b, elsewhere) = (tool("a", 1), tool("b", 1), tool("a", 2));
    let id = fixture.create(&tool_a, plagiarism(1, "a")).await;
    let of_b = fixture.create(&tool_b, plagiarism(1, "b")).await;
    let deleted = fixture.create(&tool_a, plagiarism(1, "a")).await;
    let answer = fixture
        .call(&tool_a, ("DELETE", &path(&deleted)), Value::Null)
        .await;
    assert_eq!(answer.status, 200);

    for stranger in [&tool_b, &elsewhere, &page(2)] {
        for unreachable in [&id, &deleted] {
            for (method, body) in [
                ("GET", Value::Null),
                ("PUT", json!({"Id": unreachable, "EventTypes": ["all"]})),
                ("PUT", json!({"Id": unreachable, "State": "Active"})),
                ("DELETE", Value::Null),
            ] {
                let path_of_other = path(unreachable);
                let call = (method, path_of_other.as_str());
                let theirs = fixture.call(stranger, call, body.clone()).await;
                assert_eq!(theirs.status, 404, "{method} {theirs:?}");
                // The answer is that of a subscription that does not exist.
                let unknown = "01900000-0000-7000-8000-000000000001";
                let mut body = body;
                if !body.is_null() {
                    body["Id"] = unknown.into();
                }
                let missing = fixture.call(stranger, (method, &path(unknown)), body).await;
                assert_eq!((missing.status, missing.json), (404, theirs.json));
            }
        }
        assert!(
            !fixture
                .ids(stranger, "?limit_deleted=90")
                .await
                .contains(&id)
        );
    }
    assert_eq!(fixture.ids(&tool_a, "").await, from_ref(&id));
    assert_eq!(fixture.ids(&tool_b, "").await, from_ref(&of_b));
    assert_eq!(fixture.ids(&page(1), "").await, [id.clone(), of_b.clone()]);
    assert!(fixture.ids(&elsewhere, "").await.is_empty());
    let changed = json!({"Id": id, "EventTypes": ["all"]});
    let answer = fixture.call(&page(1), ("PUT", &path(&id)), changed).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_call_to_delete_all_deletes_only_what_the_tool_created() {
    let fixture = Fixture::new().await;
    let (tool_a, tool_b) = (tool("a", 1), tool("b", 1));
    let first = fixture.create(&tool_a, plagiarism(1, "a")).await;
    let second = fixture.create(&tool_a, plagiarism(1, "a")).await;
    let of_b = fixture.create(&tool_b, plagiarism(1, "b")).await;
    let of_page = fixture.create(&page(1), plagiarism(1, "a")).await;
    let elsewhere = fixture.create(&tool("a", 2), plagiarism(2, "a")).await;
    let all = ("DELETE", "/api/subscriptions");
    let refused = fixture.call(&page(1), all, Value::Null).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let answer = fixture.call(&tool_a, all, Value::Null).await;
    assert_eq!(
        (answer.status, answer.json),
        (200, json!({"Deleted": [first, second]}))
    );
    assert_eq!(fixture.ids(&page(1), "").await, [of_b, of_page]);
    assert_eq!(fixture.ids(&page(2), "").await, [elsewhere]);
    let again = fixture.call(&tool_a, all, Value::Null).await;
    assert_eq!((again.status, again.json), (200, json!({"Deleted": []})));
}

#[tokio::test]
async fn the_path_of_a_missing_id_never_means_all_subscriptions() {
    let fixture = Fixture::new().await;
    let tool = tool("a", 1);
    let id = fixture.create(&tool, plagiarism(1, "a")).await;
    let nothing = "/api/subscriptions/";
    for method in ["GET", "DELETE", "POST"] {
        let answer = fixture.call(&tool, (method, nothing), Value::Null).await;
        assert_eq!(answer.status, 404, "{method}");
    }
    for body in [json!({}), json!({"Id": null}), json!({"Id": ""})] {
        let answer = fixture.call(&tool, ("PUT", nothing), body).await;
        assert_eq!(answer.status, 400);
    }
    let by_body = json!({"Id": id, "Name": "x"});
    let answer = fixture.call(&tool, ("PUT", nothing), by_body).await;
    assert_eq!((answer.status, &answer.json["Name"]), (200, &json!("x")));
    let other = json!({"Id": "01900000-0000-7000-8000-000000000001"});
    let answer = fixture.call(&tool, ("PUT", &path(&id)), other).await;
    assert_eq!(answer.status, 400);
    assert_eq!(fixture.ids(&tool, "").await, [id]);
}

#[tokio::test]
async fn no_object_can_ask_for_the_events_of_another_root_account() {
    let fixture = Fixture::new().await;
    let mut object = plagiarism(2, "a");
    object["RootAccountId"] = "2".into();
    object["RootAccountUUID"] = "account-uuid-2".into();
    let tool = tool("a", 1);
    let refused = fixture
        .call(&tool, ("POST", "/api/subscriptions"), object.clone())
        .await;
    assert_eq!(refused.status, 400, "{refused:?}");
    object["ContextId"] = "account-uuid-1".into();
    let id = fixture.create(&tool, object).await;
    let changes = json!({"Id": id, "RootAccountId": "2", "RootAccountUUID": "account-uuid-2"});
    let answer = fixture.call(&tool, ("PUT", &path(&id)), changes).await;
    assert_eq!(answer.json["RootAccountId"], "1");
    assert_eq!(answer.json["RootAccountUUID"], "account-uuid-1");
    let subscription = fixture.subscriptions.get(&full_name(&id)).unwrap();
    let accounts = &subscription.spec.conditions.root_account;
    assert_eq!(accounts[..], ["1", "account-uuid-1"]);
}
