//! How a server starts, and how it ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use easel_server::Local;
use tempfile::tempdir;

use crate::easel::{check, easel};
use crate::running::Running;

#[test]
fn a_newcomer_is_told_what_to_do_next() {
    let folder = tempdir().unwrap();
    let mut running = Running::start(&folder.path().join("data"));
    running.wait_for("subscriptions add");
    check!(running.stderr(), @r"
        easel listens on http://127.0.0.1:[port] and keeps its data in [folder]/data

        First token, may do everything, shown this once (only its hash is kept):

          [token]

        To send Canvas's events here, in its Live Events plug-in (/plugins/live_events):
          AWS endpoint (aws_endpoint)                 http://127.0.0.1:[port]
          Kinesis stream name (kinesis_stream_name)   live-events
          AWS access key ID and secret                set a pair under [[kinesis.keys]] first

        Try, in another terminal:
          easel --data [folder]/data emit course_created --set name=Botany
          easel --data [folder]/data tail --follow
          easel --data [folder]/data subscriptions add mine --webhook https://example.edu/hook
        ");
}

#[test]
fn as_many_files_may_be_open_as_the_system_allows() {
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
    let files = limits.lines().find(|it| it.starts_with("Max open files"));
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
        "the first one goes on"
    );
}

#[test]
fn an_address_that_cannot_be_had_is_a_matter_of_configuration() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check!(easel(folder.path(), &["serve", "--listen", &address]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to listen on 127.0.0.1:[port]: Address already in use (os error 98)
        ");
    check!(easel(folder.path(), &["serve", "--listen", "0.0.0.0:0", "--auth", "none"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: --listen: failed to listen on 0.0.0.0:0: without tokens that is allowed on a loopback address only
        ");
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
        error: log filter "==": invalid filter directive
        "#);
}

#[test]
fn a_stop_drains_and_leaves_nothing_behind() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    running.easel(&["emit", "x", "--force"]).stdout();
    let data = running.data().to_owned();
    running.terminate();
    let (status, stderr) = running.ended();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("draining"), "{stderr}");
    assert!(Local::read(&data).is_err());

    let running = Running::start(&data);
    assert_eq!(running.easel(&["tail"]).stdout().lines().count(), 1);
}

#[test]
fn a_second_signal_stops_at_once() {
    let folder = tempdir().unwrap();
    let mut running = Running::start(&folder.path().join("data"));
    // A request whose body never comes holds the drain up.
    let mut stream = TcpStream::connect(running.local().address).unwrap();
    let token = running.local().token.clone().unwrap();
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
        stderr.contains("stopped before everything was drained"),
        "{stderr}"
    );
}
