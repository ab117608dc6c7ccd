//! The OpenAPI document as a golden file, so that it never changes by accident.

use crate::test_server::{TestServer, config};

#[tokio::test]
async fn the_served_document_equals_the_golden_file() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let served: serde_json::Value =
        serde_json::from_str(&test_server.get("/v1/openapi.json").await).unwrap();
    insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&served).unwrap());
    test_server.close().await;
}
