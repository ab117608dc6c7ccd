//! Audits in real files: written, tampered with, and checked.

mod life;
mod tampering;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use easel_catalog::Reach;
use easel_keys::Sealer;
use jiff::Timestamp;
use serde_json::Map;
use tempfile::TempDir;

use crate::{Audit, AuditActor, ChainPoint, NewAuditEntry, Verification, verify_at_rest};

/// An audit in a folder, with a clock that a test sets.
struct Case {
    folder: TempDir,
    sealer: Arc<Sealer>,
    seconds: Arc<AtomicI64>,
}

impl Case {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            sealer: Arc::new(Sealer::ephemeral().unwrap()),
            seconds: Arc::new(AtomicI64::new(1_000_000)),
        }
    }

    /// Writes an audit with this many entries, each in a commit of its own.
    async fn with_entries(count: u64) -> Self {
        let case = Self::new();
        let audit = case.open();
        for number in 1..=count {
            audit.record(entry(number)).await.unwrap();
        }
        audit.close().await;
        case
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.db")
    }

    fn head(&self) -> PathBuf {
        self.folder.path().join("audit.head")
    }

    fn open(&self) -> Audit {
        self.open_with_max_age(None)
    }

    fn open_with_max_age(&self, max_age: Option<Duration>) -> Audit {
        let seconds = Arc::clone(&self.seconds);
        let clock = move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap();
        Audit::open(&self.path(), &self.sealer, max_age, Arc::new(clock)).unwrap()
    }

    fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn verify(&self) -> Verification {
        self.verify_expecting(None)
    }

    fn verify_expecting(&self, expected: Option<ChainPoint>) -> Verification {
        verify_at_rest(&self.path(), &self.sealer, expected)
            .unwrap()
            .unwrap()
    }

    /// Returns the faults as their codes and places.
    fn faults(&self) -> Vec<(&'static str, u64, u64)> {
        let faults = self.verify().faults.into_iter();
        faults
            .map(|fault| {
                let (first, last) = (fault.first.unwrap_or(0), fault.last.unwrap_or(0));
                (fault.kind.code(), first, last)
            })
            .collect()
    }

    fn change(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

fn entry(number: u64) -> NewAuditEntry {
    NewAuditEntry {
        at: Timestamp::from_second(1_000_000 + i64::try_from(number).unwrap()).unwrap(),
        actor: AuditActor {
            name: format!("token{number}"),
            address: Some("192.0.2.7".parse().unwrap()),
            reach: Reach::Everything,
        },
        action: "subscription.change".to_owned(),
        object: format!("s{number}"),
        details: Map::from_iter([("changed".to_owned(), vec!["events"].into())]),
    }
}
