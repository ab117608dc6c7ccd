//! A server leaves no core file, because its memory has secrets.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use easel_testkit::report_skipped;
use rustix::process::geteuid;
use tempfile::tempdir;

use crate::running::Running;

/// Signals that make a core dump of a process that may have one. A signal that the program handles, such as SIGSEGV,
/// is not among them: the first one from outside does not end the process.
const ABORT: i32 = 6;
const ILLEGAL_INSTRUCTION: i32 = 4;

/// A user without rights.
const NOBODY: u32 = 65_534;

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
/// The kernel gives a process that is never dumped to root.
#[test]
fn the_kernel_never_dumps_a_server() {
    let folder = tempdir().unwrap();
    let running = if geteuid().is_root() {
        // The server runs as another user, who may not enter the folder of the program.
        let program = folder.path().join("easel");
        let source = Path::new(env!("CARGO_BIN_EXE_easel"));
        if fs::hard_link(source, &program).is_err() {
            fs::copy(source, &program).unwrap();
        }
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        Running::start_with(&folder.path().join("data"), &[], |serve| {
            let mut other_user = Command::new("/usr/bin/setpriv");
            other_user
                .args(["--reuid", &NOBODY.to_string(), "--clear-groups"])
                .arg(program)
                .args(serve.get_args())
                .current_dir(folder.path())
                .env_clear()
                .stderr(Stdio::piped());
            *serve = other_user;
        })
    } else {
        start(folder.path())
    };
    let process = format!("/proc/{}", running.local().pid);
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let user = status.lines().find(|line| line.starts_with("Uid:"));
    assert!(!user.unwrap().starts_with("Uid:\t0\t"), "{status}");
    // The folder itself always belongs to the user.
    let owner = fs::metadata(format!("{process}/environ")).unwrap().uid();
    assert_eq!(owner, 0, "{status}");
}
