//! Tokens of a real identity provider: oidc-provider for Node.js.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use easel_testkit::report_missing;
use tempfile::tempdir;

use crate::running::Running;

/// What the provider's script prints, one line per request.
const WANTED: &str = "\
right 200 -
confined-makes-confined 201 root_account:21070000000000007
confined-makes-everything 403 reach_too_small
staff-makes-everything 201 *
read-only 403 scope_missing
no-scope 403 scope_missing
no-reach 403 reach_missing
star-reach 403 reach_missing
wrong-audience 401 token_invalid
wrong-issuer 401 token_invalid
alg-none 401 token_invalid
hs256-with-the-public-key 401 token_invalid
forged 401 token_invalid
unknown-kid 401 token_invalid
no-expiry 401 token_invalid
easel-prefix 401 token_unknown
stream-ended 200 after-expiry
expired 401 token_expired
new-key 200 -
old-key 401 token_invalid
provider-away 200 -
end
";

#[test]
fn tokens_of_an_identity_provider_are_accepted_only_if_everything_about_them_is_right() {
    let node_modules = std::env::var_os("EASEL_TEST_NODE_MODULES")
        .filter(|folder| Path::new(folder).join("oidc-provider").exists());
    let Some(node_modules) = node_modules else {
        report_missing("oidc-provider for Node.js; scripts/test installs it");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oidc_provider.mjs");
    let mut provider = Command::new("node")
        .arg(script)
        .arg(node_modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(provider.stdout.take().unwrap()).lines();
    let issuer = lines.next().unwrap().unwrap();

    let folder = tempdir().unwrap();
    let settings = folder.path().join("oidc.toml");
    let text = format!(
        r#"[oidc]
issuer = "{issuer}"
audience = "easel"
read = ["easel.read"]
manage = ["easel.manage"]
reach_claim = "school"
everything = ["groups=easel-admins"]
leeway = "0s"
"#
    );
    std::fs::write(&settings, text).unwrap();
    let args = ["--config", settings.to_str().unwrap()];
    let running = Running::start_with(&folder.path().join("data"), &args, |_command| ());
    writeln!(provider.stdin.take().unwrap(), "{}", running.url()).unwrap();
    let mut printed = String::new();
    for line in lines {
        printed.push_str(&line.unwrap());
        printed.push('\n');
    }
    assert!(provider.wait().unwrap().success(), "{printed}");
    assert_eq!(printed, WANTED);
}
