//! Tests that every command ends with the exit codes that `easel help` lists.
//!
//! The list of commands comes from the help texts, so a new command cannot be forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use easel_keys::WebhookSecret;
use tempfile::tempdir;

use crate::easel::{Ran, command, easel, run_with_stdin};
use crate::help::subcommands;
use crate::running::Running;

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// A server to talk to.
    Server,
    /// Only the settings.
    Settings,
    /// The settings, and a data folder in a certain state.
    Folder,
    /// Nothing.
    Nothing,
}

/// Every command with valid arguments.
const COMMANDS: &[(&str, &str, Needs)] = &[
    ("demo", "--seconds 1", Needs::Nothing),
    ("serve", "", Needs::Settings),
    ("config check", "", Needs::Settings),
    ("emit", "course_created", Needs::Server),
    ("import", "--list", Needs::Server),
    ("simulate", "--days 1 --students 2", Needs::Settings),
    ("tail", "", Needs::Server),
    ("listen", "--forward http://127.0.0.1:1/", Needs::Server),
    (
        "subscriptions add",
        "one --webhook http://127.0.0.1:1/",
        Needs::Server,
    ),
    ("subscriptions list", "", Needs::Server),
    ("subscriptions show", "one", Needs::Server),
    ("subscriptions test", "one", Needs::Server),
    ("subscriptions edit", "one --in-flight 4", Needs::Server),
    ("subscriptions pause", "one", Needs::Server),
    ("subscriptions resume", "one", Needs::Server),
    ("subscriptions enforce-guard", "one", Needs::Server),
    ("subscriptions remove", "one", Needs::Server),
    ("sources add", "hosted", Needs::Server),
    ("sources list", "", Needs::Server),
    ("sources show", "hosted", Needs::Server),
    ("sources edit", "hosted --issuer *", Needs::Server),
    ("sources pause", "hosted", Needs::Server),
    ("sources resume", "hosted", Needs::Server),
    ("sources remove", "hosted", Needs::Server),
    ("dead-letters list", "one", Needs::Server),
    ("dead-letters show", "one 0", Needs::Server),
    ("dead-letters redeliver", "one --all", Needs::Server),
    ("dead-letters discard", "one --event grade_*", Needs::Server),
    ("replay start", "one --from earliest", Needs::Server),
    ("replay list", "one", Needs::Server),
    ("replay cancel", "one 1", Needs::Server),
    ("tables status", "--subscription one", Needs::Server),
    ("tables plan", "", Needs::Server),
    ("tables apply", "", Needs::Server),
    ("tables promote", "course_created mood", Needs::Server),
    ("tables rebuild", "", Needs::Server),
    ("balance", "", Needs::Server),
    ("status", "", Needs::Server),
    ("pause", "", Needs::Server),
    ("resume", "", Needs::Server),
    ("catalog", "", Needs::Settings),
    ("check", "good.json", Needs::Settings),
    ("changes explain", "change.json", Needs::Settings),
    ("changes template", "WikiPage", Needs::Settings),
    ("changes records", "", Needs::Settings),
    ("backup", "copy", Needs::Folder),
    ("restore", "copy", Needs::Folder),
    ("repair", "", Needs::Folder),
    ("drift", "", Needs::Server),
    ("drift clear", "", Needs::Server),
    ("audit list", "", Needs::Server),
    ("audit verify", "", Needs::Folder),
    ("tokens create", "it --scope read", Needs::Server),
    ("tokens list", "", Needs::Server),
    ("tokens rename", "nobody somebody", Needs::Server),
    ("tokens edit", "nobody --expires-in 90d", Needs::Server),
    ("tokens rotate", "nobody", Needs::Server),
    ("tokens remove", "nobody", Needs::Server),
    ("quarantine list", "", Needs::Server),
    ("quarantine show", "0", Needs::Server),
    ("quarantine retry", "", Needs::Server),
    ("quarantine empty", "", Needs::Server),
    ("keys list", "", Needs::Server),
    ("keys rotate", "", Needs::Server),
    ("keys rotate-master", "", Needs::Folder),
    ("keys reset", "--lost-key 0123456789abcdef", Needs::Folder),
    (
        "verify",
        "--secret file:secret --tolerance off request.txt",
        Needs::Nothing,
    ),
    ("translate", "--to caliper good.json", Needs::Settings),
    ("completions", "bash", Needs::Nothing),
];

