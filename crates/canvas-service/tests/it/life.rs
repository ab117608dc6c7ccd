//! The life of subscriptions: what is stored, changed, deleted and restored.

use std::slice::from_ref;
use std::sync::Arc;

use easel_subscriptions::{MemoryStore, State};
use serde_json::{Value, json};

use crate::fixture::{Fixture, full_name, path, plagiarism};
use crate::token::{page, tool};

#[tokio::test]
async fn unknown_members_are_given_back_and_secrets_are_not_but_nothing_is_lost() {
    let store: Arc<MemoryStore> = Arc::default();
    let fixture = Fixture::open(Arc::clone(&store)).await;
    let tool = page(1);
    let sent = json!({
        "EventTypes": ["grade_change"],
        "ContextType": "root_account",
        "ContextId": "account-uuid-1",
        "TransportType": "sqs",
        "TransportMetadata": {
            "Url": "https://sqs.eu-west-1.amazonaws.com/111122223333/q",
            "AwsAccessKeyId": "AKIA1", "AwsSecretAccessKey": "planted", "Region": "eu-west-1",
        },
        "OwnerId": "7", "OwnerType": "person",
        "NewInCanvas": {"a": [1, null, {"b": 1.5}]}, "Nothing": null,
        "ApiToken": "planted",
    });
    let id = fixture.create(&tool, sent.clone()).await;
    let shown = fixture.call(&tool, ("GET", &path(&id)), Value::Null).await;
    assert!(!shown.json.to_string().contains("planted"), "{shown:?}");
    for name in [
        "OwnerId",
        "OwnerType",
        "NewInCanvas",
        "Nothing",
        "EventTypes",
    ] {
        assert_eq!(shown.json[name], sent[name], "{name}");
    }
    assert_eq!(shown.json["State"], "Active");
    assert_eq!(shown.json["RootAccountId"], "1");
    assert_eq!(shown.json["ApiToken"], "…");

    // A change of one member, and a change that sends back what was shown.
    let some = json!({"Id": id, "EventTypes": ["grade_*"], "UpdatedBy": "8"});
    let mut all = shown.json.clone();
    all["TransportMetadata"]["Region"] = "eu-west-2".into();
    let metadata = json!({"Id": id, "TransportMetadata": {"Note": "new"}});
    for changes in [some, all, metadata] {
        let answer = fixture.call(&tool, ("PUT", &path(&id)), changes).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // After a restart, everything is there.
    let fixture = Fixture::open(store).await;
    let shown = fixture.call(&tool, ("GET", &path(&id)), Value::Null).await;
    assert_eq!(shown.json["UpdatedBy"], "8");
    assert_eq!(shown.json["NewInCanvas"], sent["NewInCanvas"]);
    assert_eq!(shown.json["TransportMetadata"]["Note"], "new");
    let subscription = fixture.subscriptions.get(&full_name(&id)).unwrap();
    let sink = format!("{:?}", subscription.spec.sink);
    assert!(
        sink.contains("AKIA1") && sink.contains("eu-west-2"),
        "{sink}"
    );
    let document = subscription.owner.as_ref().unwrap();
    assert_eq!(document.document.expose().matches("planted").count(), 2);
    assert!(!document.shown_document.contains("planted"));
    assert_eq!(document.shown_document.matches('…').count(), 3);
}

#[tokio::test]
async fn a_deleted_subscription_is_listed_for_90_days_if_asked_and_can_be_restored() {
    let store: Arc<MemoryStore> = Arc::default();
    let fixture = Fixture::open(Arc::clone(&store)).await;
    let tool = tool("a", 1);
    let by_put = fixture.create(&tool, plagiarism(1, "a")).await;
    fixture.wait(1);
    let by_delete = fixture.create(&tool, plagiarism(1, "a")).await;
    let active = fixture.create(&tool, plagiarism(1, "a")).await;
    let changes = json!({"Id": by_put, "State": "Deleted", "UpdatedBy": "9"});
    let answer = fixture.call(&tool, ("PUT", &path(&by_put)), changes).await;
    assert_eq!(
        (answer.status, &answer.json["State"]),
        (200, &json!("Deleted"))
    );
    fixture.wait(10);
    for _ in 0..2 {
        let answer = fixture
            .call(&tool, ("DELETE", &path(&by_delete)), Value::Null)
            .await;
        assert_eq!(
            (answer.status, &answer.json["State"]),
            (200, &json!("Deleted"))
        );
    }
    // An operator's removal looks the same to Canvas.
    let removed = fixture.create(&tool, plagiarism(1, "a")).await;
    fixture
        .subscriptions
        .remove(&full_name(&removed))
        .await
        .unwrap();
    assert_eq!(fixture.ids(&tool, "").await, from_ref(&active));
    let mut all = [&by_put, &by_delete, &active, &removed].map(Clone::clone);
    all.sort();
    assert_eq!(fixture.ids(&tool, "?limit_deleted=90").await, all);
    assert_eq!(fixture.ids(&tool, "?limit_deleted=9000").await, all);
    assert_eq!(fixture.ids(&tool, "?limit_deleted=5").await.len(), 3);
    assert_eq!(
        fixture.ids(&tool, "?limit_deleted=0").await,
        from_ref(&active)
    );
    let shown = fixture
        .call(&tool, ("GET", &path(&by_put)), Value::Null)
        .await;
    assert_eq!(shown.json["State"], "Deleted");
    assert_eq!(shown.json["UpdatedBy"], "9");

    let silent = json!({"Id": by_put, "UpdatedBy": "10"});
    let refused = fixture.call(&tool, ("PUT", &path(&by_put)), silent).await;
    assert_eq!(refused.status, 400);
    let active = json!({"Id": by_delete, "State": "Active", "UserEventTypes": ["grade_change"]});
    let answer = fixture
        .call(&tool, ("PUT", &path(&by_delete)), active)
        .await;
    assert_eq!(
        (answer.status, &answer.json["State"]),
        (200, &json!("Active"))
    );
    let restored = fixture.subscriptions.get(&full_name(&by_delete)).unwrap();
    assert_eq!(restored.spec.user_events[0].as_str(), "grade_change");
    assert_eq!(
        restored.spec.sink.url().expose(),
        "https://tool.example/hook?key=url-secret"
    );
    fixture.wait(81);
    assert_eq!(fixture.ids(&tool, "?limit_deleted=90").await.len(), 3);
    let gone = fixture
        .call(&tool, ("GET", &path(&by_put)), Value::Null)
        .await;
    assert_eq!(gone.status, 404);
    assert_eq!(fixture.subscriptions.tombstones().len(), 2);
    fixture.service.forget_old().await.unwrap();
    assert_eq!(fixture.subscriptions.tombstones().len(), 1);
}

#[tokio::test]
async fn canvas_restarts_what_easel_gave_up_but_not_what_an_operator_paused() {
    let fixture = Fixture::new().await;
    let tool = tool("a", 1);
    let id = fixture.create(&tool, plagiarism(1, "a")).await;
    let state = || {
        fixture
            .subscriptions
            .get(&full_name(&id))
            .unwrap()
            .state
            .clone()
    };
    fixture.subscriptions.pause(&full_name(&id)).await.unwrap();
    let active = json!({"Id": id, "State": "Active"});
    let answer = fixture
        .call(&tool, ("PUT", &path(&id)), active.clone())
        .await;
    assert_eq!(
        (answer.status, &answer.json["State"]),
        (200, &json!("Active"))
    );
    assert_eq!(state(), State::Paused { reason: None });

    let given_up = State::Deactivated {
        reason: Some("the endpoint failed for 3 days".to_owned()),
    };
    for (changes, wanted) in [
        (json!({"Id": id, "UpdatedBy": "9"}), given_up.clone()),
        (active, State::Active),
        (
            json!({"Id": id, "TransportMetadata": {"Url": "https://new.example/"}}),
            State::Active,
        ),
    ] {
        let current = fixture.subscriptions.get(&full_name(&id)).unwrap();
        let set = fixture
            .subscriptions
            .set_state_if_current(&current, given_up.clone());
        set.await.unwrap();
        let answer = fixture.call(&tool, ("PUT", &path(&id)), changes).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(state(), wanted);
    }
}

#[tokio::test]
async fn a_list_has_pages_of_100() {
    let fixture = Fixture::new().await;
    let tool = tool("a", 1);
    let mut created = Vec::new();
    for _ in 0..205 {
        created.push(fixture.create(&tool, plagiarism(1, "a")).await);
    }
    let (mut found, mut key, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let mut request = axum::http::Request::get("/api/root_account_subscriptions")
            .header("authorization", format!("Bearer {tool}"));
        if let Some(key) = &key {
            request = request.header("StartKey", key);
        }
        let answer = fixture.send(request.body("".into()).unwrap()).await;
        let items = answer.json.as_array().unwrap();
        sizes.push(items.len());
        found.extend(
            items
                .iter()
                .map(|item| item["Id"].as_str().unwrap().to_owned()),
        );
        match answer.headers.get("EndKey") {
            Some(next) => key = Some(next.clone()),
            None => break,
        }
    }
    created.sort();
    assert_eq!(sizes, [100, 100, 5]);
    assert_eq!(found, created);
}
