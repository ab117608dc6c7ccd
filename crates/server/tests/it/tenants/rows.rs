//! The rows of the matrix: one for each operation of the OpenAPI document.

use easel_access::Scope;
use hyper::StatusCode;

use super::world::Things;

/// Who may call an operation, and what it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody, without a token. The answer has nothing of anybody.
    Public,
    /// A source that identifies itself in its own way. Tokens have no meaning there.
    Unlisted,
    /// Callers for everything only.
    Server(Scope),
    /// Every caller with this scope. All callers get the same.
    Shared(Scope),
    /// Every caller with this scope. Each caller gets or makes its own.
    Own(Scope),
    /// Every caller with this scope. Each caller gets a stream of its own events.
    Stream(Scope),
    /// A thing that is named in the request. Somebody else's is as one that does not exist.
    Thing(Scope),
}

/// One operation.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    /// The path, with `{…}` for the parts that name a thing.
    template: &'static str,
    pub(super) access: Access,
    /// The status for the right token.
    pub(super) success: StatusCode,
    /// The JSON of the body. It can name things too.
    body: Option<&'static str>,
    /// Whether the answer to the right token has the data of root account A.
    pub(super) shows_marker: bool,
    /// Whether the operation changes something of root account A.
    pub(super) changes: bool,
}

use Access::{Own, Public, Server, Shared, Stream, Thing, Unlisted};
use Scope::{Ingest, Manage, Read};

