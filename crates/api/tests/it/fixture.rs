//! An API with the rooms behind it, called in process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use axum::routing::post;
use bytes::Bytes;
use easel_access::{Authorizer, Scope, Tokens};
use easel_api::{
    Api, DiskSpace, ManageTables, PromotedField, RebuildReport, SendTest, ServerFacts, TableChange,
    TableReport, TablesFault, TablesReport, TestReport, audited,
};
use easel_audit::Audit;
use easel_catalog::{Catalog, Facts};
use easel_drift::DriftScanner;
use easel_keys::{Keys, MasterKeyFile, MasterKeySource};
use easel_log::{
    Clock, LogOptions, MemoryLog, NewRecord, Offset, Provenance, SharedLog, SystemClock,
};
use easel_quarantine::Quarantine;
use easel_sources::Sources;
use easel_subscriptions::{FullName, MemoryStore, Spec, SpecCheck, Subscription, Subscriptions};
use easel_testkit::{FailingLog, event};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use uuid::Uuid;

/// The age at which the log drops events.
pub(crate) const MAX_AGE: Duration = Duration::from_hours(40);

pub(crate) struct Fixture {
    app: Router,
    pub(crate) token: String,
    pub(crate) log: SharedLog,
    /// The same log, with a switch that makes it fail.
    pub(crate) failing: Arc<FailingLog>,
    pub(crate) quarantine: Quarantine,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) drift: Arc<DriftScanner>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) stop: CancellationToken,
    /// The number of running lanes that the API sees.
    pub(crate) lane_count: watch::Sender<Option<usize>>,
    /// Bytes free on a disk of 100 GiB.
    pub(crate) free_bytes: Arc<AtomicU64>,
    /// The tests sent, each with its spec and its event.
    pub(crate) sent: Arc<Mutex<Vec<(Spec, Value)>>>,
    folder: TempDir,
    /// Requests that change something.
    pub(crate) tasks: TaskTracker,
    pub(crate) sources: Arc<Sources>,
}

/// Rejects URLs without the scheme of HTTP, and the network 10.0.0.0/8.
struct NeedsScheme;

#[async_trait]
impl SpecCheck for NeedsScheme {
    fn check(&self, spec: &Spec) -> Result<(), String> {
        let is_http = spec.sink.url().expose().starts_with("http");
        let fault = || "the endpoint has no scheme".to_owned();
        is_http.then_some(()).ok_or_else(fault)
    }

    fn check_address(&self, spec: &Spec) -> Result<(), String> {
        let is_public = !spec.sink.url().expose().contains("//10.");
        let fault = || "the address is refused".to_owned();
        is_public.then_some(()).ok_or_else(fault)
    }

    fn has_same_origin(&self, spec: &Spec, other: &Spec) -> bool {
        let host = |spec: &Spec| {
            let shown = spec.sink.url().without_secrets();
            shown.split('/').nth(2).map(str::to_owned)
        };
        host(spec) == host(other)
    }

    async fn check_resolved(&self, spec: &Spec) -> Result<(), String> {
        self.check_address(spec)
    }
}

/// Opens keys in the folder, with a master key in a file beside them.
fn keys(folder: &TempDir) -> Arc<Keys> {
    let source = MasterKeySource {
        file: MasterKeyFile::new(folder.path().join("master.key")),
        key: None,
        previous: None,
    };
    let file = folder.path().join("keys.db");
    let month = Duration::from_hours(30 * 24);
    let keys = Keys::open(&file, source, month, SystemClock.now()).unwrap();
    keys.set_reseal(Box::new(|| Ok(0))).unwrap();
    Arc::new(keys)
}

/// The tables of every subscription: one table, in a database that refuses every change.
struct OneTable;

#[async_trait]
impl ManageTables for OneTable {
    async fn status(&self, _subscription: &Subscription) -> Result<TablesReport, TablesFault> {
        Ok(TablesReport {
            next_offset: Some(Offset::new(7)),
            tables: vec![TableReport {
                name: "course_created".to_owned(),
                row_estimate: 3,
                byte_count: 8_192,
            }],
            migrations: Vec::new(),
        })
    }

    async fn plan(&self, _subscription: &Subscription) -> Result<Vec<TableChange>, TablesFault> {
        Ok(vec![TableChange {
            applied_at: None,
            what: "create table course_updated".to_owned(),
            why: "an event of this event type arrived".to_owned(),
            sql: "create table course_updated ()".to_owned(),
        }])
    }

    async fn apply(&self, _subscription: &Subscription) -> Result<Vec<TableChange>, TablesFault> {
        Err(TablesFault::Refused(
            "change the tables: permission denied".to_owned(),
        ))
    }

    async fn promote(
        &self,
        _subscription: &Subscription,
        event_type: &str,
        field: &str,
    ) -> Result<PromotedField, TablesFault> {
        Ok(PromotedField {
            column: format!("{event_type}.{field}"),
            sql_type: "text".to_owned(),
            row_count: 2,
            remaining_count: 1,
        })
    }

    async fn start_rebuild(
        &self,
        _subscription: Arc<Subscription>,
    ) -> Result<RebuildReport, TablesFault> {
        Err(TablesFault::Unavailable(
            "connect to the database: refused".to_owned(),
        ))
    }

    fn rebuild(&self, _subscription: &Subscription) -> Option<RebuildReport> {
        None
    }

    fn cancel_rebuild(&self, _subscription: &Subscription) {}
}

