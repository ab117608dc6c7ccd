//! A server leaves no core file, because its memory has secrets.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use easel_testkit::{report_missing, report_skipped};
use tempfile::tempdir;

use crate::running::Running;

/// Signals that make a core dump of a process that may have one. A signal that the program handles, such as SIGSEGV,
/// is not among them: the first one from outside does not end the process.
const ABORT: i32 = 6;
const ILLEGAL_INSTRUCTION: i32 = 4;

/// Starts a server with the highest limit of core files that the system allows.
fn start(folder: &Path) -> Running {
    Running::start_with(&folder.join("data"), &[], |serve| {
        let mut shell = Command::new("/bin/sh");
        shell
            .env_clear()
            .args(["-c", "ulimit -Sc \"$(ulimit -Hc)\"; exec \"$@\"", "sh"])
            .arg(serve.get_program())
            .args(serve.get_args())
            .current_dir(folder)
            .stderr(Stdio::piped());
        *serve = shell;
    })
}

/// Returns whether a program that does not forbid core dumps makes one here.
fn is_dumped_by_default(folder: &Path) -> bool {
    let script = "ulimit -Sc \"$(ulimit -Hc)\"; kill -ABRT $$";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).current_dir(folder);
    shell.status().unwrap().core_dumped()
}

/// Ends the server with a signal, and checks that there is no core file.
#[track_caller]
fn check(running: Running, signal: i32) {
    let folder = running.data().parent().unwrap().to_owned();
    running.signal(&format!("-{signal}"));
    let (status, stderr) = running.ended();
    assert_eq!(status.signal(), Some(signal), "{stderr}");
    assert!(!status.core_dumped());
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with("core"), "{name} is a core file");
    }
}

#[test]
fn an_aborted_server_leaves_no_core_file() {
    let control = tempdir().unwrap();
    if !is_dumped_by_default(control.path()) {
        report_skipped("the proof that other programs make core dumps here: the limit is 0");
    }
    for signal in [ABORT, ILLEGAL_INSTRUCTION] {
        let folder = tempdir().unwrap();
        let running = start(folder.path());
        let limits = format!("/proc/{}/limits", running.local().pid);
        let limits = fs::read_to_string(limits).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let words: Vec<_> = line.unwrap().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{words:?}");
        check(running, signal);
    }
}

/// A program that receives core dumps through a pipe gets them whatever the limit is, so the limit is not enough.
#[test]
fn a_server_is_not_dumped_even_if_somebody_raises_its_limit() {
    let folder = tempdir().unwrap();
    let running = start(folder.path());
    let pid = running.local().pid.to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &pid, "--core=unlimited:unlimited"])
        .status();
    match raised {
        Ok(status) if status.success() => check(running, ABORT),
        _ => report_missing("prlimit of util-linux, as root"),
    }
}
