//! Tests of the help texts and of wrong command lines.

use std::process::Stdio;

use tempfile::tempdir;

use crate::easel::{Ran, check, command, easel, masks};

/// The names under `Commands:` in a help text.
pub(crate) fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.map_while(|line| line.strip_prefix("  "));
    // A long description continues on lines with a deeper indent.
    lines
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// `docs/commands.md` has the own part of every help text, and `doc_pages` checks it. The global options
/// follow in the help of every command.
#[test]
fn the_help_of_a_command_shows_the_global_options() {
    let folder = tempdir().unwrap();
    let help = easel(folder.path(), &["tail", "--help"]);
    masks().bind(|| insta::assert_snapshot!("help_tail", help));
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["emti"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: unrecognized subcommand 'emti'

          tip: a similar subcommand exists: 'emit'

        Usage: easel [OPTIONS] <COMMAND>

        For more information, try '--help'.
        ");
    check!(easel(folder.path(), &["emit"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: the following required arguments were not provided:
          <EVENT>

        Usage: easel emit <EVENT>

        For more information, try '--help'.
        ");
    check!(easel(folder.path(), &["emit", "x", "--set", "name"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'name' for '--set <FIELD=VALUE>': must be FIELD=VALUE

        For more information, try '--help'.
        ");
    check!(easel(folder.path(), &["tail", "--from", "yesterday"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'yesterday' for '--from <WHERE>': must be an offset, `earliest`, `latest`, a time such as [time] or an age such as 1h

        For more information, try '--help'.
        ");
    check!(easel(folder.path(), &["tail", "--url", "localhost:4567"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'localhost:4567' for '--url <URL>': must be an address such as http://127.0.0.1:4567

        For more information, try '--help'.
        ");
    check!(easel(folder.path(), &["tokens", "create", "x", "--scope", "all"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'all' for '--scope <SCOPE>'
          [possible values: ingest, read, manage]

        For more information, try '--help'.
        ");
    assert_eq!(easel(folder.path(), &[]).code, Some(64));
}

#[test]
fn the_version_is_printed_to_stdout() {
    let folder = tempdir().unwrap();
    let stdout = easel(folder.path(), &["--version"]).stdout();
    assert_eq!(stdout, format!("easel {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_printed_for_bash_zsh_and_fish() {
    let folder = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = easel(folder.path(), &["completions", shell]).stdout();
        assert!(script.contains("subscriptions"), "{script}");
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let folder = tempdir().unwrap();
    let mut command = command(folder.path(), &["completions", "bash"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
}
