//! Tests the memory use of a server during many large parallel requests.
//!
//! The server runs in its own process. The system reports its peak memory (`VmHWM`).

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_testkit::report_skipped;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::tempdir;

use crate::running::Running;

/// The setting, and the limit for everything else: the log and the allocator's reserve.
const IN_FLIGHT_MIB: usize = 64;
const REST_MIB: usize = 192;

const REQUESTS: usize = 64;
const BODY_BYTES: usize = 2_500_000;

const SETTINGS: &str = "auth = \"none\"\n[ingest]\nmax_in_flight_bytes = \"64MiB\"\n\
                        max_request_bytes = \"4MiB\"\nhold = \"120s\"\n";

const JSON: &str = "content-type: application/json\r\n";
const LINES: &str = "content-type: application/x-ndjson\r\n";
const GZIP: &str = "content-type: application/x-ndjson\r\ncontent-encoding: gzip\r\n";
const CHUNKED: &str = "content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n";
const KINESIS: &str = "content-type: application/x-amz-json-1.1\r\n\
                       x-amz-target: Kinesis_20131202.PutRecords\r\n";

fn event(n: usize) -> String {
    let text = "meadow ".repeat(80);
    format!(
        r#"{{"metadata":{{"event_name":"logged_in","event_time":"2026-01-12T08:00:00Z"}},"body":{{"n":{n},"text":"{text}"}}}}"#
    )
}

fn change(n: usize) -> String {
    let text = "meadow ".repeat(80);
    format!(
        r#"{{"record":"WikiPage","operation":"insert","after":{{"id":{n},"title":"T","body":"{text}","workflow_state":"active"}}}}"#
    )
}

/// Returns a body of [`BODY_BYTES`] from many parts with `separator` between them.
fn body(part: fn(usize) -> String, separator: &str) -> String {
    let count = BODY_BYTES / (part(0).len() + separator.len());
    (0..count).map(part).collect::<Vec<_>>().join(separator)
}

fn record(n: usize) -> String {
    format!(
        r#"{{"Data":"{}","PartitionKey":"k"}}"#,
        BASE64_STANDARD.encode(event(n))
    )
}

fn requests() -> Vec<(&'static str, &'static str, &'static str, Vec<u8>)> {
    let spaced = |n| {
        event(n)
            .replace(':', ": ")
            .replace("08: 00: 00", "08:00:00")
    };
    let lines = body(event, "\n");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    let chunked = format!("{:x}\r\n{lines}\r\n0\r\n\r\n", lines.len());
    let records = format!(r#"{{"StreamName":"s","Records":[{}]}}"#, body(record, ","));
    let invalid_records = records.replace("eyJ", "W10");
    vec![
        (
            "events in an array",
            "/v1/events",
            JSON,
            format!("[{}]", body(event, ",")).into(),
        ),
        (
            "spaced events",
            "/v1/events",
            JSON,
            format!("[{}]", body(spaced, ", ")).into(),
        ),
        ("lines", "/v1/events", LINES, lines.into()),
        ("gzip", "/v1/events", GZIP, gzip.finish().unwrap()),
        ("chunked", "/v1/events", CHUNKED, chunked.into()),
        (
            "no events",
            "/v1/events",
            JSON,
            format!("[{}7]", "7,".repeat(65_535)).into(),
        ),
        ("changes", "/v1/changes", LINES, body(change, "\n").into()),
        ("records", "/", KINESIS, records.into()),
        ("invalid records", "/", KINESIS, invalid_records.into()),
    ]
}

/// Sends a request and returns the first line of the answer.
fn send(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length_header = if headers.contains("chunked") {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}{length_header}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

/// Returns the peak memory of a process in MiB.
fn peak_mib(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024)
}

#[test]
fn parallel_requests_stay_within_the_memory_setting_at_every_door() {
    if peak_mib(std::process::id()).is_none() {
        report_skipped("the peak of memory, which only Linux reports");
        return;
    }
    for (what, path, headers, body) in requests() {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("easel.toml"), SETTINGS).unwrap();
        let running = Running::start(&folder.path().join("data"));
        let status = match what {
            "no events" => "HTTP/1.1 422 Unprocessable Entity",
            _ if path == "/" => "HTTP/1.1 200 OK",
            _ => "HTTP/1.1 202 Accepted",
        };
        let address = running.local().address;
        thread::scope(|scope| {
            for _ in 0..REQUESTS {
                scope.spawn(|| assert_eq!(send(address, path, headers, &body), status, "{what}"));
            }
        });
        let peak = peak_mib(running.local().pid).unwrap();
        let limit = IN_FLIGHT_MIB + REST_MIB;
        assert!(peak <= limit, "{what}: {peak} MiB is more than {limit}");
        println!("{what}: {peak} MiB");
    }
}
