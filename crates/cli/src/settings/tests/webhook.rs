//! Tests of the webhook of a subscription in the file.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::check_file;
use crate::settings::{SettingsError, shape};

/// Compares the keys that serde writes for a full subscription with the keys of the shape.
#[test]
fn the_shape_of_a_subscription_has_the_keys_of_its_serde_type() {
    fn keys(fields: &[shape::SettingKey]) -> Vec<String> {
        let mut keys: Vec<_> = fields
            .iter()
            .flat_map(|field| match &field.shape {
                shape::ValueShape::Table(inner) | shape::ValueShape::OneOf(inner) => keys(inner)
                    .into_iter()
                    .map(|key| format!("{}.{key}", field.name))
                    .collect(),
                _ => vec![field.name.to_owned()],
            })
            .collect();
        keys.sort();
        keys
    }
    fn written_keys(prefix: &str, members: &Map<String, Value>, written: &mut BTreeSet<String>) {
        for (key, value) in members {
            let path = format!("{prefix}{key}");
            match value.as_object() {
                Some(inner) if path != "webhook.headers" => {
                    written_keys(&format!("{path}."), inner, written);
                }
                Some(_) | None => {
                    written.insert(path);
                }
            }
        }
    }
    let file = "[[subscriptions]]\nname = \"a\"\nwebhook.url = \"http://a\"\nconditions = { \
                root_account = [\"1\"], account = [\"1\"], course = [\"1\"], user = [\"1\"], \
                producer = [\"1\"], context_type = [\"1\"], assignment = [\"1\"], \
                associated_integration = [\"1\"] }\nuser_events = [\"a\"]\nsystem_events = [\"a\"]\nmax_rate = 5\norder = \"key\"\n\
                key = \"body.course_id\"\nwebhook.headers.x-key = \"a\"\n\
                webhook.client_certificate = { certificate = \"a\", key = \"b\" }\n";
    let secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    let mut written = BTreeSet::new();
    // A signature and an authentication have exactly one of two members.
    for alternatives in [
        "webhook.signing.jwt = {}\nwebhook.authentication.bearer = \"a\"".to_owned(),
        format!(
            "webhook.signing.standard.secrets = [\"{secret}\"]\n\
             webhook.authentication.basic = {{ user = \"a\", password = \"b\" }}"
        ),
    ] {
        let settings = super::settings(&format!("{file}{alternatives}"), &[], None).unwrap();
        let spec = &settings.config.subscriptions[0].spec;
        let json = serde_json::to_value(easel_server::SpecJson::with_secrets(spec)).unwrap();
        written_keys("", json.as_object().unwrap(), &mut written);
    }
    let tables = "[[subscriptions]]\nname = \"a\"\nsql = { url = \"postgresql://a/b\", ca = \"a\", \
                  columns.exclude = [\"direct\"] }";
    let queue = "sqs = { queue_url = \"https://sqs.us-east-1.amazonaws.com/1/q\", region = \"us-east-1\", \
                 endpoint_url = \"http://127.0.0.1:9324\"";
    let queue = format!("[[subscriptions]]\nname = \"a\"\n{queue}");
    // The credentials are a profile or a key.
    let with_profile = format!("{queue}, profile = \"school\" }}");
    let with_key = format!("{queue}, access_key_id = \"A\", secret_access_key = \"b\" }}");
    for file in [tables, &with_profile, &with_key] {
        let settings = super::settings(file, &[], None).unwrap();
        let spec = &settings.config.subscriptions[0].spec;
        let json = serde_json::to_value(easel_server::SpecJson::with_secrets(spec)).unwrap();
        written_keys("", json.as_object().unwrap(), &mut written);
    }
    // The reach is not a part of the spec.
    written.insert("reach".to_owned());
    assert_eq!(
        keys(shape::SUBSCRIPTION),
        written.into_iter().collect::<Vec<_>>()
    );
}

/// Applies the members of a webhook in the file. Returns the faults.
fn webhook_faults(members: &str) -> String {
    let file = format!("[[subscriptions]]\nname = \"a\"\n[subscriptions.webhook]\n{members}");
    super::settings(&file, &[], None).unwrap_err()
}

