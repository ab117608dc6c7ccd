//! The door of imports: files that a client sends part by part.
//!
//! The server owns the position in each file. A client begins with a file and learns where to continue. Then it
//! sends the file in parts, one after the other. A part is answered once its events are on stable storage and the
//! position after it is saved. A part that is sent again is not stored again, however long ago it was stored.
//!
//! What is not an event goes into quarantine, with its place in the file. Two clients cannot import one file at
//! once: the second one takes over, and the first one is refused.

mod import_json;
mod part;
mod part_frames;
mod part_parser;
mod recovery;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use easel_access::{Authorizer, Caller, Problem, Scope};
use easel_log::run_blocking;
use easel_sources::{ImportFile, ImportKey, ImportState, Imports, SourceName};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, instrument};
use utoipa::{IntoParams, OpenApi};

use crate::Intake;
use crate::body::Coding;
use crate::native::unknown_coding;
use crate::sent_body::keep_until_sent;
use import_json::{BeginJson, ImportJson, ImportListJson, StoredPartJson};
use part::{FilePart, PartHead, StoredPart, load, settle, store_failed, unknown};
use part_frames::FrameFault;
use part_parser::PartParser;

pub use recovery::{RecoveryError, recover_imports};

/// `Retry-After` if a part of the same file is still being stored.
const SOON: Duration = Duration::from_secs(2);
/// `Retry-After` if the state of imports cannot be used.
const LATER: Duration = Duration::from_secs(30);
/// The most files that a client may begin with in one request.
const MAX_FILES: usize = 1000;
/// The largest request that begins with files.
const MAX_BEGIN_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes of a location.
const MAX_LOCATION_BYTES: usize = 4096;
/// The most bytes of a checkpoint or of a version.
const MAX_TEXT_BYTES: usize = 256;
/// The most files of a list.
const MAX_LIST: u32 = 1000;

#[derive(Clone)]
struct ImportRoutes {
    intake: Arc<Intake>,
    imports: Arc<Imports>,
    authorizer: Authorizer,
    /// Requests that run to their end even if their client has gone.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

pub(crate) fn routes(intake: Arc<Intake>, imports: Arc<Imports>, authorizer: Authorizer) -> Router {
    Router::new()
        .route("/v1/imports", post(begin).get(list))
        .route("/v1/imports/{key}", get(show).delete(remove))
        .route("/v1/imports/{key}/parts", post(take_part))
        .with_state(ImportRoutes {
            intake,
            imports,
            authorizer,
            tasks: Arc::default(),
        })
}

/// Describes the door.
#[derive(OpenApi)]
#[openapi(paths(begin, list, show, remove, take_part))]
pub(crate) struct ImportsApi;

/// Returns the source of the records of an import. No other source can have this name.
fn source_of(name: &SourceName) -> Arc<str> {
    format!("import:{name}").into()
}

/// Begins with files, or continues with them. The answer says for each file where to continue. A client that
/// began with a file before is refused from now on. A finished file that has not changed stays finished.
#[utoipa::path(
    post,
    path = "/v1/imports",
    operation_id = "begin_import",
    tag = "imports",
    request_body = BeginJson,
    responses(
        (status = OK, body = ImportListJson),
        (status = UNPROCESSABLE_ENTITY, description = "`invalid_import`"),
        (status = SERVICE_UNAVAILABLE, description = "`import_busy`, `overloaded`, `log_unavailable` or `imports_unavailable`; retry after `Retry-After`"),
    ),
)]
#[instrument(name = "begin_import", skip_all)]
async fn begin(
    State(routes): State<ImportRoutes>,
    request: Request,
) -> Result<Json<ImportListJson>, Problem> {
    let (head, body) = request.into_parts();
    let caller = routes.authorize(&head, Scope::Ingest).await?;
    let body = caller.metered(body);
    let coding = Coding::from_headers(&head.headers).ok_or_else(unknown_coding)?;
    let buffered = routes.intake.read(body, coding, MAX_BEGIN_BYTES).await?;
    let wanted: BeginJson =
        serde_json::from_slice(&buffered.bytes).map_err(|error| invalid(format!("{error}.")))?;
    let files = wanted.files(MAX_FILES, MAX_LOCATION_BYTES, MAX_TEXT_BYTES);
    let files = files.map_err(invalid)?;
    // A long look into the log is not repeated if the client has gone.
    let own = routes.clone();
    let states = routes.finish(async move {
        let mut states = Vec::with_capacity(files.len());
        for file in files {
            states.push(own.begin_file(file).await?);
        }
        Ok::<_, Problem>(states)
    });
    let states = states.await?;
    Ok(Json(ImportListJson::from_states(states)))
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
struct ImportListQuery {
    /// List the files after this key.
    after: Option<String>,
    /// The most files, 1 to 1,000. Default: 1,000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Lists the imported files, in the order of their keys.
#[utoipa::path(
    get,
    path = "/v1/imports",
    operation_id = "list_imports",
    tag = "imports",
    params(ImportListQuery),
    responses(
        (status = OK, body = ImportListJson),
        (status = BAD_REQUEST, description = "`invalid_query`"),
        (status = SERVICE_UNAVAILABLE, description = "`imports_unavailable`; retry after `Retry-After`"),
    ),
)]
async fn list(
    State(routes): State<ImportRoutes>,
    head: Parts,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<ImportListJson>, Problem> {
    routes.authorize(&head, Scope::Read).await?;
    let (mut after, mut limit) = (String::new(), MAX_LIST);
    for (name, value) in query {
        match name.as_str() {
            "after" => after = value,
            "limit" => limit = number(&name, &value)?,
            other => return Err(unknown_parameter(other)),
        }
    }
    if !(1..=MAX_LIST).contains(&limit) {
        return Err(bad_query(format!("`limit` must be 1 to {MAX_LIST}.")));
    }
    let imports = routes.imports;
    let states = run_blocking(move || imports.list(&after, limit)).await;
    let states = states.map_err(|error| store_failed(&error))?;
    Ok(Json(ImportListJson::from_states(states)))
}

/// Shows how far a file was imported.
#[utoipa::path(
    get,
    path = "/v1/imports/{key}",
    operation_id = "show_import",
    tag = "imports",
    params(("key" = String, Path, description = "The key of the file, from the list")),
    responses(
        (status = OK, body = ImportJson),
        (status = NOT_FOUND, description = "`no_such_import`"),
        (status = SERVICE_UNAVAILABLE, description = "`imports_unavailable`; retry after `Retry-After`"),
    ),
)]
async fn show(
    State(routes): State<ImportRoutes>,
    Path(key): Path<String>,
    head: Parts,
) -> Result<Json<ImportJson>, Problem> {
    routes.authorize(&head, Scope::Read).await?;
    let state = load(&routes.imports, &parse_key(&key)?).await?;
    Ok(Json(state.into()))
}

