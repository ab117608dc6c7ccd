//! Tests of the OpenAPI document with other tools: it is valid, matches a running server and produces
//! a TypeScript client.
//!
//! `EASEL_TEST_PYTHON` names a Python with openapi-spec-validator and schemathesis,
//! `EASEL_TEST_NODE_MODULES` a folder with openapi-typescript, openapi-fetch and typescript.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use easel_testkit::report_missing;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::running::Running;

const CLIENT: &str = include_str!("../clients/openapi_client.ts");

const TSCONFIG: &str = r#"{
  "compilerOptions": {
    "strict": true, "noEmit": true, "noUncheckedIndexedAccess": true, "noUnusedLocals": true,
    "target": "es2022", "lib": ["es2022", "dom", "dom.iterable"], "module": "esnext",
    "moduleResolution": "bundler", "types": []
  },
  "files": ["client.ts", "openapi.d.ts"]
}"#;

/// Disables waiting: the tool would choose the longest wait.
const SCHEMATHESIS: &str = "[parameters]\n\"query.wait\" = \"0s\"\n";

/// Returns the path in a variable. Returns `None` if the variable is not set and the test may be skipped.
fn tool_path(variable: &str, what: &str) -> Option<OsString> {
    let path = std::env::var_os(variable);
    if path.is_none() {
        report_missing(&format!("{what}; scripts/test installs it"));
    }
    path
}

/// Writes the document of a server to a file.
async fn write_document(running: &Running, file: &Path) {
    let document = Caller::new(running).get("/v1/openapi.json").await;
    fs::write(file, &document.body).unwrap();
}

#[track_caller]
fn check_succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{stdout}\n{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_valid_openapi() {
    let Some(python) = tool_path("EASEL_TEST_PYTHON", "openapi-spec-validator") else {
        return;
    };
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let document = folder.path().join("openapi.json");
    write_document(&running, &document).await;
    let mut validator = Command::new(python);
    check_succeeds(
        validator
            .args(["-m", "openapi_spec_validator"])
            .arg(document),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_a_running_server_matches_the_document() {
    let Some(python) = tool_path("EASEL_TEST_PYTHON", "schemathesis") else {
        return;
    };
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    for event_type in ["course_created", "grade_change"] {
        running.easel(&["emit", event_type]).stdout();
    }
    let add = [
        "subscriptions",
        "add",
        "grades",
        "--webhook",
        "http://127.0.0.1:1/",
    ];
    running.easel(&add).stdout();
    fs::write(folder.path().join("schemathesis.toml"), SCHEMATHESIS).unwrap();
    let token = running.local().token.as_ref().unwrap().expose();
    let mut tester = Command::new(python);
    tester
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{}/v1/openapi.json", running.url()))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        // The event stream has no end.
        .args(["--exclude-path", "/v1/events/stream"])
        // A schema cannot express all rules of an event or a subscription.
        .args(["--exclude-checks", "positive_data_acceptance,negative_data_rejection"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15"])
        .args(["--seed", "1", "--generation-database", "none", "--no-color"])
        .args(["--request-timeout", "30", "--continue-on-failure"])
        .current_dir(folder.path());
    check_succeeds(&mut tester);
    let balance = running.easel(&["balance"]);
    assert_eq!(
        balance.code,
        Some(0),
        "the server does not answer any more: {balance}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typescript_client_made_from_the_document_compiles() {
    let Some(modules) = tool_path("EASEL_TEST_NODE_MODULES", "a TypeScript client") else {
        return;
    };
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let document = folder.path().join("openapi.json");
    write_document(&running, &document).await;
    symlink(&modules, folder.path().join("node_modules")).unwrap();
    fs::write(folder.path().join("client.ts"), CLIENT).unwrap();
    fs::write(folder.path().join("tsconfig.json"), TSCONFIG).unwrap();
    let node = |script: &str, args: &[&str]| {
        let script = Path::new(&modules).join(script);
        let mut command = Command::new("node");
        command.arg(script).args(args).current_dir(folder.path());
        check_succeeds(&mut command);
    };
    let types = ["openapi.json", "--output", "openapi.d.ts"];
    node("openapi-typescript/bin/cli.js", &types);
    node("typescript/bin/tsc", &["--project", "tsconfig.json"]);
}