/// Commands with an input that the server, or the command itself, rejects.
const BAD_INPUT: &[&str] = &[
    "listen --forward http://127.0.0.1:1/ --event=",
    "subscriptions add Two --webhook http://127.0.0.1:1/",
    "subscriptions add two --webhook gopher://127.0.0.1/",
    "subscriptions add one --webhook http://127.0.0.1:1/",
    "subscriptions show nobody",
    "subscriptions pause nobody",
    "subscriptions resume nobody",
    "subscriptions resume one --from now",
    "subscriptions enforce-guard nobody",
    "subscriptions add two --webhook http://127.0.0.1:1/ --bearer env:NO_SUCH_VARIABLE",
    "subscriptions add two --webhook http://10.0.0.1/",
    "subscriptions add two --sql postgresql://10.0.0.1/events",
    "subscriptions add two --sql mysql://127.0.0.1/events",
    "subscriptions remove nobody",
    "sources add one --unsigned",
    "sources add one --jwks-url http://keys.example/",
    "sources add one --secret env:NO_SUCH_VARIABLE",
    "sources show nobody",
    "sources edit nobody --issuer x",
    "sources remove nobody",
    "dead-letters list nobody",
    "dead-letters list one --lane 7",
    "dead-letters redeliver nobody --all",
    "replay start one --from latest",
    "replay start nobody --from earliest",
    "replay list nobody",
    "replay cancel one 7",
    "tables status --subscription nobody",
    "balance nobody",
    "catalog no_such_type",
    "check bad.json",
    "check missing.json",
    "changes explain bad.json",
    "changes explain missing.json",
    "tokens rename nobody somebody",
    "tokens edit nobody --expires-in 90d",
    "tokens rotate nobody",
    "tokens remove nobody",
    "quarantine show 7",
    "verify missing.txt",
    "verify --jwks missing.json jwt.txt",
    "verify --jwks good.json jwt.txt",
    "translate --to caliper bad.json",
    "translate --to caliper missing.json",
];

fn args_of<'a>(path: &'a str, rest: &'a str) -> Vec<&'a str> {
    path.split_whitespace()
        .chain(rest.split_whitespace())
        .collect()
}

fn run(folder: &Path, args: &[&str]) -> Ran {
    // stdin is empty, except for `listen`, which ends only on request.
    let is_listen = args.first() == Some(&"listen");
    let input = if is_listen { "q\n" } else { "" };
    run_with_stdin(&mut command(folder, args), input)
}

#[track_caller]
fn check(folder: &Path, args: &[&str], code: i32) -> Ran {
    let ran = run(folder, args);
    assert_eq!(ran.code, Some(code), "easel {}: {ran}", args.join(" "));
    ran
}

/// Collects all commands below `path` from the help texts.
fn commands_below(folder: &Path, path: &str, found: &mut BTreeSet<String>) {
    let help = check(folder, &args_of(path, "--help"), 0).stdout;
    let needs_subcommand = help
        .lines()
        .any(|line| line.starts_with("Usage:") && line.ends_with("<COMMAND>"));
    if !needs_subcommand {
        found.insert(path.to_owned());
    }
    for name in subcommands(&help) {
        commands_below(folder, format!("{path} {name}").trim(), found);
    }
}

