//! Data folders with files that belong together, and with files that do not.

mod copies;
mod exchanges;
mod matrix;
mod place;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use easel_catalog::Reach;
use easel_keys::Sealer;
use easel_log::{Log, LogOptions, NewRecord, Offset, RecordFacts, SharedLog, SystemClock};
use easel_log_sqlite::SqliteLog;
use easel_subscriptions::{SqliteStore, Subscriptions};
use uuid::Uuid;

use super::files::{FILES, LOG, STATE};
use super::{DataFolder, FolderError, LOCK, Manifest, Repair};

/// The number of events that [`serve`] accepts.
const EVENTS: u64 = 10;

/// Returns the bytes of every data file and of the manifest.
fn bytes_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name != LOCK)
        .map(|name| (name.clone(), fs::read(folder.join(name)).unwrap()))
        .filter(|(name, bytes)| !name.ends_with("-shm") && !bytes.is_empty())
        .collect()
}

/// Does what a server does between a start and a clean stop: accepts events, and delivers all of them
/// to one subscription.
fn serve(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let data = DataFolder::lock(folder).unwrap();
        let session = data.prepare().unwrap();
        let log = SqliteLog::open(
            &data.file(LOG),
            LogOptions::default(),
            Arc::new(SystemClock),
            RecordFacts::none,
        );
        let log = Arc::new(log.unwrap());
        let shared: SharedLog = Arc::<SqliteLog>::clone(&log);
        let subscriptions = open_subscriptions(&data.file(STATE), &shared).await;
        if subscriptions.list().is_empty() {
            let spec = r#"{"name":"all","start":"earliest","webhook":{"url":"http://a"}}"#;
            let spec = serde_json::from_str(spec).unwrap();
            subscriptions.create(Reach::Everything, spec).await.unwrap();
        }
        log.append((0..EVENTS).map(|_| record()).collect())
            .await
            .unwrap();
        let head = log.bounds().borrow().head;
        let all = subscriptions.get(&"all".parse().unwrap()).unwrap();
        let from = all.shared.account().first_unmatched();
        for offset in (from.get()..head.get()).map(Offset::new) {
            let mut account = all.shared.account();
            account.owe(offset);
            account.deliver(offset);
        }
        subscriptions.save_all().await.unwrap();
        drop((subscriptions, all));
        log.close().await;
        data.mark_stopped(session, head.get()).unwrap();
    });
}

/// Returns a record with a random id.
fn record() -> NewRecord {
    let random = easel_sqlite::Identity::random().unwrap().to_string();
    NewRecord::new(random.parse::<Uuid>().unwrap(), "grade_change", "{}")
}

/// The sealer of all folders in these tests.
static SEALER: LazyLock<Arc<Sealer>> = LazyLock::new(|| Arc::new(Sealer::ephemeral().unwrap()));

async fn open_subscriptions(path: &Path, log: &SharedLog) -> Arc<Subscriptions> {
    let opened = Subscriptions::open(
        Arc::new(SqliteStore::open(path, Arc::clone(&SEALER)).unwrap()),
        Arc::clone(log),
        Arc::new(SystemClock),
        Arc::new(()),
        Arc::new(easel_catalog::Catalog::built_in()),
    );
    Arc::new(opened.await.unwrap())
}

/// Copies the data files and the manifest of a folder.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in FILES.iter().map(|file| file.name).chain([Manifest::FILE]) {
        copy_file(from, to, name);
    }
}

fn copy_file(from: &Path, to: &Path, name: &str) {
    if from.join(name).exists() {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn start(folder: &Path) -> Result<(), FolderError> {
    let data = DataFolder::lock(folder).unwrap();
    data.prepare().map(drop)
}

/// Asserts that a start is rejected and changes nothing. Returns the error.
#[track_caller]
fn rejected(folder: &Path) -> String {
    let before = bytes_of(folder);
    let error = start(folder).unwrap_err();
    assert!(bytes_of(folder) == before, "{error}: a file was changed");
    error.to_string()
}

/// Repairs the folder, and returns the steps. Asserts that the plan alone changes nothing.
#[track_caller]
fn repaired(folder: &Path) -> Vec<String> {
    let before = bytes_of(folder);
    let repair = Repair::plan(folder, 0).unwrap();
    let steps = repair.steps().to_vec();
    assert!(!steps.is_empty());
    assert!(bytes_of(folder) == before, "{steps:?}: a file was changed");
    repair.run().unwrap();
    assert_eq!(
        Repair::plan(folder, 0).unwrap().steps(),
        <[String; 0]>::default()
    );
    start(folder).unwrap();
    steps
}

/// Returns the head of the log and the cursor of the subscription.
fn head_and_cursor(folder: &Path) -> (u64, Option<u64>) {
    let log = super::Findings::read(folder).log_head().unwrap();
    let cursors = easel_subscriptions::stored_cursors(&folder.join(STATE)).unwrap();
    (log, cursors.first().map(|stored| stored.cursor.get()))
}
