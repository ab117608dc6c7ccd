//! The OpenAPI document, kept as a golden file: what clients are made from changes knowingly.

use crate::test_server::{TestServer, config};

#[tokio::test]
async fn the_document_served_to_everyone_is_the_one_checked_in() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let served: serde_json::Value =
        serde_json::from_str(&test_server.get("/v1/openapi.json").await).unwrap();
    insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&served).unwrap());
    test_server.close().await;
}
