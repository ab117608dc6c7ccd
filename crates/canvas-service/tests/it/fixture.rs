//! The service on a store in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use easel_access::Refusals;
use easel_canvas_service::{CanvasService, routes};
use easel_catalog::Catalog;
use easel_keys::{JwkSet, Secret, ServicesJwtSecrets, ServicesJwtVerifier};
use easel_log::{LogOptions, MemoryLog};
use easel_subscriptions::{FullName, MemoryStore, Subscriptions};
use easel_testkit::FakeClock;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::token::{NOW, SECRET, uuid};

pub(crate) struct Fixture {
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) service: CanvasService,
    app: Router,
}

/// An answer, whose body is always JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::open(Arc::default()).await
    }

    pub(crate) async fn open(store: Arc<MemoryStore>) -> Self {
        let clock = Arc::new(FakeClock::new(Timestamp::from_second(NOW).unwrap()));
        let log = MemoryLog::new(LogOptions::default(), Arc::<FakeClock>::clone(&clock));
        let catalog = Arc::new(Catalog::built_in());
        let subscriptions = Subscriptions::open(
            store,
            Arc::new(log),
            Arc::<FakeClock>::clone(&clock),
            Arc::new(()),
            Arc::clone(&catalog),
        );
        let subscriptions = Arc::new(subscriptions.await.unwrap());
        let service = CanvasService::new(
            Arc::clone(&subscriptions),
            catalog,
            Arc::<FakeClock>::clone(&clock),
        );
        let verifier = ServicesJwtVerifier::new(&ServicesJwtSecrets {
            encryption: Secret::new(SECRET.to_owned()),
            signing: Secret::new(SECRET.to_owned()),
            deprecated_signing: None,
            keys: JwkSet::default(),
        });
        let app = routes(
            service.clone(),
            Arc::new(verifier.unwrap()),
            Arc::<FakeClock>::clone(&clock),
            (Arc::new(Refusals::new()), ""),
        );
        Self {
            clock,
            subscriptions,
            service,
            app,
        }
    }

    pub(crate) fn wait(&self, days: u64) {
        self.clock.advance(Duration::from_secs(days * 86_400));
    }

    /// Makes a call. A body of null is no body.
    pub(crate) async fn call(
        &self,
        bearer: &str,
        (method, path): (&str, &str),
        body: Value,
    ) -> Answer {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {bearer}"))
            .header("content-type", "application/json");
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        assert_eq!(head.headers["content-type"], "application/json");
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            json: serde_json::from_slice(&bytes).unwrap(),
        }
    }

    /// Creates a subscription. Returns its id.
    pub(crate) async fn create(&self, bearer: &str, body: Value) -> String {
        // Ids sort by the time of creation.
        self.clock.advance(Duration::from_millis(1));
        let answer = self
            .call(bearer, ("POST", "/api/subscriptions"), body)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["Id"].as_str().unwrap().to_owned()
    }

    /// Returns the ids in a list.
    pub(crate) async fn ids(&self, bearer: &str, query: &str) -> Vec<String> {
        let path = format!("/api/root_account_subscriptions{query}");
        let answer = self.call(bearer, ("GET", &path), Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let items = answer.json.as_array().unwrap().iter();
        items
            .map(|item| item["Id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The object that the plagiarism helper sends.
pub(crate) fn plagiarism(account: u64, guid: &str) -> Value {
    let types = [
        "submission_created",
        "plagiarism_resubmit",
        "submission_updated",
        "assignment_updated",
        "assignment_created",
    ];
    json!({
        "SystemEventTypes": types,
        "UserEventTypes": types,
        "ContextType": "root_account",
        "ContextId": uuid(account),
        "Format": "live-event",
        "TransportType": "https",
        "TransportMetadata": {"Url": "https://tool.example/hook?key=url-secret"},
        "AssociatedIntegrationId": guid,
    })
}

/// The path of a subscription.
pub(crate) fn path(id: &str) -> String {
    format!("/api/subscriptions/{id}")
}

/// Returns the full name of a subscription of the root account 1.
pub(crate) fn full_name(id: &str) -> FullName {
    format!("{id}@1").parse().unwrap()
}
