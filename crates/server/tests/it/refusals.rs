//! Clients can read a refusal while they still send a large body.

use std::path::Path;
use std::process::Command;

use easel_server::{Auth, Config};
use easel_testkit::report_missing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::test_server::{TestServer, config};

const SIZE: usize = 24 * 1024 * 1024;

/// Method, path, further headers, and the status of the answer.
const CASES: [(&str, &str, &str, u16); 8] = [
    ("POST", "/v1/events", "", 401),
    (
        "POST",
        "/v1/changes",
        "authorization: Bearer wrong\r\n",
        401,
    ),
    ("POST", "/v1/subscriptions", "", 401),
    ("POST", "/v1/caliper/check", "", 401),
    ("POST", "/v1/nothing", "", 404),
    ("POST", "/healthz", "", 405),
    (
        "POST",
        "/",
        "x-amz-target: Kinesis_20131202.PutRecords\r\n",
        400,
    ),
    ("POST", "/", "", 400),
];

async fn server_with_tokens(data: &Path) -> TestServer {
    TestServer::open(Config {
        auth: Auth::Tokens,
        ..config(data)
    })
    .await
}

/// Sends a request with its whole body, and returns the status of the answer.
async fn answered(test_server: &TestServer, (method, path, headers): (&str, &str, &str)) -> u16 {
    let mut stream = TcpStream::connect(test_server.address).await.unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: a\r\n{headers}content-length: {SIZE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; SIZE]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap();
    status.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_can_read_every_refusal_after_it_sent_a_large_body() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = server_with_tokens(folder.path()).await;
    for (method, path, headers, status) in CASES {
        let got = answered(&test_server, (method, path, headers)).await;
        assert_eq!(got, status, "{method} {path} {headers}");
    }
    test_server.close().await;

    let open = TestServer::open(config(folder.path())).await;
    for (headers, status) in [
        ("", 413),
        ("content-type: text/csv\r\n", 415),
        ("content-encoding: br\r\n", 415),
    ] {
        for path in ["/v1/events", "/v1/changes"] {
            let got = answered(&open, ("POST", path, headers)).await;
            assert_eq!(got, status, "{path} {headers}");
        }
    }
    open.close().await;
}

/// Sends large bodies with `fetch`, from memory and as a stream, and with `http.request`, as the
/// AWS SDK does.
const SCRIPT: &str = r#"
const http = require("http");
const [base, size, cases] = [process.argv[1], Number(process.argv[2]), JSON.parse(process.argv[3])];
const body = new Uint8Array(size).fill(32);
const pieces = () => new ReadableStream({
  start(c) { for (let n = 0; n < size; n += 65536) c.enqueue(body.subarray(n, n + 65536)); c.close(); },
});
const request = (url, headers) => new Promise((resolve, reject) => {
  const sent = http.request(url, { method: "POST", headers }, (answer) => {
    answer.resume();
    answer.on("end", () => resolve(answer.statusCode));
  });
  sent.on("error", reject);
  sent.end(body);
});
(async () => {
  for (const [path, headers, status] of cases) {
    const url = base + path;
    for (let round = 0; round < 3; round++) {
      const ways = {
        fetch: async () => {
          const answer = await fetch(url, { method: "POST", headers, body });
          await answer.text();
          return answer.status;
        },
        stream: async () => {
          const options = { method: "POST", headers, body: pieces(), duplex: "half" };
          const answer = await fetch(url, options);
          await answer.text();
          return answer.status;
        },
        request: () => request(url, headers),
      };
      for (const [way, send] of Object.entries(ways)) {
        const got = await send().catch((error) => `${error} ${error.cause ?? ""}`);
        if (got !== status) throw new Error(`${way} ${path}: ${got} in place of ${status}`);
      }
    }
  }
})().catch((error) => { console.error(error.message); process.exit(1); });
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_reads_every_refusal_of_a_large_body() {
    if Command::new("node").arg("--version").output().is_err() {
        report_missing("Node.js");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test_server = server_with_tokens(folder.path()).await;
    let cases = serde_json::json!([
        ["/v1/events", {}, 401],
        ["/v1/changes", { "authorization": "Bearer wrong" }, 401],
        ["/v1/nothing", {}, 404],
        ["/", { "x-amz-target": "Kinesis_20131202.PutRecords" }, 400],
    ]);
    run_node(&test_server, &cases).await;
    test_server.close().await;
    let open = TestServer::open(config(folder.path())).await;
    let cases = serde_json::json!([
        ["/v1/events", { "content-type": "application/json" }, 413],
        ["/v1/events", { "content-type": "text/csv" }, 415],
    ]);
    run_node(&open, &cases).await;
    open.close().await;
}

async fn run_node(test_server: &TestServer, cases: &serde_json::Value) {
    let output = tokio::process::Command::new("node")
        .args(["-e", SCRIPT, &format!("http://{}", test_server.address)])
        .args([SIZE.to_string(), cases.to_string()])
        .output()
        .await
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}
