//! Creating, storing, finding and removing tokens.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;

use super::*;
use crate::{Scope, TokenLimits};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open(folder: &tempfile::TempDir) -> Tokens {
    Tokens::open(&folder.path().join("access.db")).unwrap()
}

/// Returns tokens whose clock shows the second of the number.
fn open_with_clock(folder: &tempfile::TempDir) -> (Tokens, Arc<AtomicI64>) {
    let second = Arc::new(AtomicI64::new(0));
    let read = Arc::clone(&second);
    let now = Arc::new(move || at(read.load(Ordering::SeqCst)));
    (open(folder).with_clock(now), second)
}

fn found(tokens: &Tokens, secret: &Secret<String>) -> FoundToken {
    tokens.find(&hash_of(secret.expose()))
}

/// Returns the id of the token if the secret is valid.
fn valid_id(tokens: &Tokens, secret: &Secret<String>) -> Option<String> {
    match found(tokens, secret) {
        FoundToken::Valid(entry) => Some(entry.token.id),
        FoundToken::Unknown | FoundToken::Expired { .. } => None,
    }
}

fn caller(secret: &Secret<String>) -> Caller {
    Caller {
        validity: Validity::Secret(hash_of(secret.expose())),
        ..Caller::local(None)
    }
}

fn account(id: &str) -> Reach {
    Reach::RootAccount(id.parse().unwrap())
}

/// Settings in which nothing is a default.
fn full_settings() -> TokenSettings {
    TokenSettings {
        name: "vendor".to_owned(),
        scopes: Scopes::ALL,
        reach: account("7"),
        expires_at: Some(at(100)),
        limits: TokenLimits {
            max_requests_per_second: NonZeroU32::new(5),
            max_bytes_per_second: NonZeroU64::new(1 << 40),
        },
    }
}

#[test]
fn all_settings_and_the_last_use_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, clock) = open_with_clock(&folder);
    let (token, secret) = tokens.create_with(full_settings(), at(1)).unwrap();
    clock.store(50, Ordering::SeqCst);
    assert!(valid_id(&tokens, &secret).is_some());
    let unsaved = open(&folder).list(&Reach::Everything);
    assert_eq!(unsaved[0].last_used_at, None);

    tokens.save_last_uses().unwrap();
    let wanted = Token {
        last_used_at: Some(at(50)),
        ..token
    };
    assert_eq!(open(&folder).list(&Reach::Everything), [wanted]);
}

#[test]
fn an_expired_token_is_refused_until_its_expiry_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, clock) = open_with_clock(&folder);
    let (token, secret) = tokens.create_with(full_settings(), at(1)).unwrap();
    clock.store(99, Ordering::SeqCst);
    assert_eq!(valid_id(&tokens, &secret), Some(token.id.clone()));
    clock.store(100, Ordering::SeqCst);
    assert!(matches!(
        found(&tokens, &secret),
        FoundToken::Expired { token_id } if token_id == token.id
    ));
    let change = TokenChange {
        expires_at: crate::Amendment::Remove,
        name: Some("new".to_owned()),
        ..TokenChange::default()
    };
    let changed = tokens.change(&token.id, &account("7"), change).unwrap();
    let changed = changed.unwrap();
    assert_eq!(
        (&*changed.settings.name, changed.settings.expires_at),
        ("new", None)
    );
    assert_eq!(valid_id(&tokens, &secret), Some(token.id));
    assert_eq!(changed.settings.limits, full_settings().limits);
    let reopened = open(&folder).list(&Reach::Everything);
    assert_eq!(reopened[0].settings, changed.settings);
}

