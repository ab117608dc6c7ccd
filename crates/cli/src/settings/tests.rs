//! Settings from every place they come from, and what is said of bad ones.

use std::ffi::OsString;
use std::path::Path;

use super::*;

/// Lays a file, variables and a listen flag over the defaults.
fn settings(
    file: &str,
    variables: &[(&str, &str)],
    listen: Option<&str>,
) -> Result<Settings, SettingsError> {
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), value.into()));
    let flag = Flag::new(setting::LISTEN, "--listen", listen.map(str::to_owned));
    let flags = Layer {
        said: flag.said().into_iter().collect(),
        ..Layer::default()
    };
    let layers = [
        file::parse(Path::new("easel.toml"), file)?,
        environment::read(variables)?,
        flags,
    ];
    let mut settings = Settings {
        config: Config::default(),
        origins: BTreeMap::new(),
    };
    layers
        .into_iter()
        .try_for_each(|layer| settings.lay(layer))?;
    Ok(settings)
}

#[track_caller]
fn check_file(file: &str, wanted: &str) {
    assert_eq!(
        settings(file, &[], None).unwrap_err().to_string(),
        wanted,
        "{file}"
    );
}

#[track_caller]
fn check_variable(name: &str, value: &str, wanted: &str) {
    assert_eq!(
        settings("", &[(name, value)], None)
            .unwrap_err()
            .to_string(),
        wanted
    );
}

#[test]
fn each_source_is_over_the_one_before_it() {
    let file = "listen = \"127.0.0.1:1\"\ndrain = \"1s\"\n[log]\nmax_age = \"2d\"";
    let variables = [("EASEL_LISTEN", "127.0.0.1:2"), ("EASEL_DRAIN", "2s")];
    let settings = settings(file, &variables, Some("127.0.0.1:3")).unwrap();

    let line = |key: &str| {
        let lines = settings.effective();
        let line = lines.into_iter().find(|it| it.key == key).unwrap();
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
fn what_is_shown_of_a_setting_sets_it() {
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
fn limits_of_the_log_can_be_off() {
    let file = "[log]\nmax_age = \"off\"\nmax_bytes = \"off\"\nduplicate_window = 0";
    let log = settings(file, &[], None).unwrap().config.log;
    assert_eq!(
        (log.max_age, log.max_bytes, log.duplicate_window),
        (None, None, 0)
    );
}

#[test]
fn a_bad_value_is_named_with_its_place() {
    check_file(
        "listen = \"localhost\"",
        "easel.toml:1:10: listen must be an address and port such as \"127.0.0.1:4567\", not \
         \"localhost\"",
    );
    check_file(
        "# é\n[log]\nmax_age = 30\n",
        "easel.toml:3:11: log.max_age must be a length of time such as \"30d\", or \"off\", not \
         \"30\"",
    );
    check_file(
        "ingest = { hold = [1] }",
        "easel.toml:1:19: ingest.hold must be a length of time such as \"30s\" or \"2h\", not \
         \"a list\"",
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
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
fn the_lists_are_checked_as_closely() {
    check_file(
        "[[kinesis.keys]]\naccess_key_id = \"a\"\nsecret_key = \"b\"",
        "easel.toml:3:1: unknown key \"secret_key\"",
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
        "easel.toml:1:1: missing field `webhook`",
    );
    check_file(
        "subscriptions = 1",
        "easel.toml:1:17: invalid type: integer `1`, expected a sequence",
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_place() {
    check_file(
        "listen = \n",
        "easel.toml:1:10: string values must be quoted, expected literal string",
    );
    check_file("a = 1\na = 2", "easel.toml:2:1: duplicate key");
}

#[test]
fn a_variable_is_checked_like_a_key() {
    check_variable(
        "EASEL_LOG__MAX_AGE",
        "lots",
        "EASEL_LOG__MAX_AGE: log.max_age must be a length of time such as \"30d\", or \"off\", \
         not \"lots\"",
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
fn variables_of_options_and_of_others_are_left_alone() {
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
fn key_pairs_of_file_and_environment_add_up() {
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
        .map(|it| it.secret_access_key.expose());
    assert_eq!(secrets.collect::<Vec<_>>(), ["hush-1", "hush-2"]);
    let lines = settings.effective();
    let line = lines.iter().find(|it| it.key == "kinesis.keys").unwrap();
    assert_eq!(line.value, "one (secret hidden), two (secret hidden)");
    assert_eq!(line.origin, "easel.toml:1:11, EASEL_KINESIS__ACCESS_KEY_ID");
    check_variable(
        "EASEL_KINESIS__ACCESS_KEY_ID",
        "two",
        "EASEL_KINESIS__ACCESS_KEY_ID is set but EASEL_KINESIS__SECRET_ACCESS_KEY is not; \
         a key pair needs both",
    );
}
