//! Subscriptions with one name and several reaches.

use super::{append, full_name, grades, log, open};
use crate::{ChangeError, Declaration, Origin, ReplaySpec, State, Subscriptions};
use easel_catalog::Reach;
use easel_log::Offset;

fn declaration(reach: &str) -> Declaration {
    Declaration {
        reach: reach.parse().unwrap(),
        spec: grades(),
    }
}

fn names(subscriptions: &Subscriptions) -> Vec<String> {
    let all = subscriptions.list().into_iter();
    all.map(|found| found.full_name().to_string()).collect()
}

#[tokio::test]
async fn a_name_is_unique_within_a_reach_and_a_change_affects_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let log = log();
    let subscriptions = open(folder.path(), &log).await;
    for reach in ["*", "root_account:8", "root_account:7"] {
        let reach: Reach = reach.parse().unwrap();
        let made = subscriptions.create(reach.clone(), grades()).await.unwrap();
        assert_eq!(made.reach, reach);
        let again = subscriptions.create(reach, grades()).await;
        assert!(matches!(again, Err(ChangeError::NameTaken { .. })));
    }
    assert_eq!(names(&subscriptions), ["grades", "grades@7", "grades@8"]);

    let seven = full_name("grades@7");
    let paused = subscriptions.pause(&seven).await.unwrap();
    assert_eq!(paused.reach, seven.reach);
    append(&log, 1).await;
    let range = ReplaySpec::of_range(Offset::ZERO, Offset::new(1));
    subscriptions.start_replay(&seven, range).await.unwrap();
    for (name, state, replays) in [
        ("grades", State::Active, 0),
        ("grades@7", State::Paused { reason: None }, 1),
        ("grades@8", State::Active, 0),
    ] {
        let found = subscriptions.get(&full_name(name)).unwrap();
        assert_eq!(found.state, state, "{name}");
        assert_eq!(subscriptions.replays(&found).len(), replays, "{name}");
    }
    subscriptions.remove(&full_name("grades")).await.unwrap();
    drop(subscriptions);
    let subscriptions = open(folder.path(), &log).await;
    assert_eq!(names(&subscriptions), ["grades@7", "grades@8"]);
    let unknown = subscriptions.get(&full_name("grades")).unwrap_err();
    let text = unknown.to_string();
    assert_eq!(text, "subscription \"grades\" does not exist");
    let elsewhere = subscriptions.get(&full_name("grades@9")).unwrap_err();
    assert_eq!(elsewhere.to_string(), text);

    // A plain name is enough for a caller for everything if only one subscription has the name.
    let meant = |reach: &str, text| {
        let meant = subscriptions.full_name(&reach.parse().unwrap(), text);
        meant.unwrap().to_string()
    };
    assert_eq!(meant("*", "grades"), "grades");
    subscriptions.remove(&full_name("grades@8")).await.unwrap();
    assert_eq!(meant("*", "grades"), "grades@7");
    assert_eq!(meant("root_account:9", "grades"), "grades@9");
}

#[tokio::test]
async fn another_reach_in_the_file_declares_another_subscription() {
    let folder = tempfile::tempdir().unwrap();
    let subscriptions = open(folder.path(), &log()).await;
    let both = vec![declaration("*"), declaration("root_account:7")];
    subscriptions.declare(both).await.unwrap();
    assert_eq!(names(&subscriptions), ["grades", "grades@7"]);

    let moved = vec![declaration("*"), declaration("root_account:abc")];
    subscriptions.declare(moved).await.unwrap();
    assert_eq!(names(&subscriptions), ["grades", "grades@7", "grades@abc"]);
    for (name, state) in [
        ("grades", State::Active),
        ("grades@7", State::UNDECLARED),
        ("grades@abc", State::Active),
    ] {
        let found = subscriptions.get(&full_name(name)).unwrap();
        assert_eq!(
            (found.origin, &found.state),
            (Origin::File, &state),
            "{name}"
        );
    }
}
