//! Tests of the start and the end of a server.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use easel_server::LocalServer;
use tempfile::tempdir;

use crate::easel::{Ran, check, command, easel};
use crate::running::Running;

#[test]
fn the_greeting_shows_the_next_steps() {
    let folder = tempdir().unwrap();
    let mut running = Running::start(&folder.path().join("data"));
    running.wait_for("subscriptions add");
    check!(running.stderr(), @r#"
        [time]  WARN easel_server::server: master key created: keep a copy of this file, because a backup of the data folder needs it file=[folder]/data.key
        [time]  INFO easel::commands::serve: server started address=127.0.0.1:[port] scheme="http" version="[version]" data=[folder]/data
        [time]  WARN easel::commands::serve: first token written to a file; read it there and remove the file path=[folder]/data.first-token
        easel listens on http://127.0.0.1:[port] and stores its data in [folder]/data

        To send Canvas's events here, set in its Live Events plugin (/plugins/live_events):
          AWS endpoint (aws_endpoint)                 http://127.0.0.1:[port]
          Kinesis stream name (kinesis_stream_name)   live-events
          AWS access key ID and secret                set a pair under [[kinesis.keys]] first

        Run in another terminal:
          easel --data [folder]/data emit course_created --set name=Botany
          easel --data [folder]/data tail --follow
          easel --data [folder]/data subscriptions add mine --webhook https://example.edu/hook
        "#);
}

#[test]
fn the_limit_of_open_files_is_raised_to_the_maximum() {
    let folder = tempdir().unwrap();
    let running = Running::start_with(&folder.path().join("data"), &[], |serve| {
        let mut shell = Command::new("/bin/sh");
        shell
            .env_clear()
            .args(["-c", "ulimit -Sn 128; exec \"$@\"", "sh"])
            .arg(serve.get_program())
            .args(serve.get_args())
            .current_dir(folder.path())
            .stderr(Stdio::piped());
        *serve = shell;
    });
    let limits = format!("/proc/{}/limits", running.local().pid);
    let limits = std::fs::read_to_string(limits).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = files.unwrap().split_whitespace().collect();
    assert_eq!(words[3], words[4], "{words:?}");
}

#[test]
fn two_servers_never_share_a_data_folder() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    check!(running.easel(&["serve", "--listen", "127.0.0.1:0"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to use data folder [folder]/data: another server runs on it (process [pid])
        ");
    assert_eq!(
        running.easel(&["balance"]).code,
        Some(0),
        "the first server must continue"
    );
}

#[test]
fn an_unusable_address_is_a_configuration_error() {
    let folder = tempdir().unwrap();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    check!(easel(folder.path(), &["serve", "--listen", &address]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to listen on 127.0.0.1:[port]: Address already in use (os error 98)
        ");
    check!(easel(folder.path(), &["serve", "--listen", "0.0.0.0:0", "--auth", "none"]), @r#"
        exit 78
        --- stdout
        --- stderr
        error: --listen: listen must be a loopback address while auth is "none", not 0.0.0.0:0
        "#);
    check!(easel(folder.path(), &["serve", "--listen", "here"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: --listen: listen must be an address and port such as "127.0.0.1:4567", not "here"
        "#);
    check!(easel(folder.path(), &["serve", "--log", "=="]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: --log: the log filter must be like "debug" or "info,easel_deliver=trace", not "=="
        "#);
}

#[test]
fn a_stop_drains_and_loses_nothing() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    running.easel(&["emit", "x", "--force"]).stdout();
    let data = running.data().to_owned();
    running.terminate();
    let (status, stderr) = running.ended();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("draining"), "{stderr}");
    assert!(LocalServer::read(&data).is_err());

    let running = Running::start(&data);
    assert_eq!(running.easel(&["tail"]).stdout().lines().count(), 1);
}

#[test]
fn a_second_signal_stops_the_server_before_it_has_drained() {
    let folder = tempdir().unwrap();
    let mut running = Running::start(&folder.path().join("data"));
    // A request without its body blocks the drain.
    let mut stream = TcpStream::connect(running.local().address).unwrap();
    let token = running.local().token.clone().unwrap();
    let token = token.expose();
    write!(
        stream,
        "POST /v1/events HTTP/1.1\r\nhost: easel\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");

    running.terminate();
    running.wait_for("draining");
    running.terminate();
    let (status, stderr) = running.ended();
    assert_eq!(status.code(), Some(69), "{stderr}");
    assert!(
        stderr.contains("stopped before all requests and deliveries under way were finished; see the setting `drain`"),
        "{stderr}"
    );
}

/// Parses the records of a JSON log. The log must contain only JSON.
#[track_caller]
fn records(stderr: &str) -> Vec<serde_json::Value> {
    let record = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}\n{stderr}"))
    };
    stderr.lines().map(record).collect()
}

fn record<'a>(records: &'a [serde_json::Value], message: &str) -> &'a serde_json::Value {
    let found = records
        .iter()
        .find(|record| record["fields"]["message"] == message);
    &found.unwrap_or_else(|| panic!("no {message:?} in {records:#?}"))["fields"]
}

#[test]
fn with_a_json_log_stderr_contains_only_json() {
    let folder = tempdir().unwrap();
    let running = Running::start_with(
        &folder.path().join("data"),
        &["--log-format", "json", "--paused"],
        |_command| (),
    );
    let (data, url) = (running.data().display().to_string(), running.url());
    running.terminate();
    let (status, stderr) = running.ended();
    assert_eq!(status.code(), Some(0), "{stderr}");
    let records = records(&stderr);
    let started = record(&records, "server started");
    assert_eq!(
        format!("http://{}", started["address"].as_str().unwrap()),
        url
    );
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(started["data"], data);
    let token_record = record(
        &records,
        "first token written to a file; read it there and remove the file",
    );
    assert_eq!(token_record["path"], format!("{data}.first-token"));
    record(
        &records,
        "deliveries are paused; `easel resume` starts them",
    );
    record(&records, "draining");
    record(&records, "stopped");
}

#[test]
fn with_a_json_log_a_failed_start_is_reported_in_json() {
    let folder = tempdir().unwrap();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let check = |args: &[&str], variables: &[(&str, &str)], code: i32, errors: &[&str]| {
        let mut serve = command(folder.path(), &[&["serve"], args].concat());
        let ran = Ran::new(&serve.envs(variables.iter().copied()).output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran}");
        let records = records(&ran.stderr);
        let messages: Vec<_> = records
            .iter()
            .filter(|record| record["level"] == "ERROR")
            .map(|record| record["fields"]["error"].as_str().unwrap())
            .collect();
        assert_eq!(messages.len(), errors.len(), "{ran}");
        for part in errors {
            let is_reported = messages.iter().any(|error| error.contains(part));
            assert!(is_reported, "{messages:?} has no {part:?}");
        }
    };
    let json = [("EASEL_LOG_FORMAT", "json"), ("EASEL_LOG", "off")];
    check(&["--log-format", "json", "--bogus"], &[], 64, &["--bogus"]);
    check(
        &["--listen", "here"],
        &json,
        64,
        &["--listen: listen must be"],
    );
    check(
        &["--listen", &address],
        &json,
        78,
        &["Address already in use"],
    );
    let variables = [
        ("EASEL_DRAIN", "x"),
        ("EASEL_LISTN", "y"),
        ("EASEL_LOG", "=="),
    ];
    check(
        &["--log-format=json"],
        &variables,
        78,
        &["EASEL_DRAIN: ", "EASEL_LISTN: ", "EASEL_LOG: "],
    );
}

#[test]
fn the_first_token_goes_to_a_file_without_a_terminal() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let mut running = Running::start(&data);
    running.wait_for("subscriptions add");
    let file = data.with_extension("first-token");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let token = fs::read_to_string(&file).unwrap();
    let token = token.trim();
    assert!(!running.stderr().contains(token), "{}", running.stderr());
    let with_token = |token: &str| {
        easel(
            folder.path(),
            &["tokens", "--url", &running.url(), "--token", token, "list"],
        )
        .code
    };
    assert_eq!(with_token(token), Some(0));
    assert_eq!(with_token("easel_wrong"), Some(78));
    running.terminate();
    running.ended();
    fs::remove_file(&file).unwrap();
    let running = Running::start(&data);
    assert!(!file.exists(), "a second start makes no first token");
    drop(running);
}

#[test]
fn the_first_token_is_shown_on_a_terminal_and_nowhere_else() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let folder = tempdir().unwrap();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap());
    let mut serve = command(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = serve
        .stdin(Stdio::null())
        .stderr(end.unwrap())
        .spawn()
        .unwrap();
    drop(serve);
    let (mut screen, mut seen) = (fs::File::from(terminal), Vec::new());
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains("subscriptions add") {
        let count = screen.read(&mut part).unwrap();
        seen.extend_from_slice(&part[..count]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = String::from_utf8(seen).unwrap();
    assert!(
        seen.contains("First token with full access, shown only now"),
        "{seen}"
    );
    assert!(seen.contains("  easel_"), "{seen}");
    assert!(!folder.path().join("easel-data/first-token").exists());
}

#[test]
fn a_preset_first_token_works_and_is_never_printed() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let token = "A-preset_token.for~tests+0123456789/abc=";
    let with_token = |running: &Running, token: &str| {
        let url = running.url();
        easel(
            folder.path(),
            &["tokens", "list", "--url", &url, "--token", token],
        )
        .code
    };
    let mut running = Running::start_with(&data, &[], |serve| {
        serve.env("EASEL_AUTH__FIRST_TOKEN", token);
    });
    running.wait_for("subscriptions add");
    assert!(!running.stderr().contains(token), "{}", running.stderr());
    assert!(!data.with_extension("first-token").exists());
    assert_eq!(with_token(&running, token), Some(0));
    running.kill();

    let other = "Another-preset_token.for~tests+0123456789";
    let mut running = Running::start_with(&data, &[], |serve| {
        serve.env("EASEL_AUTH__FIRST_TOKEN", other);
    });
    running.wait_for("subscriptions add");
    assert!(
        running.stderr().contains("preset token not used"),
        "{}",
        running.stderr()
    );
    assert_eq!(with_token(&running, other), Some(78));
    assert_eq!(with_token(&running, token), Some(0));
}

#[test]
fn a_paused_server_logs_its_state_and_is_resumed_by_a_command() {
    let folder = tempdir().unwrap();
    let mut running = Running::start_with(&folder.path().join("data"), &["--paused"], |_| ());
    running.wait_for("subscriptions add");
    assert!(
        running.stderr().contains("deliveries are paused"),
        "{}",
        running.stderr()
    );
    let output = |args: &[&str]| {
        let ran = running.easel(args);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stderr + &ran.stdout
    };
    assert_eq!(output(&["pause", "--json"]).trim(), r#"{"paused":true}"#);
    assert_eq!(output(&["resume"]), "deliveries are running\n");
    assert_eq!(output(&["pause"]), "deliveries are paused\n");
}

#[test]
fn a_hangup_applies_new_settings_and_logs_which_need_a_restart() {
    let folder = tempdir().unwrap();
    let settings = |text: &str| fs::write(folder.path().join("easel.toml"), text).unwrap();
    let hook = "webhook.url = \"http://127.0.0.1:1/\"\n";
    let first = format!("[[subscriptions]]\nname = \"one\"\n{hook}");
    let second = format!("[[subscriptions]]\nname = \"two\"\n{hook}");
    let pair = "[[kinesis.keys]]\naccess_key_id = \"canvas\"\nsecret_access_key = \"hush\"\n";
    settings(&first);
    let mut running = Running::start(&folder.path().join("data"));
    let states = |running: &Running| {
        let list = running.easel(&["subscriptions", "list"]).stdout();
        let words = |line: &str| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        };
        list.lines().skip(1).map(words).collect::<Vec<_>>()
    };
    assert_eq!(states(&running), ["one active"]);

    settings(&format!("drain = \"1s\"\n{second}{pair}"));
    running.hang_up();
    running.wait_for("settings re-read");
    assert_eq!(states(&running), ["one deactivated", "two active"]);
    let stderr = running.stderr();
    for part in [
        "setting re-read setting=\"subscriptions\" added=\"two\" changed=\"\" removed=\"one\"",
        "setting re-read setting=\"kinesis.keys\" added=\"canvas\" changed=\"\" removed=\"\"",
        "setting changed; it needs a restart setting=\"drain\"",
        "changed=true needs_restart=\"drain\"",
    ] {
        assert!(stderr.contains(part), "{part:?} is missing:\n{stderr}");
    }
    assert!(!stderr.contains("hush"), "{stderr}");

    settings(&format!("drain = 1\n{first}in_flight = 0\n"));
    running.hang_up();
    running.wait_for("easel.toml:5:13: `in_flight` must be 1 to 256, not 0");
    running.wait_for("easel.toml:1:9: drain must be");
    settings("");
    assert_eq!(states(&running), ["one deactivated", "two active"]);
    assert!(
        running
            .stderr()
            .contains("settings not re-read; nothing changed")
    );

    // The start offset is past the end of the log. Only the running server can find this fault.
    settings(&format!(
        "{first}{}start = 99\n",
        second.replace("two", "three")
    ));
    running.hang_up();
    running.wait_for("after the end of the log");
    assert_eq!(states(&running), ["one deactivated", "two active"]);
}

#[test]
fn config_check_does_not_create_the_data_folder() {
    let folder = tempdir().unwrap();
    easel(folder.path(), &["config", "check"]).stdout();
    let entries = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(entries(folder.path()), 0);
}
