//! Tests of the settings in the file, in variables and in flags, and of the errors for invalid settings.

mod sql;
mod webhook;

use std::ffi::OsString;
use std::path::Path;

use super::*;

/// Applies a file, variables and a listen flag to the defaults. Returns all faults, one on each line.
fn settings(
    file: &str,
    variables: &[(&str, &str)],
    listen: Option<&str>,
) -> Result<Settings, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), value.into()));
    let flag = Flag::new(setting::LISTEN, "--listen", listen.map(str::to_owned));
    let flags = Layer {
        values: flag.value().into_iter().collect(),
        ..Layer::default()
    };
    let mut settings = Settings::default();
    for layer in [
        file::parse(Path::new("easel.toml"), file),
        environment::read(variables),
        flags,
    ] {
        settings.apply(layer);
    }
    if settings.faults.is_empty() {
        return Ok(settings);
    }
    let faults = settings.faults.iter().map(SettingsError::to_string);
    Err(faults.collect::<Vec<_>>().join("\n"))
}

#[track_caller]
fn check_file(file: &str, wanted: &str) {
    assert_eq!(settings(file, &[], None).unwrap_err(), wanted, "{file}");
}

#[track_caller]
fn check_variable(name: &str, value: &str, wanted: &str) {
    assert_eq!(settings("", &[(name, value)], None).unwrap_err(), wanted);
}

#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let file = "listen = \"127.0.0.1:1\"\ndrain = \"1s\"\n[log]\nmax_age = \"2d\"";
    let variables = [("EASEL_LISTEN", "127.0.0.1:2"), ("EASEL_DRAIN", "2s")];
    let settings = settings(file, &variables, Some("127.0.0.1:3")).unwrap();

    let line = |key: &str| {
        let lines = settings.effective();
        let line = lines.into_iter().find(|line| line.key == key).unwrap();
        (line.value, line.origin)
    };
    assert_eq!(
        line("listen"),
        ("127.0.0.1:3".to_owned(), "--listen".to_owned())
    );
    assert_eq!(line("drain"), ("2s".to_owned(), "EASEL_DRAIN".to_owned()));
    assert_eq!(
        line("log.max_age"),
        ("2d".to_owned(), "easel.toml:4:11".to_owned())
    );
    assert_eq!(line("auth"), ("tokens".to_owned(), "default".to_owned()));
}

#[test]
fn the_shown_value_of_a_setting_is_accepted_as_its_value() {
    for setting in setting::ALL {
        let shown = (setting.show)(&Config::default());
        let mut config = Config::default();
        assert_eq!(
            (setting.set)(&mut config, &shown),
            Some(()),
            "{setting:?} = {shown:?}"
        );
        assert_eq!((setting.show)(&config), shown, "{setting:?}");
    }
}

#[test]
fn the_limits_of_the_log_can_be_off() {
    let file = "[log]\nmax_age = \"off\"\nmax_bytes = \"off\"\nduplicate_window = 0";
    let log = settings(file, &[], None).unwrap().config.log;
    assert_eq!(
        (log.max_age, log.max_bytes, log.duplicate_window),
        (None, None, 0)
    );
}

#[test]
fn an_invalid_value_is_reported_with_its_place() {
    check_file(
        "listen = \"localhost\"",
        "easel.toml:1:10: listen must be an address and port such as \"127.0.0.1:4567\", not \
         \"localhost\"",
    );
    check_file(
        "# é\n[log]\nmax_age = 30\n",
        "easel.toml:3:11: log.max_age must be a length of time of at least 1m such as \"30d\", or \
         \"off\", not \"30\"",
    );
    check_file(
        "ingest = { hold = [1] }",
        "easel.toml:1:19: ingest.hold must be a length of time of at least 1s such as \"20s\", not \
         \"a list\"",
    );
}