pub(super) const ROWS: &[Row] = &[
    public("show_openapi", "/v1/openapi.json"),
    public("show_jwks", "/.well-known/jwks.json"),
    public("show_health", "/healthz"),
    public("show_readiness", "/readyz"),
    Row::new("POST", "take_hosted_event", "/v1/hooks/{name}", Unlisted),
    Row::new(
        "POST",
        "take_hosted_event_with_secret",
        "/v1/hooks/{name}/secret",
        Unlisted,
    ),
    get("show_metrics", "/metrics", Own(Read)).with_marker(),
    // What is the same for everybody.
    get("list_event_types", "/v1/catalog", Shared(Read)),
    get(
        "show_event_type",
        "/v1/catalog/course_created",
        Shared(Read),
    ),
    get(
        "show_event_schema",
        "/v1/catalog/course_created/schema",
        Shared(Read),
    ),
    get("show_asyncapi", "/v1/asyncapi.json", Shared(Read)),
    get("show_deliveries", "/v1/deliveries", Shared(Read)),
    Row::new("POST", "check_envelope", "/v1/caliper/check", Shared(Read))
        .with_body("{}")
        .succeeds(StatusCode::BAD_REQUEST),
    // What each caller has or makes.
    get("list_subscriptions", "/v1/subscriptions", Own(Read)).with_marker(),
    get("list_balances", "/v1/balance", Own(Read)).with_marker(),
    get("list_events", "/v1/events", Own(Read)).with_marker(),
    get("list_quarantine", "/v1/quarantine", Own(Read)).with_marker(),
    get("list_drift", "/v1/drift", Own(Read)).with_marker(),
    get("show_status", "/v1/status", Own(Read)).with_marker(),
    get("list_tokens", "/v1/tokens", Own(Manage)).with_marker(),
    get("list_audit", "/v1/audit", Own(Manage)).with_marker(),
    get("stream_events", "/v1/events/stream?from=0", Stream(Read)),
    Row::new("POST", "send_events", "/v1/events", Own(Ingest))
        .with_body(
            r#"{"metadata":{"event_name":"x","event_time":"2026-11-01T00:00:00Z"},"body":{}}"#,
        )
        .succeeds(StatusCode::ACCEPTED),
    Row::new(
        "POST",
        "send_changes",
        "/v1/changes?dry_run=true",
        Own(Ingest),
    )
    .with_body("[{}]")
    .succeeds(StatusCode::UNPROCESSABLE_ENTITY),
    Row::new(
        "POST",
        "create_subscription",
        "/v1/subscriptions",
        Own(Manage),
    )
    .with_body(r#"{"name":"new","webhook":{"url":"http://127.0.0.1:9/"}}"#)
    .succeeds(StatusCode::CREATED)
    .changing(),
    Row::new("POST", "create_token", "/v1/tokens", Own(Manage))
        .with_body(r#"{"name":"new","scopes":["read"]}"#)
        .succeeds(StatusCode::CREATED)
        .changing(),
    // A thing that the request names.
    get("show_event", "/v1/events/{event_id}", Thing(Read)).with_marker(),
    get("show_subscription", "/v1/subscriptions/{name}", Thing(Read)).with_marker(),
    get(
        "list_attempts",
        "/v1/subscriptions/{name}/attempts",
        Thing(Read),
    ),
    get(
        "list_parked",
        "/v1/subscriptions/{name}/parked",
        Thing(Read),
    ),
    get(
        "list_dead_letters",
        "/v1/subscriptions/{name}/dead-letters",
        Thing(Read),
    )
    .with_marker(),
    get(
        "show_dead_letter",
        "/v1/subscriptions/{name}/dead-letters/{offset}",
        Thing(Read),
    )
    .with_marker(),
    get(
        "show_balance",
        "/v1/subscriptions/{name}/balance",
        Thing(Read),
    )
    .with_marker(),
    get(
        "list_replays",
        "/v1/subscriptions/{name}/replays",
        Thing(Read),
    ),
    get(
        "show_replay",
        "/v1/subscriptions/{name}/replays/1",
        Thing(Read),
    ),
    get(
        "show_tables",
        "/v1/subscriptions/{name}/tables",
        Thing(Read),
    )
    .not_tables(),
    get(
        "plan_tables",
        "/v1/subscriptions/{name}/tables/plan",
        Thing(Read),
    )
    .not_tables(),
    get(
        "show_rebuild",
        "/v1/subscriptions/{name}/tables/rebuild",
        Thing(Read),
    )
    .not_tables(),
    post(
        "apply_tables",
        "/v1/subscriptions/{name}/tables/apply",
        Thing(Manage),
    )
    .not_tables(),
    post(
        "promote_field",
        "/v1/subscriptions/{name}/tables/promotions",
        Thing(Manage),
    )
    .with_body(r#"{"event":"x","field":"y"}"#)
    .not_tables(),
    post(
        "start_rebuild",
        "/v1/subscriptions/{name}/tables/rebuild",
        Thing(Manage),
    )
    .not_tables(),
    Row::new(
        "DELETE",
        "cancel_rebuild",
        "/v1/subscriptions/{name}/tables/rebuild",
        Thing(Manage),
    )
    .not_tables(),
    post("send_test", "/v1/test-deliveries", Thing(Manage))
        .with_body(r#"{"subscription":"{name}"}"#),
    post(
        "pause_subscription",
        "/v1/subscriptions/{name}/pause",
        Thing(Manage),
    )
    .changing(),
    post(
        "resume_subscription",
        "/v1/subscriptions/{name}/resume",
        Thing(Manage),
    )
    .changing(),
    post(
        "enforce_guard",
        "/v1/subscriptions/{name}/enforce-guard",
        Thing(Manage),
    )
    .changing(),
    Row::new(
        "PATCH",
        "change_subscription",
        "/v1/subscriptions/{name}",
        Thing(Manage),
    )
    .with_body(r#"{"max_rate":7}"#)
    .changing(),
    Row::new(
        "PUT",
        "replace_subscription",
        "/v1/subscriptions/{name}",
        Thing(Manage),
    )
    .with_body(r#"{"name":"{name}","webhook":{"url":"http://127.0.0.1:9/"}}"#)
    .changing(),
    post(
        "start_replay",
        "/v1/subscriptions/{name}/replays",
        Thing(Manage),
    )
    .with_body(r#"{"from":"earliest"}"#)
    .succeeds(StatusCode::CREATED)
    .changing(),
    Row::new(
        "DELETE",
        "cancel_replay",
        "/v1/subscriptions/{name}/replays/1",
        Thing(Manage),
    )
    .succeeds(StatusCode::NO_CONTENT)
    .changing(),
    post(
        "redeliver_dead_letters",
        "/v1/subscriptions/{name}/dead-letters/redeliver",
        Thing(Manage),
    )
    .with_body(r#"{"all":true}"#)
    .changing(),
    post(
        "discard_dead_letters",
        "/v1/subscriptions/{name}/dead-letters/discard",
        Thing(Manage),
    )
    .with_body(r#"{"all":true}"#)
    .changing(),
    // What concerns the whole server. `{name}` is no source, so the operator gets 404 for it.
    get("list_sources", "/v1/sources", Server(Read)),
    get("show_source", "/v1/sources/{name}", Server(Read)).succeeds(StatusCode::NOT_FOUND),
    post("create_source", "/v1/sources", Server(Manage))
        .with_body("{}")
        .succeeds(StatusCode::UNPROCESSABLE_ENTITY),
    Row::new(
        "PUT",
        "replace_source",
        "/v1/sources/{name}",
        Server(Manage),
    )
    .with_body("{}")
    .succeeds(StatusCode::UNPROCESSABLE_ENTITY),
    Row::new(
        "DELETE",
        "remove_source",
        "/v1/sources/{name}",
        Server(Manage),
    )
    .succeeds(StatusCode::NOT_FOUND),
    post("pause_source", "/v1/sources/{name}/pause", Server(Manage))
        .succeeds(StatusCode::NOT_FOUND),
    post("resume_source", "/v1/sources/{name}/resume", Server(Manage))
        .succeeds(StatusCode::NOT_FOUND),
    post("begin_import", "/v1/imports", Server(Ingest))
        .with_body("{}")
        .succeeds(StatusCode::UNPROCESSABLE_ENTITY),
    get("list_imports", "/v1/imports", Server(Read)),
    get("show_import", "/v1/imports/{name}", Server(Read)).succeeds(StatusCode::NOT_FOUND),
    Row::new(
        "DELETE",
        "remove_import",
        "/v1/imports/{name}",
        Server(Manage),
    )
    .succeeds(StatusCode::NOT_FOUND),
    post("import_part", "/v1/imports/{name}/parts", Server(Ingest)).succeeds(StatusCode::NOT_FOUND),
    get("list_keys", "/v1/keys", Server(Read)),
    get("verify_audit", "/v1/audit/verify", Server(Manage)),
    post(
        "rotate_signing_key",
        "/v1/keys/signing/RS256/rotate",
        Server(Manage),
    ),
    post(
        "rotate_master_key",
        "/v1/keys/master/rotate",
        Server(Manage),
    )
    .succeeds(StatusCode::CONFLICT),
    post("retry_quarantine", "/v1/quarantine/retry", Server(Manage)),
    post("pause_deliveries", "/v1/deliveries/pause", Server(Manage)).changing(),
    post("resume_deliveries", "/v1/deliveries/resume", Server(Manage)).changing(),
    Row::new(
        "PATCH",
        "change_token",
        "/v1/tokens/{token_id}",
        Thing(Manage),
    )
    .with_body(r#"{"name":"renamed"}"#)
    .changing(),
    post(
        "rotate_token",
        "/v1/tokens/{token_id}/rotate",
        Thing(Manage),
    )
    .with_body("{}")
    .changing(),
    // These remove things of A, so they come last.
    Row::new(
        "DELETE",
        "empty_quarantine",
        "/v1/quarantine",
        Server(Manage),
    )
    .changing(),
    Row::new("DELETE", "clear_drift", "/v1/drift", Own(Manage)).changing(),
    Row::new(
        "DELETE",
        "remove_subscription",
        "/v1/subscriptions/{name}",
        Thing(Manage),
    )
    .succeeds(StatusCode::NO_CONTENT)
    .changing(),
    Row::new(
        "DELETE",
        "remove_token",
        "/v1/tokens/{token_id}",
        Thing(Manage),
    )
    .succeeds(StatusCode::NO_CONTENT)
    .changing(),
];

const fn public(operation: &'static str, path: &'static str) -> Row {
    get(operation, path, Public)
}

const fn get(operation: &'static str, path: &'static str, access: Access) -> Row {
    Row::new("GET", operation, path, access)
}

const fn post(operation: &'static str, path: &'static str, access: Access) -> Row {
    Row::new("POST", operation, path, access)
}

impl Row {
    const fn new(
        method: &'static str,
        operation: &'static str,
        template: &'static str,
        access: Access,
    ) -> Self {
        Self {
            operation,
            method,
            template,
            access,
            success: StatusCode::OK,
            body: None,
            shows_marker: false,
            changes: false,
        }
    }

    const fn with_body(self, body: &'static str) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    const fn with_marker(self) -> Self {
        Self {
            shows_marker: true,
            ..self
        }
    }

    const fn succeeds(self, success: StatusCode) -> Self {
        Self { success, ..self }
    }

    /// For a subscription without tables.
    const fn not_tables(self) -> Self {
        self.succeeds(StatusCode::CONFLICT)
    }

    const fn changing(self) -> Self {
        Self {
            changes: true,
            ..self
        }
    }

    /// Returns the path for these things.
    pub(super) fn path(&self, things: &Things) -> String {
        things.fill(self.template)
    }

    /// Returns the body for these things.
    pub(super) fn body(&self, things: &Things) -> String {
        things.fill(self.body.unwrap_or_default())
    }
}
