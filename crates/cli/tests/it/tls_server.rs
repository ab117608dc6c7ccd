//! A server with TLS in its own process, and the certificates that it uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use easel_testkit::{Authority, Issued};
use tempfile::TempDir;

use crate::running::Running;

/// A server with TLS and its certificate authority.
pub(crate) struct TlsServer {
    pub(crate) authority: Authority,
    pub(crate) running: Running,
    address: String,
    folder: TempDir,
}

impl TlsServer {
    /// Starts a server. `settings` is TOML that is added to the settings file.
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_with(settings, |_command| ())
    }

    /// Starts a server. `prepare` may change the command.
    pub(crate) fn start_with(settings: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        write(folder.path(), &authority.server());
        let file = format!("tls.cert = \"cert.pem\"\ntls.key = \"key.pem\"\n{settings}");
        fs::write(folder.path().join("easel.toml"), file).unwrap();
        let mut running = Running::start_with(&folder.path().join("data"), &[], prepare);
        running.wait_for("Run in another terminal");
        let line = running.stderr().lines();
        let line = line.map(|line| line.split_once("easel listens on https://127.0.0.1:"));
        let port = line.flatten().next().unwrap().1.split_once(' ').unwrap().0;
        Self {
            authority,
            address: format!("localhost:{port}"),
            running,
            folder,
        }
    }

    /// Returns the folder with the certificates, the settings and the data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the file of the certificate authority.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    /// Returns name and port of the listener with TLS.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the URL of the listener with TLS.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Replaces the certificate and the key, the one after the other, as certbot does.
    pub(crate) fn replace(&self, issued: &Issued) {
        write(self.folder(), issued);
    }
}

fn write(folder: &Path, issued: &Issued) {
    for (name, text) in [("cert.pem", &issued.cert), ("key.pem", &issued.key)] {
        let new = folder.join(format!("{name}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, folder.join(name)).unwrap();
    }
}
