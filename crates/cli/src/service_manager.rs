//! Tells the service manager when the server is ready and when it stops.
//!
//! systemd names a Unix datagram socket in `NOTIFY_SOCKET` if the unit has `Type=notify`. A name that begins with
//! `@` is in the abstract namespace. Without the variable, nobody is told.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tracing::warn;

/// What the server tells the service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManagerNotice {
    /// The server accepts requests.
    Ready,
    /// The server finishes its work and ends.
    Stopping,
}

/// Tells the service manager, if there is one. A failure is logged: it must not end a server that works.
pub(crate) fn tell(state: ManagerNotice) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = address(socket.as_bytes()).and_then(|address| {
        let message = match state {
            ManagerNotice::Ready => "READY=1",
            ManagerNotice::Stopping => "STOPPING=1",
        };
        UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)
    });
    if let Err(error) = sent {
        warn!(%error, ?state, "service manager not told");
    }
}

fn address(name: &[u8]) -> io::Result<SocketAddr> {
    match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
    }
}
