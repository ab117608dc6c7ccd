//! A PostgreSQL server for tests, in a temporary folder.
//!
//! The server listens on a loopback port. It is stopped and removed when it is dropped. It refuses to run as
//! root, so root runs it as the user `postgres`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use crate::report_missing;

/// Where Debian and other systems install the server.
const FOLDERS: [&str; 4] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/bin",
];

/// The user and group ids of `postgres` on this machine, from `/etc/passwd`.
fn postgres_user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Whether the server syncs its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresSync {
    /// As in production.
    On,
    /// Faster. A killed server process still keeps its data, because the system has it.
    Off,
}

/// A PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    folder: TempDir,
    port: u16,
    server: Option<Child>,
    sync: PostgresSync,
}

impl Postgres {
    /// Starts a server with an empty database. `None` if PostgreSQL is not installed.
    pub async fn start() -> Option<Self> {
        Self::start_with(PostgresSync::Off).await
    }

    /// Starts a server with an empty database. `None` if PostgreSQL is not installed.
    pub async fn start_with(sync: PostgresSync) -> Option<Self> {
        let bin = FOLDERS
            .iter()
            .map(Path::new)
            .find(|bin| bin.join("initdb").exists());
        let Some(bin) = bin else {
            report_missing("PostgreSQL (initdb, postgres)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if rustix::process::getuid().is_root() {
            let (user, group) = postgres_user().expect("root needs the user postgres");
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut postgres = Self {
            bin: bin.to_owned(),
            folder,
            port,
            server: None,
            sync,
        };
        let initialized = postgres
            .command("initdb")
            .args([
                "--username=easel",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(postgres.data())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&initialized.stderr);
        assert!(initialized.status.success(), "{stderr}");
        postgres.launch().await;
        Some(postgres)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = if rustix::process::getuid().is_root() {
            let (user, group) = postgres_user().unwrap();
            let mut command = Command::new("setpriv");
            command.args([
                &format!("--reuid={user}"),
                &format!("--regid={group}"),
                "--clear-groups",
                "--",
            ]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    /// Lets the server offer TLS with this certificate, from the next connection on.
    pub async fn use_certificate(&self, certificate: &str, key: &str) {
        for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            fs::write(&path, pem).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if rustix::process::getuid().is_root() {
                let (user, group) = postgres_user().unwrap();
                chown(&path, Some(user), Some(group)).unwrap();
            }
        }
        let reader = self.reader().await;
        reader.execute("alter system set ssl = on").await;
        reader.execute("select pg_reload_conf()").await;
        while self
            .reader()
            .await
            .value("current_setting('ssl')")
            .await
            .as_deref()
            != Some("on")
        {
            tokio::task::yield_now().await;
        }
    }

    /// Starts the server, and waits until it accepts connections.
    pub async fn launch(&mut self) {
        let fsync = match self.sync {
            PostgresSync::On => "fsync=on",
            PostgresSync::Off => "fsync=off",
        };
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        command.args(["-p", &self.port.to_string(), "-c", fsync]);
        command.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ]);
        command.args(["-c", "max_connections=40"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.server = Some(command.spawn().unwrap());
        let mut attempts = 0;
        while tokio_postgres::connect(&self.url(), NoTls).await.is_err() {
            attempts += 1;
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(attempts < 600, "the server does not start: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops the server at once, without a checkpoint, as a crash does.
    pub fn stop_immediately(&mut self) {
        if let Some(mut server) = self.server.take() {
            let pid = i32::try_from(server.id()).unwrap();
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
            server.wait().unwrap();
        }
    }

    /// Returns the URL of the database.
    pub fn url(&self) -> String {
        url_through(self.port)
    }

    /// Returns the path of a program of PostgreSQL, such as `psql`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Returns the port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Connects as a reader of the tables.
    pub async fn reader(&self) -> TableReader {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        TableReader {
            client,
            _tasks: tasks,
        }
    }
}

/// Returns the URL of the database behind this loopback port.
pub fn url_through(port: u16) -> String {
    format!("postgresql://easel@127.0.0.1:{port}/postgres?sslmode=disable")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_immediately();
    }
}

/// A connection that reads tables.
#[derive(Debug)]
pub struct TableReader {
    /// The connection.
    pub client: Client,
    _tasks: JoinSet<()>,
}

impl TableReader {
    /// Returns one value as text; `None` for NULL.
    pub async fn value(&self, sql: &str) -> Option<String> {
        let sql = format!("select ({sql})::text");
        self.client.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Returns one number.
    pub async fn number(&self, sql: &str) -> i64 {
        self.value(sql).await.unwrap().parse().unwrap()
    }

    /// Returns the rows of a query as JSON objects.
    pub async fn rows(&self, sql: &str) -> Vec<serde_json::Value> {
        let sql = format!("select to_jsonb(r)::text from ({sql}) r");
        let rows = self.client.query(&sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| serde_json::from_str(row.get::<_, &str>(0)).unwrap())
            .collect()
    }

    /// Executes statements.
    pub async fn execute(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }
}
