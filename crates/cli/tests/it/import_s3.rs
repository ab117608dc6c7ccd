//! `easel import s3://…` against the server of moto, an emulator of AWS.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use easel_testkit::{event, report_missing};
use serde_json::Value;

use crate::easel::{Ran, command};
use crate::running::Running;

/// Starts moto, makes a bucket with all files of a folder, prints the address and waits for the end of stdin.
const EMULATOR: &str = r#"
import os, sys
import boto3
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"
s3 = boto3.client("s3", endpoint_url=url, region_name="eu-north-1",
                  aws_access_key_id="k", aws_secret_access_key="s")
s3.create_bucket(Bucket="meadow", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
s3.put_object(Bucket="meadow", Key="events/", Body=b"")
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        key = "events/" + os.path.relpath(path, sys.argv[1])
        s3.upload_file(path, "meadow", key)
print(url, flush=True)
sys.stdin.read()
"#;

struct Emulator {
    child: Child,
    url: String,
}

impl Emulator {
    fn start(python: &OsString, files: &std::path::Path) -> Self {
        let mut child = Command::new(python)
            .args(["-c", EMULATOR])
            .arg(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://"), "moto does not start: {url:?}");
        Self { child, url }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn python_with_moto() -> Option<OsString> {
    let python = std::env::var_os("EASEL_TEST_PYTHON")?;
    let check = Command::new(&python)
        .args(["-c", "import boto3, moto.server, flask"])
        .output();
    check
        .ok()
        .filter(|output| output.status.success())
        .map(|_| python)
}

#[test]
fn the_objects_of_a_bucket_are_imported_once() {
    let Some(python) = python_with_moto() else {
        report_missing("moto, an emulator of AWS; scripts/test installs it");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    fs::create_dir_all(files.join("2026/01")).unwrap();
    let events = |numbers: std::ops::Range<u64>, separator: &[u8]| {
        numbers
            .map(|n| event("course_created", n))
            .collect::<Vec<_>>()
            .join(separator)
    };
    fs::write(files.join("2026/01/firehose-1"), events(0..5000, b"")).unwrap();
    let compressed = zstd::encode_all(&*events(5000..9000, b"\n"), 1).unwrap();
    fs::write(files.join("2026/01/firehose-2.zst"), compressed).unwrap();
    fs::write(files.join("other.json"), events(9000..9100, b"\n")).unwrap();
    let emulator = Emulator::start(&python, &files);
    let running = Running::start(&folder.path().join("data"));
    let data = running.data().to_str().unwrap();

    let import = |args: &[&str], variables: &[(&str, &str)]| {
        let all = [&["import", "--json", "--data", data], args].concat();
        let variables = variables.iter().copied();
        Ran::new(
            &command(folder.path(), &all)
                .envs(variables)
                .output()
                .unwrap(),
        )
    };
    let json = |ran: &Ran| -> Value {
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"))
    };
    let keys = [
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "eu-north-1"),
    ];
    let endpoint = ["--endpoint-url", &emulator.url];

    // One object, one folder, and the rest of the bucket.
    let one = import(
        &[&["s3://meadow/events/other.json"], &endpoint[..]].concat(),
        &keys,
    );
    assert_eq!(json(&one)["accepted"], 100, "{one}");
    let some = import(
        &[&["s3://meadow/events/2026/"], &endpoint[..]].concat(),
        &keys,
    );
    assert_eq!(json(&some)["accepted"], 9000, "{some}");
    let with_address = [&keys[..], &[("AWS_ENDPOINT_URL", &*emulator.url)]].concat();
    let all = import(&["s3://meadow"], &with_address);
    assert_eq!(
        (&json(&all)["files_finished_before"], &json(&all)["read"]),
        (&3.into(), &0.into())
    );

    // Keys and address of a profile.
    let profile = format!(
        "[profile campus]\nregion = eu-north-1\nendpoint_url = {}\n",
        emulator.url
    );
    let credentials = "[campus]\naws_access_key_id = k\naws_secret_access_key = s\n";
    fs::write(folder.path().join("config"), profile).unwrap();
    fs::write(folder.path().join("credentials"), credentials).unwrap();
    let of_profile = [
        ("AWS_PROFILE", "campus"),
        ("AWS_CONFIG_FILE", "config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ];
    let renamed = import(
        &["s3://meadow/events/other.json", "--name", "again"],
        &of_profile,
    );
    let found = json(&renamed);
    assert_eq!(
        found["accepted"].as_u64().unwrap() + found["duplicates"].as_u64().unwrap(),
        100
    );

    let missing = import(&[&["s3://meadow/nothing"], &endpoint[..]].concat(), &keys);
    assert_eq!(missing.code, Some(65), "{missing}");
    let no_bucket = import(&[&["s3://nobody/x"], &endpoint[..]].concat(), &keys);
    assert_eq!(no_bucket.code, Some(65), "{no_bucket}");
}
