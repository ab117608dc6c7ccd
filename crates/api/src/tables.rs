//! `/v1/subscriptions/{name}/tables`: the tables that a subscription writes to.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use easel_audit::AuditNote;
use easel_log::Offset;
use easel_subscriptions::{SinkSpec, SqlLayout, Subscription};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;
use crate::caller_name::CallerName;
use crate::manage_tables::{
    PromotedField, RebuildReport, RebuildState, TableChange, TableReport, TablesFault, TablesReport,
};
use crate::request::Body;

/// The code of a request that tables refuse.
const REFUSED: &str = "tables_refused";

/// The tables of a subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Tables)]
pub(crate) struct TablesJson {
    /// The schema of the tables.
    #[schema(example = "live")]
    schema: String,
    layout: SqlLayout,
    /// The first offset that the tables do not have. Null if nothing was written yet.
    #[schema(value_type = Option<u64>)]
    next_offset: Option<Offset>,
    /// The head of the log: the offset of the next event.
    #[schema(value_type = u64)]
    head: Offset,
    /// The tables, by name.
    tables: Vec<TableJson>,
    /// The latest changes of the tables, the newest first: 20 at most. The table `easel_migrations` has all.
    migrations: Vec<TableChangeJson>,
}

/// A table and its size.
#[derive(Serialize, ToSchema)]
#[schema(as = Table)]
struct TableJson {
    /// The name.
    #[schema(example = "submission_created")]
    name: String,
    /// The number of rows as the database estimates it.
    row_estimate: u64,
    /// The size with indexes, in bytes.
    byte_count: u64,
}

/// The changes of tables.
#[derive(Serialize, ToSchema)]
#[schema(as = TableChanges)]
pub(crate) struct TableChangesJson {
    /// The changes, in order.
    changes: Vec<TableChangeJson>,
}

/// A change of the tables.
#[derive(Serialize, ToSchema)]
#[schema(as = TableChange)]
struct TableChangeJson {
    /// When it was made. Null if it was not made yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    applied_at: Option<Timestamp>,
    /// What changes, in words.
    #[schema(example = "add column submission_created.grade")]
    what: String,
    /// The reason.
    why: String,
    /// The statements.
    sql: String,
}

/// A field that becomes a column.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPromotion)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPromotionJson {
    /// The event type.
    #[schema(example = "submission_created")]
    event: String,
    /// The field of the body.
    #[schema(example = "attempt_label")]
    field: String,
}

/// A field that has a column now.
#[derive(Serialize, ToSchema)]
#[schema(as = Promotion)]
pub(crate) struct PromotionJson {
    /// The column.
    column: String,
    /// The type of the column, as the database calls it.
    #[schema(example = "text")]
    sql_type: String,
    /// How many rows got a value.
    row_count: u64,
    /// How many rows keep a value in the column `extra`, because the value does not fit.
    remaining_count: u64,
}

/// A rebuild of the tables.
#[derive(Serialize, ToSchema)]
#[schema(as = Rebuild)]
pub(crate) struct RebuildJson {
    state: RebuildStateJson,
    /// The first offset that is read from the log.
    #[schema(value_type = u64)]
    from: Offset,
    /// The offset after the last one.
    #[schema(value_type = u64)]
    to: Offset,
    /// The next offset to read.
    #[schema(value_type = u64)]
    position: Offset,
    /// Why the rebuild failed. The tables are as before.
    reason: Option<String>,
    /// How many rows came from the log, at the end.
    replayed_count: Option<u64>,
    /// How many rows were copied from the old tables, at the end.
    copied_count: Option<u64>,
    /// The schema with the old tables, at the end.
    old_schema: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RebuildState)]
#[serde(rename_all = "snake_case")]
enum RebuildStateJson {
    Running,
    Ended,
    Failed,
}

