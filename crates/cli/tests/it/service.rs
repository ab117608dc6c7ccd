//! Tests of a server under a service manager: what it tells systemd, and a master key in a read-only place.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::geteuid;
use tempfile::tempdir;

use crate::running::Running;

/// Returns the next message of the server.
fn message(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    manager
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let count = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

#[test]
fn the_service_manager_is_told_when_the_server_is_ready_and_when_it_stops() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("notify");
    let name = format!("easel-test-{}", std::process::id());
    let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
    for (manager, socket) in [
        (
            UnixDatagram::bind(&path).unwrap(),
            path.to_str().unwrap().to_owned(),
        ),
        (
            UnixDatagram::bind_addr(&abstract_address).unwrap(),
            format!("@{name}"),
        ),
    ] {
        let running = Running::start_with(&folder.path().join("data"), &[], |serve| {
            serve.env("NOTIFY_SOCKET", socket);
        });
        assert_eq!(message(&manager), "READY=1");
        running.terminate();
        assert_eq!(message(&manager), "STOPPING=1");
        let (status, stderr) = running.ended();
        assert!(status.success(), "{stderr}");
    }
}

#[test]
fn a_server_works_although_nobody_reads_its_messages() {
    let folder = tempdir().unwrap();
    let mut running = Running::start_with(&folder.path().join("data"), &[], |serve| {
        serve.env("NOTIFY_SOCKET", "/nowhere/notify");
    });
    running.wait_for("service manager not told");
    assert_eq!(running.easel(&["status", "--ready"]).code, Some(0));
}

#[test]
fn a_read_only_folder_of_the_master_key_gets_no_first_token() {
    let folder = tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("master-key"), "A".repeat(43) + "=\n").unwrap();
    let running = Running::start_with(&folder.path().join("data"), &[], |serve| {
        let mut wrapper = read_only(&keys);
        wrapper
            .arg(serve.get_program())
            .args(serve.get_args())
            .current_dir(folder.path())
            .env_clear()
            .env("EASEL_KEYS__MASTER_KEY_FILE", keys.join("master-key"))
            .stderr(Stdio::piped());
        *serve = wrapper;
    });
    let stderr = running.stderr();
    assert!(stderr.contains("first token not created"), "{stderr}");
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 1);
    let created = running.easel(&["tokens", "create", "admin", "--scope", "manage"]);
    assert!(created.stdout().starts_with("easel_"));
}

/// Returns a command that runs a program for which `folder` is read-only. The rights of a folder do not stop root,
/// so root gets a mount.
fn read_only(folder: &Path) -> Command {
    if geteuid().is_root() {
        let script = "mount --bind \"$0\" \"$0\"; mount -o remount,bind,ro \"$0\"; exec \"$@\"";
        let mut unshare = Command::new("/usr/bin/unshare");
        unshare
            .args(["--mount", "/bin/sh", "-ec", script])
            .arg(folder);
        unshare
    } else {
        let mut permissions = fs::metadata(folder).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(folder, permissions).unwrap();
        Command::new("/usr/bin/env")
    }
}
