//! `easel config check`: what is in force, and what is wrong.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::easel::{Ran, check, command, easel};

fn check_file(folder: &Path, text: &str) -> Ran {
    fs::write(folder.join("easel.toml"), text).unwrap();
    easel(folder, &["config", "check"])
}

#[test]
fn every_setting_says_where_it_comes_from() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["config", "check"]), @r"
        exit 0
        --- stdout
        SETTING                     VALUE                      FROM
        listen                      127.0.0.1:4567             default
        data                        easel-data                 default
        auth                        tokens                     default
        drain                       20s                        default
        catalog.folder              off                        default
        caliper.application         http://www.canvaslms.com/  default
        caliper.secrets             masked                     default
        triggers.shard              0                          default
        triggers.nulls              dropped                    default
        triggers.submission_rule    newest                     default
        log.max_age                 30d                        default
        log.max_bytes               off                        default
        log.duplicate_window        1000000                    default
        quarantine.max_bytes        1GiB                       default
        ingest.max_event_bytes      1MiB                       default
        ingest.max_request_bytes    16MiB                      default
        ingest.max_in_flight_bytes  128MiB                     default
        ingest.hold                 20s                        default
        kinesis.stream              live-events                default
        webhook.ca_file             off                        default
        kinesis.keys                none                       default
        caliper.roles               none                       default
        subscriptions               none                       default
        --- stderr
        ");
    let text = "
listen = \"0.0.0.0:4567\"
drain = \"90s\"

[log]
max_age = \"14d\"
max_bytes = 20_000_000_000

[[kinesis.keys]]
access_key_id = \"canvas\"
secret_access_key = \"hush\"