/// Shows the tables of a subscription.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/tables", operation_id = "show_tables", tag = "tables", params(("name" = String, Path)), responses((status = OK, body = TablesJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`not_tables` or `tables_refused`"), (status = SERVICE_UNAVAILABLE, description = "`database_unavailable`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<TablesJson>, ApiError> {
    let subscription = find(&api, &name)?;
    let report = api.tables.status(&subscription).await.map_err(problem)?;
    let head = api.log.bounds().borrow().head;
    let SinkSpec::Sql(sql) = &subscription.spec.sink else {
        return Err(not_tables(&name));
    };
    let TablesReport {
        next_offset,
        tables,
        migrations,
    } = report;
    Ok(Json(TablesJson {
        schema: sql.schema.clone(),
        layout: sql.layout,
        next_offset,
        head,
        tables: tables.into_iter().map(TableJson::from).collect(),
        migrations: migrations.into_iter().map(TableChangeJson::from).collect(),
    }))
}

/// Shows the changes that `apply_tables` would make.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/tables/plan", operation_id = "plan_tables", tag = "tables", params(("name" = String, Path)), responses((status = OK, body = TableChangesJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`not_tables` or `tables_refused`"), (status = SERVICE_UNAVAILABLE, description = "`database_unavailable`")))]
pub(crate) async fn plan(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<TableChangesJson>, ApiError> {
    let subscription = find(&api, &name)?;
    let changes = api.tables.plan(&subscription).await.map_err(problem)?;
    Ok(Json(TableChangesJson::from(changes)))
}

/// Creates the tables of all event types of the catalogue, and changes those that differ. Without this call, a
/// table is created when its first event arrives.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/tables/apply", operation_id = "apply_tables", tag = "tables", params(("name" = String, Path)), responses((status = OK, body = TableChangesJson, description = "The changes that were made."), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`not_tables` or `tables_refused`"), (status = SERVICE_UNAVAILABLE, description = "`database_unavailable`")))]
pub(crate) async fn apply(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<TableChangesJson>, ApiError> {
    let subscription = find(&api, &name)?;
    let changes = api.tables.apply(&subscription).await.map_err(problem)?;
    Ok(Json(TableChangesJson::from(changes)))
}

/// Gives a field of the body a column. The values in the column `extra` are moved there.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/tables/promotions", operation_id = "promote_field", tag = "tables", params(("name" = String, Path)), request_body = NewPromotionJson, responses((status = OK, body = PromotionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`not_tables` or `tables_refused`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_promotion`"), (status = SERVICE_UNAVAILABLE, description = "`database_unavailable`")))]
pub(crate) async fn promote(
    State(api): State<Api>,
    name: CallerName,
    body: Body,
) -> Result<(Extension<AuditNote>, Json<PromotionJson>), ApiError> {
    let NewPromotionJson { event, field } = body.parse("invalid_promotion")?;
    let subscription = find(&api, &name)?;
    let promoted = api.tables.promote(&subscription, &event, &field).await;
    let PromotedField {
        column,
        sql_type,
        row_count,
        remaining_count,
    } = promoted.map_err(problem)?;
    info!(subscription = %name.full, event, field, "field promoted to a column");
    let note = AuditNote::default()
        .with("event", event)
        .with("field", field);
    let promotion = PromotionJson {
        column,
        sql_type,
        row_count,
        remaining_count,
    };
    Ok((Extension(note), Json(promotion)))
}

/// Starts to rebuild the tables: writes the events of the log into fresh tables, copies the rows that the log
/// does not have any more, and replaces the old tables.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/tables/rebuild", operation_id = "start_rebuild", tag = "tables", params(("name" = String, Path)), responses((status = ACCEPTED, body = RebuildJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`not_tables` or `tables_refused`"), (status = SERVICE_UNAVAILABLE, description = "`database_unavailable`")))]
pub(crate) async fn start_rebuild(
    State(api): State<Api>,
    name: CallerName,
) -> Result<(StatusCode, Json<RebuildJson>), ApiError> {
    let subscription = find(&api, &name)?;
    let report = api
        .tables
        .start_rebuild(subscription)
        .await
        .map_err(problem)?;
    info!(subscription = %name.full, "rebuild of the tables started");
    Ok((StatusCode::ACCEPTED, Json(RebuildJson::from(report))))
}

/// Shows the latest rebuild of the tables since the start of the server.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/tables/rebuild", operation_id = "show_rebuild", tag = "tables", params(("name" = String, Path)), responses((status = OK, body = RebuildJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_rebuild`"), (status = CONFLICT, description = "`not_tables`")))]
pub(crate) async fn show_rebuild(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<RebuildJson>, ApiError> {
    let subscription = find(&api, &name)?;
    let report = api.tables.rebuild(&subscription).ok_or_else(|| {
        let detail =
            format!("The tables of {name} were not rebuilt since the start of the server.");
        ApiError::not_found("no_rebuild", detail)
    })?;
    Ok(Json(RebuildJson::from(report)))
}

/// Stops a rebuild. The tables stay as they are.
#[utoipa::path(delete, path = "/v1/subscriptions/{name}/tables/rebuild", operation_id = "cancel_rebuild", tag = "tables", params(("name" = String, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`not_tables`")))]
pub(crate) async fn cancel_rebuild(
    State(api): State<Api>,
    name: CallerName,
) -> Result<StatusCode, ApiError> {
    let subscription = find(&api, &name)?;
    api.tables.cancel_rebuild(&subscription);
    Ok(StatusCode::NO_CONTENT)
}

/// Returns a subscription with tables.
fn find(api: &Api, name: &CallerName) -> Result<Arc<Subscription>, ApiError> {
    let subscription = api.subscriptions.get(&name.full)?;
    match &subscription.spec.sink {
        SinkSpec::Sql(_) => Ok(subscription),
        SinkSpec::Webhook(_) | SinkSpec::Sqs(_) => Err(not_tables(name)),
    }
}

fn not_tables(name: &CallerName) -> ApiError {
    let detail = format!("The subscription {name} has no tables.");
    ApiError::conflict("not_tables", detail)
}

fn problem(fault: TablesFault) -> ApiError {
    match fault {
        TablesFault::Refused(reason) => ApiError::conflict(REFUSED, format!("Failed to {reason}.")),
        TablesFault::Unavailable(reason) => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            format!("Failed to {reason}."),
        ),
    }
}

impl From<TableReport> for TableJson {
    fn from(table: TableReport) -> Self {
        Self {
            name: table.name,
            row_estimate: table.row_estimate,
            byte_count: table.byte_count,
        }
    }
}

impl From<TableChange> for TableChangeJson {
    fn from(change: TableChange) -> Self {
        Self {
            applied_at: change.applied_at,
            what: change.what,
            why: change.why,
            sql: change.sql,
        }
    }
}

impl From<Vec<TableChange>> for TableChangesJson {
    fn from(changes: Vec<TableChange>) -> Self {
        Self {
            changes: changes.into_iter().map(TableChangeJson::from).collect(),
        }
    }
}

impl From<RebuildReport> for RebuildJson {
    fn from(report: RebuildReport) -> Self {
        let mut json = Self {
            state: RebuildStateJson::Running,
            from: report.from,
            to: report.to,
            position: report.position,
            reason: None,
            replayed_count: None,
            copied_count: None,
            old_schema: None,
        };
        match report.state {
            RebuildState::Running => (),
            RebuildState::Ended {
                replayed_count,
                copied_count,
                old_schema,
            } => {
                json.state = RebuildStateJson::Ended;
                json.replayed_count = Some(replayed_count);
                json.copied_count = Some(copied_count);
                json.old_schema = Some(old_schema);
            }
            RebuildState::Failed(reason) => {
                json.state = RebuildStateJson::Failed;
                json.reason = Some(reason);
            }
        }
        json
    }
}
