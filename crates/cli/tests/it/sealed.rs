//! The master key: rotated under load, lost, and given by the environment.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use easel_testkit::{Receiver, event};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::easel::{Ran, command, easel};
use crate::running::Running;

/// The rotations under load.
const ROTATIONS: usize = 5;
/// The least number of deliveries between two rotations.
const BETWEEN: usize = 40;

fn start(data: &Path) -> Running {
    Running::start_with(data, &["--auth", "none"], |_command| ())
}

/// Copies the files of a folder. No server may run on it.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Returns a spec whose header shows whether its secret is still there.
fn spec(name: &str, url: &str) -> Value {
    let headers = json!({"x-key": format!("secret-of-{name}")});
    json!({"name": name, "webhook": {"url": format!("{url}?key=1"), "headers": headers}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_key_is_rotated_under_load_and_the_old_one_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, key_file) = (folder.path().join("data"), folder.path().join("data.key"));
    let receiver = Receiver::start().await;
    let running = start(&data);
    let caller = Caller::new(&running);
    for name in ["one", "two"] {
        let created = caller.call(
            Method::POST,
            "/v1/subscriptions",
            Some(spec(name, &receiver.url())),
        );
        assert_eq!(created.await.unwrap().status, StatusCode::CREATED);
    }
    let stop = CancellationToken::new();
    let mut producer = JoinSet::new();
    producer.spawn({
        let (caller, stop) = (caller.clone(), stop.clone());
        async move {
            let mut sent = 0;
            while !stop.is_cancelled() {
                let event = event("grade_change", sent);
                caller
                    .post_events("application/json", event)
                    .await
                    .unwrap()
                    .accepted();
                sent += 1;
            }
            sent
        }
    });
    let data_key_count = || {
        let keys = rusqlite::Connection::open(data.join("keys.db")).unwrap();
        let sql = "SELECT count(*) FROM data_keys";
        keys.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut keys = HashSet::from([fs::read_to_string(&key_file).unwrap()]);
    for number in 1..=ROTATIONS {
        receiver.wait_for(number * BETWEEN).await;
        let rotated = running.easel(&["keys", "rotate-master"]);
        assert_eq!(rotated.code, Some(0), "{rotated}");
        // A change of a subscription is sealed with the new key.
        let change = json!({"in_flight": number});
        let changed = caller.call(Method::PATCH, "/v1/subscriptions/one", Some(change));
        assert_eq!(changed.await.unwrap().status, StatusCode::OK);
        assert!(keys.insert(fs::read_to_string(&key_file).unwrap()));
        assert_eq!(data_key_count(), 1);
    }
    receiver.wait_for((ROTATIONS + 1) * BETWEEN).await;
    // The old keys are gone; only the last one is in the file. A restart needs no other.
    running.kill();
    stop.cancel();
    drop(producer);
    let current = fs::read_to_string(&key_file).unwrap();
    for old in keys.iter().filter(|key| **key != current) {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data", "data"];
        let refused = command(folder.path(), &serve)
            .env("EASEL_KEYS__MASTER_KEY", old.trim())
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    }
    let running = start(&data);
    let caller = Caller::new(&running);
    let before = receiver.count();
    let sent = caller
        .post_events("application/json", event("grade_change", 1 << 40))
        .await;
    sent.unwrap().accepted();
    for name in ["one", "two"] {
        let balance = caller.settled(name).await;
        assert_eq!((balance.dead, balance.expired), (0, 0), "{balance:?}");
        assert_eq!(balance.delivered, balance.accepted);
    }
    assert!(receiver.count() > before);
    for request in receiver.received() {
        let wanted = format!("secret-of-{}", request.header("easel-subscription"));
        assert_eq!(request.header("x-key"), wanted);
        assert_eq!(request.uri.query(), Some("key=1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_without_the_key_is_unreadable_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [data, copy] = ["data", "copy"].map(|name| folder.path().join(name));
    let receiver = Receiver::start().await;
    let running = start(&data);
    let caller = Caller::new(&running);
    let created = caller.call(
        Method::POST,
        "/v1/subscriptions",
        Some(spec("one", &receiver.url())),
    );
    assert_eq!(created.await.unwrap().status, StatusCode::CREATED);
    running.terminate();
    assert!(running.ended().0.success());
    copy_folder(&data, &copy);
    for entry in fs::read_dir(&copy).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(13).any(|window| window == b"secret-of-one"));
    }
    let refused = easel(
        folder.path(),
        &["serve", "--listen", "127.0.0.1:0", "--data", "copy"],
    );
    assert_eq!(refused.code, Some(78), "{refused}");
    let wanted = "copy.key does not exist; put the file back, or set keys.master_key_file or \
                  EASEL_KEYS__MASTER_KEY";
    assert!(refused.stderr.contains(wanted), "{refused}");
    assert!(!folder.path().join("copy.key").exists());

    // With another key, both ids are named.
    let other = command(
        folder.path(),
        &["serve", "--listen", "127.0.0.1:0", "--data", "copy"],
    )
    .env("EASEL_KEYS__MASTER_KEY", "A".repeat(43) + "=")
    .output()
    .unwrap();
    let stderr = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(78), "{stderr}");
    assert!(stderr.contains("but the current key is"), "{stderr}");

    // With the right key, everything works.
    fs::copy(
        folder.path().join("data.key"),
        folder.path().join("copy.key"),
    )
    .unwrap();
    let running = start(&copy);
    let caller = Caller::new(&running);
    caller
        .post_events("application/json", event("grade_change", 1))
        .await
        .unwrap()
        .accepted();
    assert_eq!(caller.settled("one").await.delivered, 1);
    assert_eq!(receiver.received()[0].header("x-key"), "secret-of-one");
}

#[test]
fn the_master_key_of_a_stopped_server_is_rotated_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let running = start(&data);
    running.terminate();
    assert!(running.ended().0.success());
    let before = fs::read(folder.path().join("data.key")).unwrap();
    let rotated = easel(folder.path(), &["keys", "rotate-master", "--data", "data"]);
    assert_eq!(rotated.code, Some(0), "{rotated}");
    assert_ne!(fs::read(folder.path().join("data.key")).unwrap(), before);
    drop(start(&data));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_loss_of_the_key_everything_but_the_secrets_goes_on() {
    let reset = [
        "keys",
        "reset",
        "--data",
        "data",
        "--lost-key",
        "0123456789abcdef",
    ];
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let receiver = Receiver::start().await;
    let running = start(&data);
    let caller = Caller::new(&running);
    let subscribed = spec("one", &receiver.url());
    let created = caller.call(Method::POST, "/v1/subscriptions", Some(subscribed));
    assert_eq!(created.await.unwrap().status, StatusCode::CREATED);
    caller.subscribe("plain", "", &receiver.url()).await;
    let refused = easel(folder.path(), &reset);
    assert!(
        refused.stderr.contains("another server runs on it"),
        "{refused}"
    );
    running.terminate();
    assert!(running.ended().0.success());
    let refused = easel(folder.path(), &reset);
    assert_eq!(refused.code, Some(78), "{refused}");
    assert!(refused.stderr.contains("no secret is lost"), "{refused}");

    fs::remove_file(folder.path().join("data.key")).unwrap();
    let wrong_id = easel(folder.path(), &reset);
    assert!(
        wrong_id.stderr.contains("name the id of the lost key"),
        "{wrong_id}"
    );
    let id = wrong_id.stderr.split('"').nth(1).unwrap().to_owned();
    let reset = ["keys", "reset", "--data", "data", "--lost-key", &id];
    let mut key_in_folder = command(folder.path(), &reset);
    key_in_folder.env("EASEL_KEYS__MASTER_KEY_FILE", "data/new.key");
    let refused = Ran::new(&key_in_folder.output().unwrap());
    assert_eq!(refused.code, Some(78), "{refused}");
    assert!(!data.join("new.key").exists());
    let reset = easel(folder.path(), &reset);
    assert_eq!(reset.code, Some(0), "{reset}");
    assert!(
        reset.stderr.contains("set their secrets again: one"),
        "{reset}"
    );
    let running = start(&data);
    let caller = Caller::new(&running);
    let event = event("grade_change", 1);
    let sent = caller.post_events("application/json", event).await;
    sent.unwrap().accepted();
    assert_eq!(caller.settled("plain").await.delivered, 1);
    let resume = "/v1/subscriptions/one/resume";
    let too_early = caller.call(Method::POST, resume, None).await.unwrap();
    assert_eq!(
        too_early.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{too_early:?}"
    );
    let webhook = subscribed_webhook("one", &receiver.url());
    let set = caller.call(Method::PATCH, "/v1/subscriptions/one", Some(webhook));
    assert_eq!(set.await.unwrap().status, StatusCode::OK);
    let resumed = caller.call(Method::POST, resume, None).await.unwrap();
    assert_eq!(resumed.status, StatusCode::OK, "{resumed:?}");
    assert_eq!(caller.settled("one").await.delivered, 1);
    let last = receiver.received().pop().unwrap();
    assert_eq!(last.header("x-key"), "secret-of-one");
}

/// Returns a change that sets the webhook of [`spec`].
fn subscribed_webhook(name: &str, url: &str) -> Value {
    json!({"webhook": spec(name, url)["webhook"]})
}
