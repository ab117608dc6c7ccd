//! Tests of access tokens.

use std::fs;

use tempfile::tempdir;

use crate::easel::{check, easel};
use crate::running::Running;

/// Returns the token in `text`.
#[track_caller]
fn token_in(text: &str) -> &str {
    text.split_whitespace()
        .find(|word| word.starts_with("easel_"))
        .expect(text)
}

#[test]
fn the_first_token_is_created_once_and_works_from_any_folder() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let mut running = Running::start(&data);
    running.wait_for("Run in another terminal");
    let first = fs::read_to_string(data.with_extension("first-token")).unwrap();
    let first = first.trim();
    let at = ["--url", &running.url(), "--token", first];
    assert_eq!(
        easel(
            folder.path(),
            &[&["emit", "x", "--force"], &at[..]].concat()
        )
        .code,
        Some(0)
    );
    assert_eq!(
        easel(folder.path(), &[&["tokens", "list"], &at[..]].concat()).code,
        Some(0)
    );
    running.kill();

    let mut again = Running::start(&data);
    again.wait_for("Run in another terminal");
    assert!(!again.stderr().contains("easel_"), "{}", again.stderr());
    let at = ["--url", &again.url(), "--token", first];
    assert_eq!(
        easel(folder.path(), &[&["tail"], &at[..]].concat()).code,
        Some(0)
    );
}

#[test]
fn the_log_records_who_was_rejected_and_why() {
    let folder = tempdir().unwrap();
    let mut running = Running::start(&folder.path().join("data"));
    let url = running.url();
    let args = ["tail", "--url", &url, "--token", "easel_nonsense"];
    assert_eq!(easel(folder.path(), &args).code, Some(78));
    running.wait_for("request refused");
    let lines = running.stderr();
    let line = lines.lines().find(|line| line.contains("request refused"));
    let line = line.unwrap();
    for part in ["WARN", "reason=\"token_unknown\"", "from=127.0.0.1"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(!lines.contains("nonsense"), "{lines}");
}

#[test]
fn a_token_allows_only_its_scopes() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let created = running.easel(&["tokens", "create", "canvas", "--scope", "ingest"]);
    let token = token_in(&created.stdout).to_owned();
    assert_eq!(
        created.stdout,
        format!("{token}\n"),
        "stdout is the token and nothing else"
    );

    let url = running.url();
    let with = |args: &[&str], token: &str| {
        easel(
            folder.path(),
            &[args, &["--url", &url, "--token", token]].concat(),
        )
    };
    assert_eq!(with(&["emit", "x", "--force"], &token).code, Some(0));
    check!(with(&["tail"], &token), @r"
        exit 78
        --- stdout
        --- stderr
        error: This token lacks the scope `read`. (scope_missing)
        ");
    check!(with(&["tail"], "easel_nonsense"), @r"
        exit 78
        --- stdout
        --- stderr
        error: This token is unknown; it may have been removed. (token_unknown); give a token with --token or EASEL_TOKEN
        ");
    check!(easel(folder.path(), &["tail", "--url", &url]), @r"
        exit 78
        --- stdout
        --- stderr
        error: Send a token: `Authorization: Bearer easel_…`. (token_missing); give a token with --token or EASEL_TOKEN
        ");
}

#[test]
fn a_token_is_listed_and_removed() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let args = [
        "tokens",
        "create",
        "dashboards",
        "--scope",
        "read",
        "--scope",
        "manage",
    ];
    let token = running.easel(&args).stdout();
    let list = running.easel(&["tokens", "list"]).stdout();
    let line = list
        .lines()
        .find(|line| line.contains("dashboards"))
        .expect(&list);
    assert!(line.contains("  read manage  "), "{line}");

    let id = line.split_whitespace().next().unwrap();
    assert_eq!(running.easel(&["tokens", "remove", id]).code, Some(0));
    assert_eq!(running.easel(&["tokens", "remove", id]).code, Some(65));
    let at = ["tail", "--url", &running.url(), "--token", token.trim()];
    assert_eq!(easel(folder.path(), &at).code, Some(78));
}

#[test]
fn a_token_is_renamed_edited_and_rotated() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let args = [
        "tokens",
        "create",
        "vendor",
        "--scope",
        "read",
        "--reach",
        "root_account:7",
        "--expires-in",
        "90d",
        "--max-requests-per-second",
        "1000",
        "--max-bytes-per-second",
        "1MiB",
    ];
    let old = running.easel(&args).stdout();
    let listed = || {
        let list = running.easel(&["--json", "tokens", "list"]).stdout();
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        let tokens = list["tokens"].as_array().unwrap();
        tokens
            .iter()
            .find(|token| token["scopes"][0] == "read")
            .unwrap()
            .clone()
    };
    let made = listed();
    assert_eq!(made["reach"], "root_account:7");
    assert_eq!(made["max_requests_per_second"], 1000);
    assert_eq!(made["max_bytes_per_second"], 1_048_576);
    assert!(made["expires_at"].is_string(), "{made}");
    let id = made["id"].as_str().unwrap();

    running
        .easel(&["tokens", "rename", id, "new-name"])
        .stdout();
    let edit = ["--expires-in", "off", "--max-requests-per-second", "off"];
    running
        .easel(&[&["tokens", "edit", id], &edit[..]].concat())
        .stdout();
    let edited = listed();
    assert_eq!(edited["name"], "new-name");
    assert!(edited["expires_at"].is_null() && edited["max_requests_per_second"].is_null());
    assert_eq!(edited["max_bytes_per_second"], 1_048_576);

    let new = running.easel(&["tokens", "rotate", id]).stdout();
    assert_ne!(old, new);
    let url = running.url();
    let code = |token: &str| {
        let at = [
            "subscriptions",
            "list",
            "--url",
            &url,
            "--token",
            token.trim(),
        ];
        easel(folder.path(), &at).code
    };
    assert_eq!((code(&old), code(&new)), (Some(0), Some(0)));
    let newest = running
        .easel(&["tokens", "rotate", id, "--overlap", "0s"])
        .stdout();
    assert_eq!(
        (code(&old), code(&new), code(&newest)),
        (Some(78), Some(78), Some(0))
    );
    let list = running.easel(&["tokens", "list"]).stdout();
    let line = list.lines().find(|line| line.contains("new-name")).unwrap();
    let cells: Vec<_> = line.split_whitespace().take(5).collect();
    assert_eq!(cells, [id, "new-name", "read", "7", "never"]);
}
