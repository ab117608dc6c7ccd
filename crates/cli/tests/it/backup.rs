//! Tests of backups of a running server and of a restored data folder.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use easel_testkit::{Receiver, event};
use tempfile::tempdir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::easel::{check, easel};
use crate::running::Running;

/// The number of clients. Each sends one event per request.
const CLIENTS: u64 = 4;

/// The minimum number of events acknowledged before the first backup, and after the second.
const MIN_BEFORE: usize = 1_500;
const MIN_AFTER: usize = 500;

/// The maximum number of deliveries that are not saved in the store yet.
const MAX_UNSAVED: usize = 1_000;

fn start(data: &Path) -> Running {
    Running::start_with(data, &["--auth", "none"], |_command| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_every_event_acknowledged_before_its_start() {
    let folder = tempdir().unwrap();
    let [data, copy, restored] = ["data", "copy", "restored"].map(|name| folder.path().join(name));
    let receiver = Receiver::start().await;
    let running = start(&data);
    let caller = Caller::new(&running);
    caller.subscribe("every", "", &receiver.url()).await;

    let (acknowledge, mut acknowledged) = mpsc::channel(100);
    let stop = CancellationToken::new();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (caller, acknowledge, stop) = (caller.clone(), acknowledge.clone(), stop.clone());
        clients.spawn(async move {
            for number in (client..).step_by(usize::try_from(CLIENTS).unwrap()) {
                if stop.is_cancelled() {
                    return;
                }
                let event = event("grade_change", number);
                let answer = caller.post_events("application/json", event).await;
                let offset = answer.unwrap().accepted()[0];
                acknowledge.send((number, offset)).await.unwrap();
            }
        });
    }
    drop(acknowledge);
    let mut all = HashMap::new();
    let mut next = async || {
        let (number, offset) = acknowledged.recv().await.unwrap();
        (event("grade_change", number), offset)
    };
    while all.len() < MIN_BEFORE {
        all.extend([next().await]);
    }
    let before = all.clone();
    let received_before = receiver.count();
    // The second backup replaces the first.
    for result in ["created", "replaced"] {
        let (working, target) = (folder.path().to_owned(), copy.clone());
        let args = ["backup", "--data", "data", target.to_str().unwrap()].map(str::to_owned);
        let backup = tokio::task::spawn_blocking(move || {
            easel(&working, &args.each_ref().map(String::as_str))
        });
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let (ran, ()) = tokio::join!(
            async {
                let ran = backup.await.unwrap();
                drop(guard);
                ran
            },
            async {
                while let Some(more) = ended.run_until_cancelled(next()).await {
                    all.extend([more]);
                }
            }
        );
        assert!(ran.stderr.contains(result), "{ran}");
        ran.stdout();
    }
    let enough = all.len() + MIN_AFTER;
    while all.len() < enough {
        all.extend([next().await]);
    }
    stop.cancel();
    while let Some((number, offset)) = acknowledged.recv().await {
        all.insert(event("grade_change", number), offset);
    }
    clients.join_all().await;
    let balance = caller.settled("every").await;
    assert_eq!(balance.delivered, u64::try_from(all.len()).unwrap());
    running.kill();
    let received = receiver.received();
    assert_eq!(received.len(), all.len());

    let target = restored.to_str().unwrap();
    easel(
        folder.path(),
        &["restore", "--data", target, copy.to_str().unwrap()],
    )
    .stdout();
    let key = |name: &str| folder.path().join(format!("{name}.key"));
    fs::copy(key("data"), key("restored")).unwrap();
    let running = start(&restored);
    let caller = Caller::new(&running);
    let log = caller.log().await;
    let stored: HashMap<_, _> = log
        .iter()
        .map(|shown| (shown.bytes(), shown.offset))
        .collect();
    for (event, offset) in &before {
        let found = stored.get(&**event);
        assert_eq!(found, Some(offset), "an acknowledged event is missing");
    }
    for (event, offset) in &stored {
        assert_eq!(all.get(*event), Some(offset), "an event was never sent");
    }
    let balance = caller.settled("every").await;
    let stored_count = u64::try_from(stored.len()).unwrap();
    assert_eq!(
        (balance.accepted, balance.delivered),
        (stored_count, stored_count)
    );

    // The restored server repeats the deliveries after the start of the backup, and the few earlier
    // deliveries that were not saved yet.
    let again = receiver.received().split_off(received.len());
    let early: HashSet<_> = received[..received_before]
        .iter()
        .map(|request| &request.body)
        .collect();
    let too_early = again
        .iter()
        .filter(|request| early.contains(&request.body))
        .count();
    assert!(too_early <= MAX_UNSAVED, "{too_early} repeated");
    assert!(
        again.len() <= all.len() - before.len() + MAX_UNSAVED,
        "{}",
        again.len()
    );
}

#[test]
fn a_backup_lists_its_files_and_overwrites_no_other_folder() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    running.easel(&["emit", "course_created"]).stdout();
    check!(running.easel(&["backup", "copy", "--json"]), @r#"
        exit 0
        --- stdout
        {"files":[{"name":"sources.db","bytes":40960},{"name":"quarantine.db","bytes":20480},{"name":"access.db","bytes":36864},{"name":"keys.db","bytes":28672},{"name":"state.db","bytes":81920},{"name":"audit.db","bytes":28672},{"name":"audit.head","bytes":304},{"name":"drift.db","bytes":16384},{"name":"log.db","bytes":20480}],"head":1,"replaced":false}
        --- stderr
        the backup needs the master key, which it does not contain; keep a copy of [folder]/data.key in another place
        "#);
    let again = running.easel(&["backup", "copy"]);
    assert_eq!(again.stdout.lines().count(), 10, "{again}");
    assert!(
        again
            .stderr
            .contains("backup copy replaced; its log ends at offset 1"),
        "{again}"
    );
    check!(running.easel(&["backup", "data"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: failed to write to [folder]/data: it is a data folder that a server has used
        ");
    check!(running.easel(&["restore", "copy"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to use data folder [folder]/data: another server runs on it (process [pid])
        ");
    let easel = |args: &[&str]| easel(folder.path(), args);
    check!(easel(&["restore", "data", "--data", "new"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to restore from data: it is the data folder of a running server; make a backup of it with `easel backup`, and restore that
        ");
    check!(easel(&["restore", "missing", "--data", "new"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to copy missing: it has no manifest.json, so it is neither a data folder that this version of Easel has served nor a backup
        ");
    check!(easel(&["backup", "--data", "missing", "new"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to copy missing: it has no manifest.json, so it is neither a data folder that this version of Easel has served nor a backup
        ");
    assert!(!folder.path().join("new").exists());
    fs::create_dir(folder.path().join("occupied")).unwrap();
    fs::write(folder.path().join("occupied/letter.txt"), "Dear Ola").unwrap();
    check!(easel(&["restore", "copy", "--data", "occupied"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: failed to write to occupied: the data folder must be empty, but it has letter.txt
        ");
    let restored = easel(&["restore", "copy", "--data", "new"]);
    assert!(
        restored.stderr.contains("data folder new restored"),
        "{restored}"
    );
    let advice = "the server needs the master key of the backup; put it into new.key\n";
    assert!(restored.stderr.ends_with(advice), "{restored}");
}
