//! Tests of `easel config check`.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::easel::{Ran, check, command, easel};

fn check_file(folder: &Path, text: &str) -> Ran {
    fs::write(folder.join("easel.toml"), text).unwrap();
    easel(folder, &["config", "check"])
}

#[test]
fn a_secret_of_canvas_must_have_its_length_and_its_partner() {
    let folder = tempdir().unwrap();
    let fault = |text: &str| {
        let ran = check_file(folder.path(), &format!("[canvas_service]\n{text}"));
        assert_eq!(ran.code, Some(78), "{ran}");
        assert!(!ran.stderr.contains("planted"), "{ran}");
        ran.stderr
    };
    let good = "encryption_secret = \"astringthatisactually32byteslong\"\n";
    for (text, wanted) in [
        (
            "encryption_secret = \"planted\"".to_owned(),
            "easel.toml:2:21: canvas_service.encryption_secret must be exactly 32 bytes",
        ),
        (
            good.to_owned(),
            "easel.toml:2:21: canvas_service.signing_secret is missing",
        ),
        (
            "signing_secret = \"planted\"".to_owned(),
            "easel.toml:2:18: canvas_service.encryption_secret is missing",
        ),
        (
            format!("{good}signing_secret = \"env:NO_SUCH_VARIABLE\""),
            "easel.toml:3:18: canvas_service.signing_secret: the environment variable \
             NO_SUCH_VARIABLE is not set",
        ),
        (
            "encryption_secret = \"file:short\"\nsigning_secret = \"planted\"".to_owned(),
            "easel.toml:2:21: canvas_service.encryption_secret must have exactly 32 bytes, not 5",
        ),
        (
            format!("{good}signing_secret = \"planted\"\njwks_file = \"short\""),
            "easel.toml:4:13: canvas_service.jwks_file is invalid",
        ),
        (
            "path = \"canvas/\"".to_owned(),
            "easel.toml:2:8: canvas_service.path must be the path in the `app-host`",
        ),
    ] {
        fs::write(folder.path().join("short"), "short\n").unwrap();
        let found = fault(&text);
        assert!(found.contains(wanted), "{text}\n{found}");
    }
    let ran = check_file(
        folder.path(),
        &format!("[canvas_service]\n{good}signing_secret = \"planted\""),
    );
    let shown = ran.stdout();
    assert!(
        !shown.contains("planted") && shown.contains("set (hidden)"),
        "{shown}"
    );
}

#[test]
fn every_setting_is_printed_with_its_origin() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["config", "check"]), @r"
        exit 0
        --- stdout
        SETTING                                   VALUE                      FROM
        listen                                    127.0.0.1:4567             default
        tls.cert                                  off                        default
        tls.key                                   off                        default
        tls.client_ca                             off                        default
        tls.client_certificates                   required                   default
        tls.hsts                                  365d                       default
        metrics.listen                            off                        default
        data                                      easel-data                 default
        auth                                      tokens                     default
        auth.first_token                          off                        default
        oidc.issuer                               off                        default
        oidc.audience                             off                        default
        oidc.jwks_url                             off                        default
        oidc.scopes_claim                         scope                      default
        oidc.ingest                               off                        default
        oidc.read                                 off                        default
        oidc.manage                               off                        default
        oidc.reach_claim                          off                        default
        oidc.everything                           off                        default
        oidc.leeway                               1m                         default
        drain                                     20s                        default
        keys.master_key_file                      off                        default
        keys.master_key                           off                        default
        keys.previous_master_key                  off                        default
        keys.rotate_every                         30d                        default
        keys.issuer                               easel                      default
        catalog.folder                            off                        default
        caliper.application                       http://www.canvaslms.com/  default
        triggers.shard                            0                          default
        triggers.nulls                            dropped                    default
        triggers.submission_rule                  newest                     default
        log.max_age                               30d                        default
        log.max_bytes                             off                        default
        log.duplicate_window                      1000000                    default
        quarantine.max_bytes                      1GiB                       default
        audit.max_age                             400d                       default
        ingest.max_event_bytes                    1MiB                       default
        ingest.max_request_bytes                  16MiB                      default
        ingest.max_in_flight_bytes                128MiB                     default
        ingest.hold                               20s                        default
        delivery.deactivate_after                 3d                         default
        delivery.dead_letter_retention            30d                        default
        kinesis.stream                            live-events                default
        canvas_service.encryption_secret          off                        default
        canvas_service.signing_secret             off                        default
        canvas_service.signing_secret_deprecated  off                        default
        canvas_service.jwks_file                  off                        default
        canvas_service.path                       off                        default
        canvas_service.listen                     off                        default
        webhook.ca_file                           off                        default
        webhook.allow                             off                        default
        webhook.proxy                             off                        default
        reach.job_events                          false                      default
        reach.events_without_root_account         false                      default
        masking.names                             off                        default
        kinesis.keys                              none                       default
        caliper.roles                             none                       default
        sources                                   none                       default
        subscriptions                             none                       default
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
    // Only what is not a default; another test shows all settings.
    let stdout = Ran::new(&output).stdout();
    let changed = stdout.lines().filter(|line| !line.ends_with("default"));
    let changed: Vec<String> = changed
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        changed,
        [
            "SETTING VALUE FROM",
            "listen 0.0.0.0:4567 other.toml:2:10",
            "data elsewhere --data",
            "drain 45s EASEL_DRAIN",
            "log.max_age 14d other.toml:6:11",
            "log.max_bytes 20GB other.toml:7:13",
            "ated",
            "kinesis.keys canvas (secret hidden) other.toml:9:11",
            "subscriptions grades other.toml:13:1",
        ]
    );
}

