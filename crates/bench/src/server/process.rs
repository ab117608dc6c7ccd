//! A server in its own process, with a temporary folder.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::connection::Connection;

/// The time within which a started server must answer.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A server in its own process. Dropping this kills the server and removes its folder.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// The part of `local.json` in the data folder that this program reads.
#[derive(Deserialize)]
struct LocalJson {
    address: SocketAddr,
}

impl ServerProcess {
    /// Starts a server without authentication, on a port that the system chooses.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        // The process runs in another folder, where a relative path would name nothing.
        let program = &std::path::absolute(program)?;
        let folder = tempfile::tempdir()?;
        let data_folder = folder.path().join("data");
        let child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data_folder)
            .current_dir(folder.path())
            .env("EASEL_AUTH", "none")
            .env("EASEL_LOG__MAX_AGE", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            _folder: folder,
        };
        let started = timeout(START_TIMEOUT, server.find_address(&data_folder)).await;
        started.context("the server did not start in time")??;
        Ok(server)
    }

    /// Returns the address that the server listens on.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server listens, and stores its address.
    async fn find_address(&mut self, data_folder: &Path) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended: {status}");
            }
            if let Ok(json) = std::fs::read(data_folder.join("local.json")) {
                let local: LocalJson = serde_json::from_slice(&json)?;
                self.address = local.address;
                if Connection::open(self.address).await.is_ok() {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both calls may fail, because the server may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