/// Returns an endpoint that answers every test with 418 and rejects FTP.
fn endpoint(sent: Arc<Mutex<Vec<(Spec, Value)>>>) -> SendTest {
    Arc::new(move |spec, event| {
        if spec.sink.url().expose().starts_with("ftp") {
            return Box::pin(async { Err("the URL has no scheme".to_owned()) });
        }
        let event = serde_json::from_slice(&event).unwrap();
        sent.lock().unwrap().push((spec, event));
        Box::pin(async {
            Ok(TestReport {
                status: Some(418),
                error: Some("send: the endpoint answered 418".to_owned()),
                duration: Duration::from_millis(7),
                body: b"short and stout".to_vec(),
            })
        })
    })
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock)).await
    }

    pub(crate) async fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = || Arc::new(MemoryLog::new(LogOptions::default(), Arc::clone(&clock)));
        let failing = Arc::new(FailingLog::new(memory()));
        let log: SharedLog = Arc::<FailingLog>::clone(&failing);
        let quarantine = Quarantine::new(memory(), Arc::clone(&clock));
        let catalog = Arc::new(Catalog::built_in());
        let subscriptions = Subscriptions::open(
            Arc::new(MemoryStore::default()),
            Arc::clone(&log),
            Arc::clone(&clock),
            Arc::new(NeedsScheme),
            Arc::clone(&catalog),
        );
        let subscriptions = Arc::new(subscriptions.await.unwrap());
        let tokens = Arc::new(Tokens::open(&folder.path().join("access.db")).unwrap());
        let all = [Scope::Read, Scope::Manage].into_iter().collect();
        let (_, secret) = tokens.create("test", all, clock.now()).unwrap();
        let stop = CancellationToken::new();
        let file = folder.path().join("drift.db");
        let drift = DriftScanner::open(&file, Arc::clone(&log), Arc::clone(&catalog)).unwrap();
        let drift = Arc::new(drift);
        let free_bytes = Arc::new(AtomicU64::new(50 << 30));
        let read_free = Arc::clone(&free_bytes);
        let disk_space = move || {
            Ok(DiskSpace {
                free_bytes: read_free.load(Ordering::SeqCst),
                total_bytes: 100 << 30,
            })
        };
        let (lane_count, lanes) = watch::channel(Some(0));
        let server = ServerFacts {
            address: ([127, 0, 0, 1], 4567).into(),
            started_at: clock.now(),
            max_age: Some(MAX_AGE),
            max_bytes: None,
            lane_count: lanes,
            disk_space: Arc::new(disk_space),
            tls_problem: Arc::new(|_now| None),
        };
        let sent = Arc::default();
        let sources = Sources::in_memory(Arc::clone(&clock), Vec::new()).unwrap();
        let sources = Arc::new(sources);
        let keys = keys(&folder);
        let audit_clock = Arc::clone(&clock);
        let audit = Audit::open(
            &folder.path().join("audit.db"),
            &keys.sealer(),
            None,
            Arc::new(move || audit_clock.now()),
        );
        let audit = Arc::new(audit.unwrap());
        let api = Api {
            send_test: endpoint(Arc::clone(&sent)),
            tables: Arc::new(OneTable),
            log: Arc::clone(&log),
            quarantine: quarantine.clone(),
            subscriptions: Arc::clone(&subscriptions),
            catalog: Arc::clone(&catalog),
            drift: Arc::clone(&drift),
            sources: Arc::clone(&sources),
            tokens: Arc::clone(&tokens),
            audit: Arc::clone(&audit),
            keys,
            clock: Arc::clone(&clock),
            server,
            stop: stop.clone(),
        };
        let door = Router::new().route("/v1/events", post(StatusCode::ACCEPTED));
        let authorizer = Authorizer::new(Arc::clone(&tokens));
        let routes = easel_api::routes(api, &authorizer, OpenApi::default()).merge(door);
        let tasks = TaskTracker::new();
        let document = easel_api::document(OpenApi::default());
        let routes = audited(routes, &document, Arc::clone(&audit), tasks.clone());
        Self {
            app: easel_api::fallbacks(routes),
            audit,
            token: secret.expose().clone(),
            log,
            failing,
            quarantine,
            subscriptions,
            tokens,
            drift,
            stop,
            sources,
            lane_count,
            free_bytes,
            sent,
            folder,
            tasks,
        }
    }

    /// Returns the folder of the files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Sends a request with the token `token`, if there is one, and returns the whole response.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        body: &str,
        token: Option<&str>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request with a token for `read` and `manage`, and returns status and JSON.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let response = self.raw(method, path, body, Some(&self.token)).await;
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, json) = self.ask("GET", path, "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {json}");
        json
    }

    /// Returns a response whose body is still open.
    pub(crate) async fn stream(&self, path: &str) -> Response<Body> {
        self.raw("GET", path, "", Some(&self.token)).await
    }

    pub(crate) async fn append(&self, name: &str, numbers: std::ops::Range<u64>) {
        for n in numbers {
            self.append_bytes(name, n, event(name, n)).await;
        }
    }

    pub(crate) async fn append_bytes(&self, name: &str, n: u64, bytes: Bytes) {
        let account = Facts::from_event(&bytes).root_account_id.map(Arc::from);
        let record = NewRecord {
            provenance: Arc::new(Provenance {
                root_account_id: account,
                ..Provenance::default()
            }),
            ..NewRecord::new(Uuid::from_u128(u128::from(n)), name, bytes)
        };
        self.log.append(vec![record]).await.unwrap();
    }
}

/// Parses a full name.
pub(crate) fn full_name(text: &str) -> FullName {
    text.parse().unwrap()
}