#[test]
fn a_long_invalid_value_is_shortened_because_it_may_be_a_misplaced_secret() {
    const TOKEN: &str = "hush-hush.0123456789abcdef";
    let modes = "auth must be \"tokens\" or \"none\", not \"hush…\"";
    check_file(
        &format!("auth = {TOKEN:?}"),
        &format!("easel.toml:1:8: {modes}"),
    );
    check_variable("EASEL_AUTH", TOKEN, &format!("EASEL_AUTH: {modes}"));
    let refused = settings("", &[], Some(TOKEN)).unwrap_err();
    assert!(refused.ends_with(", not \"hush…\""), "{refused}");
    let file = format!(
        "[[kinesis.keys]]\naccess_key_id = \"{TOKEN}/a\"\nsecret_access_key = \"a\"\n\
         [[subscriptions]]\nname = \"{TOKEN} a\"\nevents = [\"{long}\"]\nformat = \"{TOKEN}\"\n\
         masking = \"{TOKEN}\"\nstart = \"{TOKEN}\"\norder = \"{TOKEN}\"\nkey = \"{TOKEN}\"\n\
         retry = [\"{TOKEN}\"]\non_exhausted = \"{TOKEN}\"\n\
         webhook = {{ url = \"{TOKEN}\", timeout = \"{TOKEN}\" }}\n\
         [[subscriptions]]\nname = \"b\"\nretry = \"{TOKEN}\"\nwebhook.url = \"http://a/\"",
        long = TOKEN.repeat(10)
    );
    let faults = settings(&file, &[], None).unwrap_err();
    assert_eq!(faults.lines().count(), 13, "{faults}");
    assert!(!faults.contains("hush-"), "{faults}");
}

#[test]
fn an_unknown_key_is_rejected_and_a_similar_known_key_is_suggested() {
    let unknown = "easel.toml:1:1: unknown key";
    check_file(
        "lisen = 1",
        &format!("{unknown} \"lisen\"; did you mean \"listen\"?"),
    );
    check_file("colour = 1", &format!("{unknown} \"colour\""));
    check_file("log = 1", &format!("{unknown} \"log\""));
    check_file(
        "max_age = 1",
        &format!("{unknown} \"max_age\"; did you mean \"log.max_age\"?"),
    );
    check_file(
        "[log]\nmax_agee = \"1d\"",
        "easel.toml:2:1: unknown key \"log.max_agee\"; did you mean \"log.max_age\"?",
    );
    check_file(
        "[[subscription]]\nname = \"grades\"",
        "easel.toml:1:3: unknown key \"subscription\"; did you mean \"subscriptions\"?",
    );
}

#[test]
fn keys_and_types_in_the_lists_are_validated() {
    check_file(
        "[[kinesis.keys]]\naccess_key_id = \"a\"\nsecret_key = \"b\"",
        "easel.toml:3:1: unknown key \"secret_key\"\n\
         easel.toml:1:1: `secret_access_key` is missing",
    );
    check_file(
        "[[subscriptions]]\nname = \"grades\"\nin_fligth = 1\nwebhook = { url = \"http://a\" }",
        "easel.toml:3:1: unknown key \"in_fligth\"; did you mean \"in_flight\"?",
    );
    check_file(
        "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://a\"\nconditions.corse = []",
        "easel.toml:4:12: unknown key \"corse\"; did you mean \"course\"?",
    );
    check_file(
        "[[subscriptions]]\nname = \"grades\"",
        "easel.toml:1:1: exactly one of `webhook`, `sql` and `sqs` is required",
    );
    check_file(
        "subscriptions = 1",
        "easel.toml:1:17: `subscriptions` must be a list of tables, not a number",
    );
}

#[test]
fn invalid_toml_is_rejected_with_its_place() {
    check_file(
        "listen = \n",
        "easel.toml:1:10: a value is missing after `=`",
    );
    check_file("a = 1\na = 2", "easel.toml:2:1: this key is set twice");
}

#[test]
fn a_variable_is_validated_like_a_key() {
    check_variable(
        "EASEL_LOG__MAX_AGE",
        "lots",
        "EASEL_LOG__MAX_AGE: log.max_age must be a length of time of at least 1m such as \"30d\", \
         or \"off\", not \"lots\"",
    );
    check_variable(
        "EASEL_LOG_MAX_AGE",
        "1d",
        "EASEL_LOG_MAX_AGE: unknown variable; did you mean \"EASEL_LOG__MAX_AGE\"?",
    );
    check_variable(
        "EASEL_TOKENS",
        "x",
        "EASEL_TOKENS: unknown variable; did you mean \"EASEL_TOKEN\"?",
    );
}

#[test]
fn variables_of_options_and_of_other_programs_are_ignored() {
    let variables = [
        ("EASEL_URL", "http://a"),
        ("EASEL_LOG", "debug"),
        ("EASEL_LOG_FORMAT", "json"),
        ("EASEL_SERVICE_HOST", "10.0.0.1"),
        ("EASEL_PORT_4567_TCP_ADDR", "10.0.0.1"),
        ("WEASEL_LISTEN", "x"),
    ];
    assert!(settings("", &variables, None).is_ok());
}