#[test]
fn after_a_rotation_the_old_secret_works_until_the_overlap_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, clock) = open_with_clock(&folder);
    let (token, old) = tokens.create("canvas", Scopes::ALL, at(0)).unwrap();
    let rotate = |tokens: &Tokens, seconds| {
        let overlap = Duration::from_secs(seconds);
        tokens
            .rotate(&token.id, &Reach::Everything, overlap)
            .unwrap()
            .unwrap()
    };
    let (rotated, new) = rotate(&tokens, 10);
    assert_eq!(rotated.overlap_ends_at, Some(at(10)));
    assert_ne!(old.expose(), new.expose());
    clock.store(9, Ordering::SeqCst);
    for secret in [&old, &new] {
        assert_eq!(valid_id(&tokens, secret), Some(token.id.clone()));
        assert_eq!(
            valid_id(&open_with_clock(&folder).0, secret),
            Some(token.id.clone())
        );
    }
    // A second rotation never gives the oldest secret more time.
    let (rotated, newest) = rotate(&tokens, 100);
    assert_eq!(rotated.overlap_ends_at, Some(at(109)));
    clock.store(10, Ordering::SeqCst);
    assert!(matches!(found(&tokens, &old), FoundToken::Expired { .. }));
    assert!(valid_id(&tokens, &new).is_some());

    let (rotated, last) = rotate(&tokens, 0);
    assert_eq!(rotated.overlap_ends_at, None);
    for secret in [&old, &new, &newest] {
        assert!(matches!(found(&tokens, secret), FoundToken::Expired { .. }));
    }
    assert_eq!(valid_id(&tokens, &last), Some(token.id.clone()));
    // Hashes of replaced secrets are forgotten after a month.
    clock.store(40 * 24 * 3600, Ordering::SeqCst);
    rotate(&tokens, 0);
    assert!(matches!(found(&tokens, &old), FoundToken::Unknown));
}

#[test]
fn a_token_cannot_have_any_number_of_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, _clock) = open_with_clock(&folder);
    let (token, secret) = tokens.create("canvas", Scopes::ALL, at(0)).unwrap();
    let rotate = |seconds| {
        let overlap = Duration::from_secs(seconds);
        tokens.rotate(&token.id, &Reach::Everything, overlap)
    };
    for _ in 1..MAX_SECRETS {
        rotate(10).unwrap();
    }
    let error = rotate(10).unwrap_err();
    assert!(
        matches!(error, TokensError::TooManySecrets { .. }),
        "{error}"
    );
    assert_eq!(valid_id(&tokens, &secret), Some(token.id.clone()));
    rotate(0).unwrap();
}

#[test]
fn a_confined_caller_sees_and_changes_only_tokens_of_its_own_reach() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (own, _secret) = tokens.create_with(full_settings(), at(1)).unwrap();
    let (foreign, _secret) = tokens.create("all", Scopes::ALL, at(2)).unwrap();
    let seen = tokens.list(&account("7"));
    assert_eq!(seen, std::slice::from_ref(&own));
    assert!(tokens.list(&account("8")).is_empty());
    let ids = [foreign.id.as_str(), "nothing"];
    for id in ids {
        let change = TokenChange::default();
        assert_eq!(tokens.change(id, &account("7"), change).unwrap(), None);
        assert!(
            tokens
                .rotate(id, &account("7"), Duration::ZERO)
                .unwrap()
                .is_none()
        );
        assert!(!tokens.remove(id, &account("7")).unwrap());
    }
    assert!(tokens.remove(&own.id, &account("7")).unwrap());
    assert_eq!(tokens.list(&Reach::Everything), [foreign]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_token_expires_or_its_secret_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let start = tokio::time::Instant::now();
    let now = Arc::new(move || at(i64::try_from(start.elapsed().as_secs()).unwrap()));
    let tokens = open(&folder).with_clock(now);
    let (_token, secret) = tokens.create_with(full_settings(), at(0)).unwrap();
    tokens.wait_for_end(&caller(&secret)).await;
    assert_eq!(start.elapsed().as_secs(), 100);

    let (token, secret) = tokens.create("canvas", Scopes::ALL, at(0)).unwrap();
    let rotate = || {
        let overlap = Duration::from_secs(50);
        tokens
            .rotate(&token.id, &Reach::Everything, overlap)
            .unwrap()
            .unwrap()
    };
    let (_, new) = rotate();
    tokens.wait_for_end(&caller(&secret)).await;
    assert_eq!(start.elapsed().as_secs(), 150);
    assert!(tokens.wait_for_end(&caller(&new)).now_or_never().is_none());

    let until = Caller {
        validity: Validity::Until(at(300)),
        ..Caller::local(None)
    };
    tokens.wait_for_end(&until).await;
    assert_eq!(start.elapsed().as_secs(), 300);
}

