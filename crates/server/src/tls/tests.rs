//! Tests what the watch of the files does after each change of the files.

use std::fs;
use std::path::Path;

use easel_testkit::{Authority, Issued};

use super::*;

/// Files of TLS, and the watch of a server that uses them.
struct Watched {
    folder: tempfile::TempDir,
    tls: Tls,
    watch: TlsWatch,
}

impl Watched {
    fn new(issued: &Issued) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), issued);
        let config = TlsConfig {
            cert: Some(folder.path().join("cert.pem")),
            key: Some(folder.path().join("key.pem")),
            ..TlsConfig::default()
        };
        let identity = TlsIdentity::read(&config).unwrap().unwrap();
        let tls = Tls::new(config, identity);
        let watch = TlsWatch::new(Some(tls.clone()));
        Self { folder, tls, watch }
    }

    fn write(&self, issued: &Issued) {
        write(self.folder.path(), issued);
    }

    async fn look(&mut self) -> Look {
        self.watch.look(&self.tls).await
    }

    fn problem(&self) -> Option<String> {
        self.tls.problem(Timestamp::now())
    }

    /// Returns the server's settings, which show which certificate is in use.
    fn server(&self) -> usize {
        self.tls
            .read(|current| Arc::as_ptr(&current.identity.server).addr())
    }
}

fn write(folder: &Path, issued: &Issued) {
    fs::write(folder.join("cert.pem"), &issued.cert).unwrap();
    fs::write(folder.join("key.pem"), &issued.key).unwrap();
}

#[tokio::test]
async fn changed_files_are_used_and_unchanged_files_are_not_used_again() {
    let authority = Authority::new();
    let mut watched = Watched::new(&authority.server());
    let first = watched.server();
    assert_eq!(watched.look().await, Look::Same);
    assert_eq!(watched.server(), first);
    watched.write(&authority.server());
    assert_eq!(watched.look().await, Look::Renewed);
    assert_ne!(watched.server(), first);
    assert_eq!(watched.look().await, Look::Same);
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_the_old_certificate_and_are_reported_at_the_second_look() {
    let authority = Authority::new();
    let (old, new) = (authority.server(), authority.server());
    let mut watched = Watched::new(&old);
    let first = watched.server();
    // The certificate is new, and the key follows later.
    let half = Issued {
        cert: new.cert.clone(),
        key: old.key.clone(),
    };
    watched.write(&half);
    assert_eq!(watched.look().await, Look::Suspected);
    assert_eq!(watched.problem(), None);
    watched.write(&new);
    assert_eq!(watched.look().await, Look::Renewed);
    let second = watched.server();
    assert_ne!(second, first);

    watched.write(&half);
    assert_eq!(watched.look().await, Look::Suspected);
    assert_eq!(watched.look().await, Look::Failing);
    let problem = watched.problem().unwrap();
    assert!(
        problem.starts_with("the old certificate stays in use: tls.key: "),
        "{problem}"
    );
    assert_eq!(watched.look().await, Look::Failing);
    fs::remove_file(watched.folder.path().join("key.pem")).unwrap();
    assert_eq!(watched.look().await, Look::Suspected);
    assert_eq!(watched.look().await, Look::Failing);
    assert_eq!(watched.server(), second);
    // The files of before are back.
    watched.write(&new);
    assert_eq!(watched.look().await, Look::Same);
    assert_eq!(watched.problem(), None);
}

#[tokio::test]
async fn a_certificate_that_expires_soon_is_a_problem_until_it_is_replaced() {
    let authority = Authority::new();
    let soon = authority.issue(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let mut watched = Watched::new(&soon);
    let problem = watched.problem().unwrap();
    assert!(
        problem.ends_with("expired at 2020-01-01T00:00:00Z"),
        "{problem}"
    );
    watched.write(&authority.server());
    assert_eq!(watched.look().await, Look::Renewed);
    assert_eq!(watched.problem(), None);
}

#[test]
fn hsts_is_sent_unless_it_is_zero() {
    let authority = Authority::new();
    let watched = Watched::new(&authority.server());
    let year = watched.tls.accept().hsts.unwrap();
    assert_eq!(year, "max-age=31536000");
    let config = TlsConfig {
        hsts: Duration::ZERO,
        ..watched.tls.read(|current| current.config.clone())
    };
    let identity = watched.tls.read(|current| current.identity.clone());
    assert!(watched.tls.replace(config, identity));
    assert_eq!(watched.tls.accept().hsts, None);
}