#[test]
fn faults_in_a_webhook_have_their_place_and_no_secret() {
    let url = "url = \"http://a/\"\n";
    let check = |members: &str, wanted: &str| {
        assert_eq!(webhook_faults(&format!("{url}{members}")), wanted);
    };
    check(
        "signing = {}\nauthentication = { basic = 1, bearer = 2 }",
        "easel.toml:5:11: `webhook.signing` must have exactly one of `jwt` and `standard`\n\
         easel.toml:6:18: `webhook.authentication` must have exactly one of `basic` and `bearer`",
    );
    check(
        "signing.jwt.algorithm = \"HS256\"",
        "easel.toml:5:25: the algorithm must be RS256, ES256 or EdDSA",
    );
    check(
        "signing.standard.secrets = [\"hush\", \"whsec_hush\"]",
        "easel.toml:5:29: `webhook.signing.standard.secrets`: failed to read the webhook secret: \
         the prefix must be whsec_ or whsk_\n\
         easel.toml:5:37: `webhook.signing.standard.secrets`: failed to read the webhook secret: \
         whsec_ must have 24 to 64 bytes, and this one has 3",
    );
    check(
        "signing.standard.secrets = []",
        "easel.toml:5:28: `webhook.signing.standard.secrets` must not be an empty list",
    );
    check(
        "headers = { x-key = \"\", x-number = 7 }\nauthentication.bearer = \" \"",
        "easel.toml:5:21: `webhook.headers.x-key`: a secret must not be empty\n\
         easel.toml:5:36: `webhook.headers.x-number` must be a string, not a number\n\
         easel.toml:6:25: a secret must not be empty",
    );
    check(
        "client_certificate.key = \"hush\"",
        "easel.toml:5:1: `webhook.client_certificate.certificate` is missing",
    );
    let masking =
        "[[subscriptions]]\nname = \"a\"\nmasking = \"never\"\nwebhook.url = \"http://a/\"";
    check_file(
        masking,
        "easel.toml:3:11: `masking` must be \"on\" or \"off\", not \"never\"",
    );
}

#[test]
fn a_secret_of_a_subscription_can_be_in_a_file_or_in_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (url, token) = (
        write("url", "http://a/?key=hush\n"),
        write("token", "hush \n\n"),
    );
    let (empty, large) = (write("empty", "\n"), write("large", &"x".repeat(65_537)));
    let file = format!(
        "[[subscriptions]]\nname = \"a\"\n[subscriptions.webhook]\nurl = \"file:{url}\"\n\
         authentication.bearer = \"file:{token}\"\nheaders.x-folder = \"env:CARGO_MANIFEST_DIR\"\n"
    );
    let mut settings = super::settings(&file, &[], None).unwrap();
    settings.resolve_secrets();
    assert!(settings.faults.is_empty(), "{:?}", settings.faults);
    let spec = settings.config.subscriptions.remove(0).spec;
    let json = serde_json::to_value(easel_server::SpecJson::with_secrets(&spec)).unwrap();
    assert_eq!(json["webhook"]["url"], "http://a/?key=hush");
    assert_eq!(json["webhook"]["authentication"]["bearer"], "hush");
    assert_eq!(
        json["webhook"]["headers"]["x-folder"],
        env!("CARGO_MANIFEST_DIR")
    );

    let file = format!(
        "[[subscriptions]]\nname = \"a\"\n[subscriptions.webhook]\n\
         url = \"env:NO_SUCH_VARIABLE\"\nauthentication.bearer = \"file:{empty}\"\n\
         headers.x-key = \"file:{large}\"\nheaders.x-other = \"file:/no/such/file\"\n"
    );
    // Commands that are no server need no secrets.
    let mut settings = super::settings(&file, &[], None).unwrap();
    settings.resolve_secrets();
    let faults = settings.faults.iter().map(SettingsError::to_string);
    let faults = faults.collect::<Vec<_>>().join("\n");
    let place = "easel.toml:1:1: subscription a: webhook";
    assert_eq!(
        faults,
        format!(
            "{place}.url: the environment variable NO_SUCH_VARIABLE is not set\n\
             {place}.authentication.bearer: the file {empty} is empty\n\
             {place}.headers.x-key: the file {large} is larger than 64 KiB\n\
             {place}.headers.x-other: failed to read the file /no/such/file: No such file or \
             directory (os error 2)"
        )
    );
}