/// Forgets a file. Its events stay. The next import of the file begins at its start.
#[utoipa::path(
    delete,
    path = "/v1/imports/{key}",
    operation_id = "remove_import",
    tag = "imports",
    params(("key" = String, Path, description = "The key of the file, from the list")),
    responses(
        (status = NO_CONTENT),
        (status = NOT_FOUND, description = "`no_such_import`"),
        (status = SERVICE_UNAVAILABLE, description = "`imports_unavailable`; retry after `Retry-After`"),
    ),
)]
async fn remove(
    State(routes): State<ImportRoutes>,
    Path(key): Path<String>,
    head: Parts,
) -> Result<(StatusCode, Extension<Caller>), Problem> {
    let caller = routes.authorize(&head, Scope::Manage).await?;
    let key = parse_key(&key)?;
    let locked = timeout(routes.intake.max_wait(), routes.imports.lock(&key)).await;
    let _lock = locked.map_err(|_elapsed| busy())?;
    let (imports, removed) = (Arc::clone(&routes.imports), key.clone());
    let was_there = run_blocking(move || imports.remove(&removed)).await;
    if !was_there.map_err(|error| store_failed(&error))? {
        return Err(unknown());
    }
    info!(file = %key, "import forgotten");
    Ok((StatusCode::NO_CONTENT, Extension(caller)))
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
struct PartQuery {
    /// The generation that the client got when it began with the file.
    generation: u64,
    /// The first byte of the part in the uncompressed text: the position of the file.
    start: u64,
    /// The first byte after the part. It becomes the position.
    end: u64,
    /// A text of the client, up to 256 bytes. The server returns it to a client that continues.
    checkpoint: Option<String>,
    /// Whether the part ends at the end of the file.
    last: Option<bool>,
}

/// Stores a part of a file. Before each record comes a line of JSON: `at` is its first byte in the file, `length`
/// its size. `event_name` and `sent_at` (milliseconds) can follow, from a message of SQS. A record that is too
/// large comes shortened, with its size in `total_length`. A line break follows each record.
#[utoipa::path(
    post,
    path = "/v1/imports/{key}/parts",
    operation_id = "import_part",
    tag = "imports",
    params(("key" = String, Path, description = "The key of the file"), PartQuery),
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = OK, body = StoredPartJson),
        (status = BAD_REQUEST, description = "`invalid_query`, `bad_part` or `body_broken`; nothing was stored"),
        (status = NOT_FOUND, description = "`no_such_import`"),
        (status = REQUEST_TIMEOUT, description = "`body_stalled`; nothing was stored"),
        (status = CONFLICT, description = "`import_taken_over` by another client, or `wrong_position`; nothing was stored"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large` or `body_too_complex`; nothing was stored"),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`unsupported_encoding`"),
        (status = SERVICE_UNAVAILABLE, description = "`import_busy`, `overloaded`, `log_unavailable` or `imports_unavailable`; send the part again after `Retry-After`"),
    ),
)]
#[instrument(name = "import_part", skip_all)]
async fn take_part(
    State(routes): State<ImportRoutes>,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let caller = routes.authorize(&head, Scope::Ingest).await?;
    let body = caller.metered(body);
    let part_head = parse_part_head(parse_key(&key)?, query)?;
    let coding = Coding::from_headers(&head.headers).ok_or_else(unknown_coding)?;
    let state = load(&routes.imports, &part_head.key).await?;
    let intake = &routes.intake;
    let buffered = intake
        .read(body, coding, intake.max_request_bytes())
        .await?;
    let parser = PartParser {
        key: state.key,
        source: source_of(&state.file.name),
        location: state.file.location.into(),
        start: part_head.start,
        limits: *intake.limits(),
    };
    let parsed = intake.parse(buffered, Arc::new(parser)).await;
    let (parsed, room) = parsed.map_err(|failure| Problem::from(failure.error))?;
    let own = routes.clone();
    let part = FilePart {
        head: part_head,
        parsed,
        room,
    };
    // The position must be saved, even if the client has gone.
    let stored = routes.finish(async move { part::store(&own.intake, &own.imports, part).await });
    let StoredPart {
        state,
        places,
        room,
    } = stored.await?;
    let answer = Json(StoredPartJson::new(state, places.faults)).into_response();
    Ok(keep_until_sent(room, answer))
}

impl ImportRoutes {
    /// Returns the caller. An import concerns the whole server, so a confined caller is refused.
    async fn authorize(&self, head: &Parts, scope: Scope) -> Result<Caller, Problem> {
        let caller = self.authorizer.authorize(head, scope).await?;
        caller.require_everything()?;
        Ok(caller)
    }

    /// Runs `work` to its end, even if the client does not wait. Returns a problem if it takes too long.
    async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let (sender, result) = oneshot::channel();
        {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                // Nobody waits for the result if this fails.
                drop(sender.send(work.await));
            });
        }
        match timeout(self.intake.max_wait(), result).await {
            Ok(Ok(done)) => done,
            Ok(Err(_panicked)) => Err(busy()),
            Err(_elapsed) => Err(busy()),
        }
    }

    async fn begin_file(&self, file: ImportFile) -> Result<ImportState, Problem> {
        let key = ImportKey::derive(&file.name, &file.location);
        let _lock = self.imports.lock(&key).await;
        let (shared, wanted) = (Arc::clone(&self.imports), key.clone());
        let known = run_blocking(move || shared.get(&wanted)).await;
        if let Some(state) = known.map_err(|error| store_failed(&error))? {
            let is_same = state.file.size == file.size && state.file.version == file.version;
            if state.is_finished && is_same && file.version.is_some() {
                return Ok(state);
            }
            // A copy of the data folder can have a log that is ahead of the saved position.
            settle(&self.intake, &self.imports, &state).await?;
        }
        let heads = recovery::heads(self.intake.log(), self.intake.quarantine());
        let (imports, now) = (Arc::clone(&self.imports), self.intake.now());
        let begun = run_blocking(move || imports.begin(&file, heads, now)).await;
        begun
            .map_err(|error| store_failed(&error))?
            .ok_or_else(unknown)
    }
}

fn busy() -> Problem {
    let detail = "An earlier part of this file is not stored yet; send this part again.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "import_busy", detail).retry_after(SOON)
}

fn parse_key(text: &str) -> Result<ImportKey, Problem> {
    text.parse().map_err(|_not_a_key| unknown())
}

fn parse_part_head(key: ImportKey, query: HashMap<String, String>) -> Result<PartHead, Problem> {
    let (mut generation, mut start, mut end) = (None, None, None);
    let (mut checkpoint, mut is_last) = (String::new(), false);
    for (name, value) in query {
        match name.as_str() {
            "generation" => generation = Some(number(&name, &value)?),
            "start" => start = Some(number(&name, &value)?),
            "end" => end = Some(number(&name, &value)?),
            "checkpoint" if value.len() <= MAX_TEXT_BYTES => checkpoint = value,
            "checkpoint" => {
                let detail = format!("`checkpoint` must have at most {MAX_TEXT_BYTES} bytes.");
                return Err(bad_query(detail));
            }
            "last" => {
                let wrong = |_| bad_query("`last` must be true or false.".to_owned());
                is_last = value.parse().map_err(wrong)?;
            }
            other => return Err(unknown_parameter(other)),
        }
    }
    let missing = |name: &str| bad_query(format!("`{name}` is missing."));
    let head = PartHead {
        key,
        generation: generation.ok_or_else(|| missing("generation"))?,
        start: start.ok_or_else(|| missing("start"))?,
        end: end.ok_or_else(|| missing("end"))?,
        checkpoint,
        is_last,
    };
    if head.end < head.start || i64::try_from(head.end).is_err() {
        return Err(bad_query("`end` must not be before `start`.".to_owned()));
    }
    Ok(head)
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Problem> {
    let wrong = |_| bad_query(format!("`{name}` must be a non-negative integer."));
    value.parse().map_err(wrong)
}

fn unknown_parameter(name: &str) -> Problem {
    bad_query(format!("`{name}` is unknown."))
}

fn bad_query(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
}

fn invalid(detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_import", detail)
}

impl From<FrameFault> for Problem {
    fn from(fault: FrameFault) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_part",
            format!("Invalid part: {fault}."),
        )
    }
}