[[subscriptions]]
name = \"grades\"
events = [\"grade_*\"]
webhook = { url = \"https://grades.example/hook\" }
";
    fs::write(folder.path().join("other.toml"), text).unwrap();
    let args = [
        "config",
        "check",
        "--config",
        "other.toml",
        "--data",
        "elsewhere",
    ];
    let output = command(folder.path(), &args)
        .env("EASEL_DRAIN", "45s")
        .output()
        .unwrap();
    check!(Ran::of(&output), @r"
        exit 0
        --- stdout
        SETTING                     VALUE                      FROM
        listen                      0.0.0.0:4567               other.toml:2:10
        data                        elsewhere                  --data
        auth                        tokens                     default
        drain                       45s                        EASEL_DRAIN
        catalog.folder              off                        default
        caliper.application         http://www.canvaslms.com/  default
        caliper.secrets             masked                     default
        triggers.shard              0                          default
        triggers.nulls              dropped                    default
        triggers.submission_rule    newest                     default
        log.max_age                 14d                        other.toml:6:11
        log.max_bytes               20GB                       other.toml:7:13
        log.duplicate_window        1000000                    default
        quarantine.max_bytes        1GiB                       default
        ingest.max_event_bytes      1MiB                       default
        ingest.max_request_bytes    16MiB                      default
        ingest.max_in_flight_bytes  128MiB                     default
        ingest.hold                 20s                        default
        kinesis.stream              live-events                default
        webhook.ca_file             off                        default
        kinesis.keys                canvas (secret hidden)     other.toml:9:11
        caliper.roles               none                       default
        subscriptions               grades                     other.toml:13:1
        --- stderr
        ");
}

#[test]
fn settings_are_json_when_asked_for() {
    let folder = tempdir().unwrap();
    let stdout = easel(folder.path(), &["config", "check", "--json"]).stdout();
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let listen = &json["settings"][0];
    assert_eq!(
        listen,
        &serde_json::json!({ "key": "listen", "value": "127.0.0.1:4567", "origin": "default" })
    );
}

#[test]
fn a_bad_file_is_explained_with_line_and_column() {
    let folder = tempdir().unwrap();
    check!(check_file(folder.path(), "listen = \"127.0.0.1:4567\n"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:25: invalid basic string, expected `"`
        "#);
    check!(check_file(folder.path(), "[log]\nmax_agee = \"1d\"\n"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:1: unknown key "log.max_agee"; did you mean "log.max_age"?
        "#);
    check!(check_file(folder.path(), "[ingest]\n  hold = \"soon\"\n"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:10: ingest.hold must be a length of time such as "30s" or "2h", not "soon"
        "#);
    let text = "[[subscriptions]]\nname = \"grades\"\nwebhok = { url = \"http://a\" }\n";
    check!(check_file(folder.path(), text), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:3:1: unknown key "webhok"; did you mean "webhook"?
        "#);
    let text = "[[subscriptions]]\nname = \"Grades\"\nwebhook = { url = \"http://a\" }\n";
    check!(check_file(folder.path(), text), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:8: a name is 1 to 64 of a-z, 0-9, `-`, `_` and `.`, and starts with a letter or digit; "Grades" is not
        "#);
}

#[test]
fn what_serve_refuses_does_not_pass() {
    let folder = tempdir().unwrap();
    let text = "auth = \"none\"\nlisten = \"0.0.0.0:4567\"\n";
    check!(check_file(folder.path(), text), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:10: failed to listen on 0.0.0.0:4567: without tokens that is allowed on a loopback address only
        ");
    let one = "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://a/\"\n\n";
    check!(check_file(folder.path(), &[one, one].concat()), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:5:1: failed to declare subscription grades: there is another one of that name
        ");
    let text = one.replace("grades", "other").replace("http:", "gopher:");
    check!(check_file(folder.path(), &[one, &text].concat()), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:5:1: failed to declare subscription other: read the URL: it is neither http nor https
        ");
    let text = one.replace("webhook.url", "webhook.batch = 4\nwebhook.url");
    check!(check_file(folder.path(), &text), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:1: failed to declare subscription grades: batch is for Caliper formats; a Canvas event is sent alone
        ");
    let text = "[[caliper.roles]]\ncanvas = \"Tutor\"\nsegment = \"T T\"\nroles = [\"Learner\"]\n";
    check!(check_file(folder.path(), text), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:11: failed to prepare the translation: the Caliper role of "Tutor": the segment "T T" is not letters, digits, and _ . - alone
        "#);
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    let bell = "meaning = \"A bell.\"\ntrigger = \"It rings.\"\nrecord = \"Bell\"\n\n[body]\n\
                tone = { type = \"string\", from = \"@tone\", about = \"Its tone.\", example = \"a\" }\n";
    fs::write(own.join("bell_rang.toml"), bell).unwrap();
    check!(check_file(folder.path(), "[catalog]\nfolder = \"own\"\n"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:10: failed to prepare the triggers: bell_rang: `tone` is made by the rule @tone, which there is not
        "#);
    check!(check_file(folder.path(), "[caliper]\napplication = \"urn:lms\"\n"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:15: caliper.application must be an address such as "http://lms.example.edu/", not "urn:lms"
        "#);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["config", "check", "--config", "missing.toml"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to read missing.toml: No such file or directory (os error 2)
        ");
}

#[test]
fn a_bad_variable_is_named() {
    let folder = tempdir().unwrap();
    let check_variable = |name: &str, value: &str| {
        let output = command(folder.path(), &["config", "check"])
            .env(name, value)
            .output();
        Ran::of(&output.unwrap())
    };
    check!(check_variable("EASEL_LISTN", "127.0.0.1:1"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: EASEL_LISTN: unknown variable; did you mean "EASEL_LISTEN"?
        "#);
    check!(check_variable("EASEL_INGEST__MAX_EVENT_BYTES", "huge"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: EASEL_INGEST__MAX_EVENT_BYTES: ingest.max_event_bytes must be a size such as 16777216 or "16MiB", not "huge"
        "#);
}

#[test]
fn bad_settings_stop_every_command_that_needs_them() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("easel.toml"), "lisen = 1").unwrap();
    for args in [&["serve"][..], &["tail"], &["balance"]] {
        assert_eq!(easel(folder.path(), args).code, Some(78), "{args:?}");
    }
}
