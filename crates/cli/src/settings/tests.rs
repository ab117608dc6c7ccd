//! Tests of the settings in the file, in variables and in flags, and of the errors for invalid settings.

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
        "easel.toml:1:1: `webhook` is missing",
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
            "easel.toml:2:17: `access_key_id` {id}, not \"\"\n\
             easel.toml:3:21: `secret_access_key` must not be empty"
        ),
    );
    check_file(
        "[[kinesis.keys]]\naccess_key_id = \"a/b\"\nsecret_access_key = \" \\t\"",
        &format!(
            "easel.toml:2:17: `access_key_id` {id}, not \"a/b\"\n\
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
            "EASEL_KINESIS__ACCESS_KEY_ID: the value {id}, not \"\"\n\
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
         easel.toml:3:1: `webhook` is missing\n\
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

/// Compares the keys that serde writes for a full subscription with the keys of the shape.
#[test]
fn the_shape_of_a_subscription_has_the_keys_of_its_serde_type() {
    fn keys(fields: &[shape::SettingKey]) -> Vec<String> {
        let mut keys: Vec<_> = fields
            .iter()
            .flat_map(|field| match &field.shape {
                shape::ValueShape::Table(inner) => keys(inner)
                    .into_iter()
                    .map(|key| format!("{}.{key}", field.name))
                    .collect(),
                _ => vec![field.name.to_owned()],
            })
            .collect();
        keys.sort();
        keys
    }
    let file = "[[subscriptions]]\nname = \"a\"\nwebhook.url = \"http://a\"\nconditions = { \
                root_account = [\"1\"], account = [\"1\"], course = [\"1\"], user = [\"1\"], \
                producer = [\"1\"], context_type = [\"1\"] }\nmax_rate = 5\norder = \"key\"\n\
                key = \"body.course_id\"";
    let spec = settings(file, &[], None)
        .unwrap()
        .config
        .subscriptions
        .remove(0);
    let json = serde_json::to_value(easel_server::SpecJson::with_secrets(&spec)).unwrap();
    let mut written = Vec::new();
    for (key, value) in json.as_object().unwrap() {
        match value.as_object() {
            Some(inner) => written.extend(inner.keys().map(|inner| format!("{key}.{inner}"))),
            None => written.push(key.clone()),
        }
    }
    written.sort();
    assert_eq!(keys(shape::SUBSCRIPTION), written);
}