#[test]
fn a_file_of_format_2_is_migrated_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/access-v2.db");
    std::fs::copy(golden, &path).unwrap();

    let tokens = Tokens::open(&path).unwrap();
    let listed = tokens.list(&Reach::Everything);
    let shown = |token: &Token| format!("{} {}", token.settings.name, token.settings.scopes);
    let shown: Vec<_> = listed.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "first ingest read manage",
            "canvas ingest",
            "dashboards read manage"
        ]
    );
    for token in &listed {
        let plain = TokenSettings::new(&token.settings.name, token.settings.scopes);
        assert_eq!(token.settings, plain);
    }
    let secret = Secret::new("easel_AFy7tKlZnQDOgrwYYV8cny5ziUhqjBM1cEbQ_Mh5aq0".to_owned());
    assert_eq!(valid_id(&tokens, &secret).as_deref(), Some("SiiOqiegPxjX"));
    drop(tokens);
    let inspection = easel_sqlite::inspect(&path, &ACCESS_LAYOUT)
        .unwrap()
        .unwrap();
    assert_eq!(inspection.format, 3);
}

#[test]
fn tokens_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let scopes = [Scope::Ingest, Scope::Read].into_iter().collect();
    let (token, secret) = open(&folder).create("canvas", scopes, at(1)).unwrap();

    let reopened = open(&folder);
    let listed = reopened.list(&Reach::Everything);
    assert_eq!(listed, std::slice::from_ref(&token));
    assert_eq!(valid_id(&reopened, &secret), Some(token.id));
}

#[test]
fn a_removed_token_is_gone_from_memory_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (token, secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();

    assert!(tokens.remove(&token.id, &Reach::Everything).unwrap());
    assert!(matches!(found(&tokens, &secret), FoundToken::Unknown));
    assert!(!tokens.remove(&token.id, &Reach::Everything).unwrap());
    assert!(open(&folder).is_empty());
}

#[tokio::test]
async fn waiting_for_the_end_ends_only_when_that_token_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (_stays, stays) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();
    let (goes, secret) = tokens.create("reader", Scopes::ALL, at(2)).unwrap();
    let (stays, leaves) = (caller(&stays), caller(&secret));
    assert!(tokens.wait_for_end(&stays).now_or_never().is_none());
    assert!(tokens.wait_for_end(&leaves).now_or_never().is_none());

    let (removed, ()) = tokio::join!(
        async { tokens.remove(&goes.id, &Reach::Everything) },
        tokens.wait_for_end(&leaves)
    );
    assert!(removed.unwrap());
    tokens.wait_for_end(&leaves).await;
    assert!(tokens.wait_for_end(&stays).now_or_never().is_none());
}

#[test]
fn tokens_are_listed_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    for (name, second) in [("second", 20), ("first", 10), ("third", 30)] {
        tokens.create(name, Scopes::ALL, at(second)).unwrap();
    }
    let names: Vec<String> = tokens
        .list(&Reach::Everything)
        .into_iter()
        .map(|token| token.settings.name)
        .collect();
    assert_eq!(names, ["first", "second", "third"]);
}

#[test]
fn no_file_contains_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (_token, secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();
    let encoded = secret.expose().strip_prefix("easel_").unwrap().as_bytes();

    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let mut windows = bytes.windows(encoded.len());
        assert!(!windows.any(|window| window == encoded));
        files += 1;
    }
    assert!(
        files >= 2,
        "the database and its write-ahead log both exist"
    );
}

#[test]
fn a_file_of_a_newer_format_is_rejected_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    drop(open(&folder));
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA user_version = 4; PRAGMA journal_mode = DELETE")
        .unwrap();
    let before = std::fs::read(&path).unwrap();

    let error = Tokens::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            TokensError::Open(easel_sqlite::OpenError::Format { found: 4, .. })
        ),
        "{error}"
    );
    assert!(
        std::fs::read(&path).unwrap() == before,
        "the file was changed"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_no_database_is_rejected_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    let text = "not a database, and longer than the header of SQLite".repeat(40);
    std::fs::write(&path, &text).unwrap();

    let error = Tokens::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            TokensError::Open(easel_sqlite::OpenError::Foreign { .. })
        ),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