#[test]
fn key_pairs_of_file_and_environment_are_combined() {
    let file = "[[kinesis.keys]]\naccess_key_id = \"one\"\nsecret_access_key = \"hush-1\"";
    let variables = [
        ("EASEL_KINESIS__ACCESS_KEY_ID", "two"),
        ("EASEL_KINESIS__SECRET_ACCESS_KEY", "hush-2"),
    ];
    let settings = settings(file, &variables, None).unwrap();

    let secrets = settings
        .config
        .kinesis
        .keys
        .iter()
        .map(|key| key.secret_access_key.expose());
    assert_eq!(secrets.collect::<Vec<_>>(), ["hush-1", "hush-2"]);
    let lines = settings.effective();
    let line = lines
        .iter()
        .find(|line| line.key == "kinesis.keys")
        .unwrap();
    assert_eq!(line.value, "one (secret hidden), two (secret hidden)");
    assert_eq!(line.origin, "easel.toml:1:11, EASEL_KINESIS__ACCESS_KEY_ID");
    check_variable(
        "EASEL_KINESIS__ACCESS_KEY_ID",
        "two",
        "EASEL_KINESIS__ACCESS_KEY_ID is set but EASEL_KINESIS__SECRET_ACCESS_KEY is not; \
         a key pair requires both",
    );
}

#[test]
fn an_invalid_key_pair_is_rejected_in_the_file_and_in_variables() {
    let id = "must be 1 to 128 characters of ASCII, without white space, `/`, `,`, `=` and quotes";
    check_file(
        "[[kinesis.keys]]\naccess_key_id = \"\"\nsecret_access_key = \"\"",
        &format!(
            "easel.toml:2:17: `access_key_id` {id}\n\
             easel.toml:3:21: `secret_access_key` must not be empty"
        ),
    );
    check_file(
        "[[kinesis.keys]]\naccess_key_id = \"a/b\"\nsecret_access_key = \" \\t\"",
        &format!(
            "easel.toml:2:17: `access_key_id` {id}\n\
             easel.toml:3:21: `secret_access_key` must not be empty"
        ),
    );
    let variables = [
        ("EASEL_KINESIS__ACCESS_KEY_ID", ""),
        ("EASEL_KINESIS__SECRET_ACCESS_KEY", "hush\n"),
    ];
    assert_eq!(
        settings("", &variables, None).unwrap_err(),
        format!(
            "EASEL_KINESIS__ACCESS_KEY_ID: the value {id}\n\
             EASEL_KINESIS__SECRET_ACCESS_KEY: the value must not begin or end with white space \
             or contain a control character"
        )
    );
}

#[test]
fn an_empty_list_and_a_blank_value_are_rejected_in_a_filter() {
    let file = "[[subscriptions]]\nname = \"a\"\nwebhook.url = \"http://a\"\n";
    check_file(
        &format!("{file}events = []\nconditions.course = []\nconditions.user = [\" \"]"),
        "easel.toml:4:10: `events` must not be an empty list; omit it to set no condition\n\
         easel.toml:5:21: `conditions.course` must not be an empty list; omit it to set no \
         condition\n\
         easel.toml:6:20: `conditions.user`: a value must not be empty, not \" \"",
    );
}

#[test]
fn a_blank_value_and_a_value_outside_its_limits_are_rejected() {
    for (key, value) in [
        ("log.max_age", "0s"),
        ("log.max_bytes", "0"),
        ("log.duplicate_window", "100000001"),
        ("quarantine.max_bytes", "1000"),
        ("ingest.max_event_bytes", "0"),
        ("ingest.max_event_bytes", "2GiB"),
        ("ingest.max_request_bytes", "0"),
        ("ingest.max_in_flight_bytes", "0"),
        ("ingest.hold", "0s"),
        ("kinesis.stream", " "),
        ("data", " "),
        ("catalog.folder", ""),
        ("webhook.ca_file", " "),
        ("webhook.allow", "10.0.0.0/8,"),
        ("keys.master_key_file", ""),
        ("keys.rotate_every", "59m"),
        ("keys.issuer", " "),
        ("keys.issuer", "\\u0007"),
    ] {
        let file = format!("{key} = \"{value}\"");
        let error = settings(&file, &[], None).unwrap_err();
        let column = key.len() + 4;
        let start = format!("easel.toml:1:{column}: {key} must be ");
        assert!(error.starts_with(&start), "{file}: {error}");
    }
}