#[test]
fn every_command_ends_with_the_codes_that_help_lists() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let help = check(folder, &["help"], 0).stdout;
    for code in ["0 ", "1 ", "64", "65", "69", "70", "78"] {
        assert!(
            help.contains(&format!("\n  {code}  ")),
            "{code} is not in {help}"
        );
    }
    let mut found = BTreeSet::new();
    commands_below(folder, "", &mut found);
    let known: BTreeSet<_> = COMMANDS
        .iter()
        .map(|(path, ..)| (*path).to_owned())
        .collect();
    assert_eq!(found, known, "this table must have a row for each command");

    let events = check(folder, &args_of("simulate", "--days 1 --students 2"), 0);
    fs::write(folder.join("good.json"), events.stdout).unwrap();
    fs::write(folder.join("bad.json"), r#"{"metadata":{}}"#).unwrap();
    fs::write(folder.join("change.json"), r#"{"action":"logged_out"}"#).unwrap();
    fs::write(folder.join("jwt.txt"), "eyJh.eyJi.e30").unwrap();
    let secret = WebhookSecret::generate_symmetric().unwrap();
    fs::write(folder.join("secret"), secret.to_text().expose()).unwrap();
    let signature = secret.sign("7", 1, b"{}").unwrap();
    let request =
        format!("webhook-id: 7\nwebhook-timestamp: 1\nwebhook-signature: {signature}\n\n{{}}");
    fs::write(folder.join("request.txt"), request).unwrap();

    // A wrong command line is a usage error, independent of other errors.
    fs::write(folder.join("easel.toml"), "lisen = 1").unwrap();
    for (path, rest, _) in COMMANDS {
        check(
            folder,
            &args_of(path, &format!("{rest} --no-such-flag")),
            64,
        );
    }
    for args in [
        "",
        "subscriptions",
        "emit",
        "nothing",
        "tail --from soon",
        "dead-letters redeliver one",
        "dead-letters discard one --all --event grade_*",
        "replay start one",
        "replay start one --from earliest --rate 0",
        "subscriptions add two --webhook http://127.0.0.1:1/ --sql postgresql://127.0.0.1/",
        "subscriptions add two",
        "subscriptions add two --sql postgresql://127.0.0.1/ --timeout 3s",
        "subscriptions add two --sql postgresql://127.0.0.1/ --sign jwt",
        "subscriptions add two --webhook http://127.0.0.1:1/ --schema live",
        "tables promote course_created",
        "subscriptions edit one --max-rate many",
        "listen --forward localhost:3000",
        "keys rotate --algorithm HS256",
        "subscriptions add one --webhook http://127.0.0.1:1/ --secret whsec_x",
        "subscriptions add one --webhook http://127.0.0.1:1/ --client-key key.pem",
        "verify --tolerance soon request.txt",
        "verify --secret file:secret jwt.txt",
        "verify request.txt",
    ] {
        check(folder, &args_of(args, ""), 64);
    }
    // Invalid settings.
    for (path, rest, needs) in COMMANDS {
        if *needs != Needs::Nothing {
            check(folder, &args_of(path, rest), 78);
        }
    }
    fs::remove_file(folder.join("easel.toml")).unwrap();
    for (path, rest, needs) in COMMANDS {
        let args = args_of(path, rest);
        match needs {
            // No server on the data folder, no server at the address, and a server that is not Easel.
            Needs::Server => {
                check(folder, &args, 69);
                check(
                    folder,
                    &[&args[..], &["--url", "http://127.0.0.1:1"]].concat(),
                    69,
                );
                let other = OtherProgram::start();
                check(folder, &[&args[..], &["--url", &other.url]].concat(), 69);
            }
            Needs::Settings | Needs::Nothing if *path != "serve" => {
                check(folder, &args, 0);
            }
            Needs::Settings | Needs::Folder | Needs::Nothing => (),
        }
    }
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    check(folder, &["serve", "--listen", &address], 78);
    check(folder, &["serve", "--listen", "here"], 64);
    check(folder, &["serve", "--log", "=="], 64);
    check(folder, &["config", "check", "--log-format", "xml"], 64);
    fs::write(folder.join("file"), "").unwrap();
    check(folder, &["serve", "--data", "file"], 78);
    check(folder, &["config", "check", "--data", "file"], 78);

    // With a server: success, rejected by the server, and an unknown token.
    let data = folder.join("data");
    let running = Running::start(&data);
    let url = running.url();
    let here = ["--data", data.to_str().unwrap()];
    for (path, rest, needs) in COMMANDS {
        if *needs == Needs::Server {
            let wrong = ["--url", &url, "--token", "easel_wrong"];
            check(folder, &[&args_of(path, rest)[..], &wrong].concat(), 78);
            let code = match *path {
                "tokens rename" | "tokens edit" | "tokens rotate" | "tokens remove"
                | "quarantine show" | "dead-letters show" => 65,
                // Its endpoint is down.
                "subscriptions test" => 69,
                // There are no tables.
                tables if tables.starts_with("tables ") => 65,
                _ => 0,
            };
            check(folder, &[&args_of(path, rest)[..], &here].concat(), code);
            if *path == "subscriptions remove" {
                let again = COMMANDS
                    .iter()
                    .find(|(path, ..)| *path == "subscriptions add");
                let (path, rest, _) = again.unwrap();
                check(folder, &[&args_of(path, rest)[..], &here].concat(), 0);
            }
        }
    }
    for args in BAD_INPUT {
        check(folder, &[&args_of(args, "")[..], &here].concat(), 65);
    }
    check(folder, &[&["verify", "jwt.txt"][..], &here].concat(), 1);
    check(
        folder,
        &[&["serve", "--listen", "127.0.0.1:0"][..], &here].concat(),
        78,
    );
    running.terminate();
    assert_eq!(
        running.ended().0.code(),
        Some(0),
        "a server that was asked to stop"
    );
}

#[test]
fn output_that_cannot_be_written_is_unavailable() {
    let folder = tempdir().unwrap();
    for args in [
        &["catalog"][..],
        &["config", "check"],
        &["completions", "bash"],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command(folder.path(), args).stdout(full).output().unwrap();
        let ran = Ran::new(&output);
        assert_eq!(ran.code, Some(69), "{args:?}: {ran}");
        assert!(ran.stderr.contains("failed to write"), "{ran}");
    }
}

#[test]
fn a_damaged_file_of_the_data_folder_is_reported_in_plain_words() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("easel-data")).unwrap();
    fs::write(folder.path().join("easel-data/local.json"), "{").unwrap();
    let ran = easel(folder.path(), &["tail"]);
    assert_eq!(ran.code, Some(78), "{ran}");
    assert_eq!(
        ran.stderr,
        "error: easel-data/local.json is damaged; restart the server to write it again, or give \
         an address with --url\n"
    );
}

/// An HTTP server that is not Easel.
struct OtherProgram {
    url: String,
}

impl OtherProgram {
    /// Answers every request with `hi`.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
                // The client may have disconnected.
                drop(connection.and_then(|mut stream| stream.write_all(answer.as_bytes())));
            }
        });
        Self { url }
    }
}
