//! Tests of `/v1/subscriptions/{name}/tables`.

use axum::http::StatusCode;
use serde_json::json;

use crate::fixture::Fixture;

const TABLES: &str = r#"{"name":"warehouse","sql":{"url":"http+sql://a/b"}}"#;
const WEBHOOK: &str = r#"{"name":"grades","webhook":{"url":"http://a/"}}"#;

#[tokio::test]
async fn tables_are_shown_planned_and_changed() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", TABLES).await;
    let path = "/v1/subscriptions/warehouse/tables";
    let (status, shown) = fixture.ask("GET", path, "").await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    assert_eq!(shown["next_offset"], 7);
    assert_eq!(shown["schema"], "live");
    assert_eq!(shown["tables"][0]["name"], "course_created");

    let (_, plan) = fixture.ask("GET", &format!("{path}/plan"), "").await;
    assert_eq!(plan["changes"][0]["what"], "create table course_updated");
    assert_eq!(plan["changes"][0]["applied_at"], json!(null));

    let promotion = r#"{"event":"course_created","field":"mood"}"#;
    let promotions = format!("{path}/promotions");
    let (_, promoted) = fixture.ask("POST", &promotions, promotion).await;
    assert_eq!(
        promoted,
        json!({ "column": "course_created.mood", "sql_type": "text", "row_count": 2, "remaining_count": 1 })
    );
    let (status, problem) = fixture.ask("POST", &promotions, "{}").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "invalid_promotion");
}

#[tokio::test]
async fn a_refusal_has_a_code_and_the_reason() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", TABLES).await;
    fixture.ask("POST", "/v1/subscriptions", WEBHOOK).await;
    for (method, path, wanted) in [
        ("POST", "warehouse/tables/apply", (409, "tables_refused")),
        ("POST", "warehouse/tables/rebuild", (503, "database_unavailable")),
        ("GET", "warehouse/tables/rebuild", (404, "no_rebuild")),
        ("GET", "grades/tables", (409, "not_tables")),
        ("DELETE", "grades/tables/rebuild", (409, "not_tables")),
        ("GET", "nobody/tables/plan", (404, "no_such_subscription")),
    ] {
        let path = format!("/v1/subscriptions/{path}");
        let (status, problem) = fixture.ask(method, &path, "").await;
        let found = (status.as_u16(), problem["code"].as_str().unwrap());
        assert_eq!(found, wanted, "{path}: {problem}");
    }
}