#[test]
fn one_run_reports_all_faults() {
    let file = "listen = 1\nlisten_on = 2\n[[subscriptions]]\nname = 3\nevents = [4, \"\"]\n\
                in_flight = 0\n[[caliper.roles]]\ncanvas = []\n[[kinesis.keys]]\n";
    let error = settings(file, &[("EASEL_DRAIN", "x")], Some("there")).unwrap_err();
    assert_eq!(
        error,
        "easel.toml:2:1: unknown key \"listen_on\"; did you mean \"listen\"?\n\
         easel.toml:4:8: `name` must be a string, not a number\n\
         easel.toml:5:11: `events` must be a list of strings, not of a number\n\
         easel.toml:5:14: `events`: a value must not be empty, not \"\"\n\
         easel.toml:6:13: `in_flight` must be 1 to 256, not 0\n\
         easel.toml:3:1: exactly one of `webhook`, `sql` and `sqs` is required\n\
         easel.toml:8:10: `canvas` must be a string, not a list\n\
         easel.toml:7:1: `segment` is missing\n\
         easel.toml:7:1: `roles` is missing\n\
         easel.toml:9:1: `access_key_id` is missing\n\
         easel.toml:9:1: `secret_access_key` is missing\n\
         easel.toml:1:10: listen must be an address and port such as \"127.0.0.1:4567\", not \
         \"1\"\n\
         EASEL_DRAIN: drain must be a length of time such as \"30s\" or \"2h\", not \"x\"\n\
         --listen: listen must be an address and port such as \"127.0.0.1:4567\", not \"there\""
    );
}

#[test]
fn every_syntax_error_is_reported_in_plain_words() {
    check_file(
        "listen = \"a\ndata = \n[log\nmax_age = \"1d\"",
        "easel.toml:1:12: the closing quote of a string is missing\n\
         easel.toml:2:8: a value is missing after `=`\n\
         easel.toml:3:5: the name of a table must end with `]`",
    );
}

#[test]
fn a_first_token_is_never_shown() {
    let token = "A_long-enough.token+for/example_0123456789";
    let file = format!("[auth]\nmode = \"tokens\"\nfirst_token = \"{token}\"");
    let settings_in_use = settings(&file, &[], None).unwrap();
    let lines = settings_in_use.effective();
    let line = lines
        .iter()
        .find(|line| line.key == "auth.first_token")
        .unwrap();
    assert_eq!(line.value, "set (hidden)");
    assert_eq!(line.origin, "easel.toml:3:15");
    for bad in [
        "",
        "short",
        "this one has white space in it, which is bad",
        &"a".repeat(40),
    ] {
        let error = settings("", &[("EASEL_AUTH__FIRST_TOKEN", bad)], None).unwrap_err();
        assert_eq!(
            error,
            "EASEL_AUTH__FIRST_TOKEN: auth.first_token must be 32 to 256 letters, digits and \
             - . _ ~ + /, at least 8 of them different, or \"off\""
        );
    }
}

#[test]
fn a_list_of_texts_is_a_list_in_the_file_and_has_commas_in_a_variable() {
    let file = "[webhook]\nallow = [\"10.0.0.0/8\", \"::1\"]\n[masking]\nnames = [\"api_key\"]\n";
    let shown = |settings: &Settings, key: &str| {
        let lines = settings.effective();
        let line = lines.into_iter().find(|line| line.key == key);
        line.unwrap().value
    };
    let from_file = settings(file, &[], None).unwrap();
    assert_eq!(shown(&from_file, "webhook.allow"), "10.0.0.0/8, ::1/128");
    assert_eq!(from_file.config.webhook.allow.len(), 2);
    assert_eq!(from_file.config.masking.names, ["api_key"]);
    let variables = [
        ("EASEL_WEBHOOK__ALLOW", "192.168.0.0/16,10.0.0.1"),
        ("EASEL_MASKING__NAMES", "off"),
    ];
    let from_variables = settings(file, &variables, None).unwrap();
    assert_eq!(
        shown(&from_variables, "webhook.allow"),
        "192.168.0.0/16, 10.0.0.1/32"
    );
    assert_eq!(shown(&from_variables, "masking.names"), "off");
    assert!(settings("webhook.allow = []", &[], None).is_ok());

    let networks = "webhook.allow must be networks such as \"10.0.0.0/8\" and \"fd00::/8\", or addresses, or \"off\"";
    check_file(
        "webhook.allow = [\"10.0.0.1/8\"]",
        &format!("easel.toml:1:17: {networks}, not \"10.0.0.1/8\""),
    );
    check_file(
        "webhook.allow = [10]",
        &format!("easel.toml:1:17: {networks}, not \"a list of other values than strings\""),
    );
    check_variable(
        "EASEL_WEBHOOK__ALLOW",
        "",
        &format!("EASEL_WEBHOOK__ALLOW: {networks}, not \"\""),
    );
    check_file(
        "masking.names = [\"a=b\"]",
        "easel.toml:1:17: masking.names must be names of URL parameters such as \"api_key\", or \
         \"off\", not \"a=b\"",
    );
}