#[test]
fn settings_are_printed_as_json_with_the_flag() {
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
fn an_invalid_file_is_rejected_with_line_and_column() {
    let folder = tempdir().unwrap();
    check!(check_file(folder.path(), "listen = \"127.0.0.1:4567\n"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:25: the closing quote of a string is missing
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
        error: easel.toml:2:10: ingest.hold must be a length of time of at least 1s such as "20s", not "soon"
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
        error: easel.toml:2:8: name "Grades" is invalid: use 1 to 64 of a-z, 0-9, `-`, `_` and `.`, starting with a letter or digit
        "#);
}

#[test]
fn a_fault_in_delivery_settings_has_its_line_and_column() {
    let folder = tempdir().unwrap();
    let text = "[delivery]\ndeactivate_after = \"30s\"\n\n[[subscriptions]]\nname = \"grades\"\n\
                webhook.url = \"http://a/\"\nretry = [\"5s\", \"8d\"]\norder = \"course\"\n\
                key = \"course_id\"\non_exhausted = \"drop\"\nmax_rate = 0\n";
    check!(check_file(folder.path(), text), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:7:16: `retry`: a pause must be 1s to 7d, not "8d"
        error: easel.toml:8:9: `order` must be "none" or "key", not "course"
        error: easel.toml:9:7: a key must be a field such as `metadata.user_id` or `body.course_id`, not "course_id"
        error: easel.toml:10:16: `on_exhausted` must be "dead_letter", "hold_key" or "hold_lane", not "drop"
        error: easel.toml:11:12: `max_rate` must be 1 to 100000 events a second, not 0
        error: easel.toml:2:20: delivery.deactivate_after must be a length of time from 1m to 3650d such as "3d", not "30s"
        "#);
    let text = "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://a/\"\n\
                retry = \"weekly\"\n";
    check!(check_file(folder.path(), text), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:4:9: retry must be `default`, `hosted`, or a list of pauses such as ["5s", "1m"], not "weekly"
        "#);
}

#[test]
fn settings_that_serve_rejects_do_not_pass_the_check() {
    let folder = tempdir().unwrap();
    let text = "auth = \"none\"\nlisten = \"0.0.0.0:4567\"\n";
    check!(check_file(folder.path(), text), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:10: listen must be a loopback address while auth is "none", not 0.0.0.0:4567
        "#);
    let grades = "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://a/\"\n\n";
    check!(check_file(folder.path(), &[grades, grades].concat()), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:5:1: subscription grades is declared twice
        ");
    let text = grades
        .replace("grades", "other")
        .replace("http:", "gopher:");
    check!(check_file(folder.path(), &[grades, &text].concat()), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:7:15: failed to parse the URL: its scheme must be http or https
        ");
    let text = grades.replace("webhook.url", "webhook.batch = 4\nwebhook.url");
    check!(check_file(folder.path(), &text), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:1: subscription grades: batch requires a Caliper format; a Canvas event is sent alone
        ");
    let text = "[[caliper.roles]]\ncanvas = \"Tutor\"\nsegment = \"T T\"\nroles = [\"Learner\"]\n";
    check!(check_file(folder.path(), text), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:1: the Caliper role of "Tutor": the segment "T T" must be letters, digits, `_`, `.` or `-`
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
        error: own/bell_rang.toml:6:35: bell_rang: `tone` names the computation @tone, which does not exist
        "#);
    check!(check_file(folder.path(), "[caliper]\napplication = \"urn:lms\"\n"), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:2:15: caliper.application must be an address such as "http://lms.example.edu/", not "urn:lms"
        "#);
}

#[test]
fn the_file_of_the_config_flag_must_exist() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["config", "check", "--config", "missing.toml"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to read missing.toml: No such file or directory (os error 2)
        ");
}

#[test]
fn an_invalid_variable_is_reported_by_name() {
    let folder = tempdir().unwrap();
    let check_variable = |name: &str, value: &str| {
        let output = command(folder.path(), &["config", "check"])
            .env(name, value)
            .output();
        Ran::new(&output.unwrap())
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
        error: EASEL_INGEST__MAX_EVENT_BYTES: ingest.max_event_bytes must be a size from 1KiB to 256MiB such as "1MiB", not "huge"
        "#);
}

#[test]
fn invalid_settings_stop_every_command_that_needs_them() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("easel.toml"), "lisen = 1").unwrap();
    for args in [&["serve"][..], &["tail"], &["balance"]] {
        assert_eq!(easel(folder.path(), args).code, Some(78), "{args:?}");
    }
}

/// Checks that `serve` and `config check` reject the settings with the same message.
#[track_caller]
fn check_rejected(folder: &Path, file: &str, variables: &[(&str, &str)], wanted: &str) {
    fs::write(folder.join("easel.toml"), file).unwrap();
    for path in [&["config", "check"][..], &["serve"]] {
        let mut command = command(folder, path);
        let ran = Ran::new(&command.envs(variables.iter().copied()).output().unwrap());
        assert_eq!(ran.code, Some(78), "{path:?}: {ran}");
        assert_eq!(ran.stderr, wanted, "{path:?}");
        assert!(!folder.join("easel-data").exists(), "{path:?}");
    }
}

#[test]
fn serve_and_config_check_reject_settings_with_the_same_messages() {
    let folder = tempdir().unwrap();
    let check = |file: &str, variables: &[(&str, &str)], wanted: &str| {
        check_rejected(folder.path(), file, variables, wanted);
    };
    check(
        "[webhook]\nca_file = \"missing.pem\"\n",
        &[],
        "error: easel.toml:2:11: failed to read certificate authorities from missing.pem: No such \
         file or directory (os error 2)\n",
    );
    fs::write(folder.path().join("empty.pem"), "no certificate").unwrap();
    check(
        "[webhook]\nca_file = \"empty.pem\"\n",
        &[],
        "error: easel.toml:2:11: failed to read certificate authorities from empty.pem: it has no \
         certificate\n",
    );
    check(
        "",
        &[("EASEL_LOG", "=="), ("EASEL_LOG_FORMAT", "xml")],
        "error: EASEL_LOG: the log filter must be like \"debug\" or \
         \"info,easel_deliver=trace\", not \"==\"\n\
         error: EASEL_LOG_FORMAT: the log format must be \"text\" or \"json\", not \"xml\"\n",
    );
    check(
        "[ingest]\nmax_event_bytes = \"32MiB\"\n",
        &[],
        "error: easel.toml:2:19: ingest.max_event_bytes (33554432 bytes) must not be larger than \
         ingest.max_request_bytes (16777216 bytes)\n",
    );
    fs::write(folder.path().join("file"), "").unwrap();
    check(
        "data = \"file\"\n",
        &[],
        "error: easel.toml:1:8: data folder file: it is not a folder\n",
    );
    check(
        "data = \"file/data\"\n",
        &[],
        "error: easel.toml:1:8: data folder file/data: Not a directory (os error 20)\n",
    );
    check(
        "catalog.folder = \"missing\"\n",
        &[],
        "error: easel.toml:1:18: failed to read missing: No such file or directory (os error 2)\n",
    );
    let pair = "[[kinesis.keys]]\naccess_key_id = \"canvas\"\nsecret_access_key = \"hush\"\n";
    check(
        pair,
        &[
            ("EASEL_KINESIS__ACCESS_KEY_ID", "canvas"),
            ("EASEL_KINESIS__SECRET_ACCESS_KEY", "other"),
        ],
        "error: EASEL_KINESIS__ACCESS_KEY_ID: kinesis.keys: the access key id \"canvas\" is given \
         twice\n",
    );
    check(
        &format!("{pair}{pair}"),
        &[],
        "error: easel.toml:4:1: kinesis.keys: the access key id \"canvas\" is given twice\n",
    );
    check(
        "",
        &[
            ("EASEL_KINESIS__ACCESS_KEY_ID", "canvas"),
            ("EASEL_KINESIS__SECRET_ACCESS_KEY", ""),
        ],
        "error: EASEL_KINESIS__SECRET_ACCESS_KEY: the value must not be empty\n",
    );
}

#[test]
fn faults_of_all_kinds_are_reported_in_one_run() {
    let folder = tempdir().unwrap();
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("one.toml"), "meaning = 1\n").unwrap();
    fs::write(
        own.join("two.toml"),
        "meaning = \"Two.\"\ntriger = \"It\"\n",
    )
    .unwrap();
    fs::write(own.join("three.toml"), "meaning = \"Three.\n").unwrap();
    let file = "drain = \"soon\"\n[catalog]\nfolder = \"own\"\n[webhook]\nca_file = \"gone.pem\"\n\
                [[subscriptions]]\nname = \"Grades\"\nwebhook = { url = \"gopher://a/\" }\n";
    check_rejected(
        folder.path(),
        file,
        &[("EASEL_LISTN", "x")],
        "error: easel.toml:7:8: name \"Grades\" is invalid: use 1 to 64 of a-z, 0-9, `-`, `_` and `.`, \
         starting with a letter or digit\n\
         error: easel.toml:8:19: failed to parse the URL: its scheme must be http or https\n\
         error: easel.toml:1:9: drain must be a length of time such as \"30s\" or \"2h\", not \"soon\"\n\
         error: EASEL_LISTN: unknown variable; did you mean \"EASEL_LISTEN\"?\n\
         error: own/one.toml:1:11: `meaning` must be a string, not a number\n\
         error: own/three.toml:1:18: the closing quote of a string is missing\n\
         error: own/two.toml:2:1: unknown key `triger`; the keys here are `meaning`, `trigger`, \
         `notes`, `known_from`, `record`, `action`, `published`, `columns_only`, `context`, `open`, `further`, \
         `body`\n\
         error: easel.toml:5:11: failed to read certificate authorities from gone.pem: No such file \
         or directory (os error 2)\n",
    );
}

#[test]
fn the_example_file_has_every_default() {
    let folder = tempdir().unwrap();
    let example = include_str!("../../../../easel.toml.example");
    let values = |args: &[&str]| {
        let json = easel(
            folder.path(),
            &[&["config", "check", "--json"], args].concat(),
        )
        .stdout();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let settings = json["settings"].as_array().unwrap().iter();
        let line = |setting: &serde_json::Value| {
            (setting["key"].to_string(), setting["value"].to_string())
        };
        settings.map(line).collect::<Vec<_>>()
    };
    fs::write(folder.path().join("example.toml"), example).unwrap();
    assert_eq!(values(&["--config", "example.toml"]), values(&[]));
}

#[test]
fn a_declared_address_that_webhooks_may_not_connect_to_is_a_warning() {
    let folder = tempdir().unwrap();
    let text =
        "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://10.1.2.3/?key=hush\"\n";
    let ran = check_file(folder.path(), text);
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran = Ran {
        stdout: String::new(),
        ..ran
    };
    check!(ran, @r"
        exit 0
        --- stdout
        --- stderr
        warning: subscription grades: the address 10.1.2.3 is refused: it is a private address (10.0.0.0/8); the setting webhook.allow can allow it
        ");
    let allowed = format!("webhook.allow = [\"10.1.2.0/24\"]\n{text}");
    assert_eq!(check_file(folder.path(), &allowed).stderr, "");
}

#[test]
fn secrets_of_a_subscription_are_read_from_the_environment() {
    let folder = tempdir().unwrap();
    let text = "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"env:HOOK\"\n\
                webhook.signing.standard.secrets = [\"env:SECRET\"]\n";
    fs::write(folder.path().join("easel.toml"), text).unwrap();
    let check_with = |variables: &[(&str, &str)]| {
        let mut command = command(folder.path(), &["config", "check"]);
        Ran::new(&command.envs(variables.iter().copied()).output().unwrap())
    };
    let secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    check_with(&[("HOOK", "https://a.example/?key=hush"), ("SECRET", secret)]).stdout();
    // Only a server needs the secrets.
    assert_eq!(easel(folder.path(), &["tail"]).code, Some(69));
    check!(check_with(&[("HOOK", "")]), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:1: subscription grades: webhook.url: the environment variable HOOK is empty
        error: easel.toml:1:1: subscription grades: webhook.signing.standard.secrets[0]: the environment variable SECRET is not set
        ");
    check!(check_with(&[("HOOK", "ftp://a.example/?key=hush"), ("SECRET", "hush")]), @r"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:1: subscription grades: webhook.url: failed to parse the URL: its scheme must be http or https
        ");
}