#[test]
fn master_keys_and_the_password_of_a_proxy_are_never_shown() {
    let (key, other) = (
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
    );
    let variables = |key| {
        [
            ("EASEL_KEYS__MASTER_KEY", key),
            ("EASEL_KEYS__PREVIOUS_MASTER_KEY", "off"),
            ("EASEL_WEBHOOK__PROXY", "http://ida:hush@proxy.example:3128"),
        ]
    };
    let in_use = settings("", &variables(key), None).unwrap();
    let lines = in_use.effective();
    let value = |key: &str| &lines.iter().find(|line| line.key == key).unwrap().value;
    assert_eq!(value("keys.master_key"), "set (hidden)");
    assert_eq!(value("keys.previous_master_key"), "off");
    assert_eq!(value("webhook.proxy"), "http://…@proxy.example:3128");
    assert!(!format!("{in_use:?}").contains("hush"), "{in_use:?}");
    assert!(!format!("{in_use:?}").contains(key), "{in_use:?}");
    let changed = settings("", &variables(other), None).unwrap();
    assert_eq!(in_use.changes_for_restart(&changed), ["keys.master_key"]);
    assert_eq!(in_use.changes_for_restart(&in_use), [""; 0]);

    check_variable(
        "EASEL_KEYS__MASTER_KEY",
        "hush",
        "EASEL_KEYS__MASTER_KEY: keys.master_key must be 32 bytes in base64, for example from \
         `openssl rand -base64 32`, or \"off\"",
    );
    check_variable(
        "EASEL_WEBHOOK__PROXY",
        "ida:hush@proxy",
        "EASEL_WEBHOOK__PROXY: webhook.proxy must be an address such as \
         \"http://proxy.example.edu:3128\", or \"off\"",
    );
}

#[test]
fn a_list_is_not_the_value_of_a_text() {
    check_file(
        "keys.issuer = [\"a\"]",
        "easel.toml:1:15: keys.issuer must be 1 to 200 printable characters, not \"a list\"",
    );
    check_file(
        "data = [\"a\"]",
        "easel.toml:1:8: data must be the path of a folder, not \"a list\"",
    );
}

#[test]
fn a_setting_of_an_earlier_version_is_rejected_with_its_replacement() {
    let fault = "caliper.secrets no longer exists: secret values in URLs are masked in all \
                 formats; to send them, set `masking = \"off\"` in a subscription";
    check_file(
        "[caliper]\nsecrets = \"sent\"",
        &format!("easel.toml:2:1: {fault}"),
    );
    check_variable(
        "EASEL_CALIPER__SECRETS",
        "sent",
        &format!("EASEL_CALIPER__SECRETS: {fault}"),
    );
}

#[test]
fn a_declared_subscription_has_a_reach_and_the_default_is_everything() {
    let table = |reach: &str| {
        format!("[[subscriptions]]\nname = \"a\"\n{reach}webhook.url = \"http://a/\"\n")
    };
    let file = [
        table(""),
        table("reach = \"root_account:7\"\n"),
        table("reach = \"root_account:aB\"\n"),
    ];
    let declared = settings(&file.concat(), &[], None)
        .unwrap()
        .config
        .subscriptions;
    let names = declared
        .iter()
        .map(|declared| declared.full_name().to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["a", "a@7", "a@aB"]);
    assert_eq!(
        settings(&table("reach = \"7\"\n"), &[], None).unwrap_err(),
        "easel.toml:3:9: the reach must be `*` (everything) or `root_account:` with an id or a UUID, \
         not \"7\"",
    );
}
