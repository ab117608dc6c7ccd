//! The pages in `docs/` that are generated from the program: commands, settings, HTTP.
//!
//! `EASEL_WRITE_PAGES=1 cargo nt -p easel-cli doc_pages` writes them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use easel_testkit::check_page;
use serde_json::Value;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::easel;
use crate::help::subcommands;
use crate::running::Running;

/// Writes the help of `command` and of everything below it.
fn write_help(folder: &Path, command: &[String], page: &mut String) {
    let mut args: Vec<_> = command.iter().map(String::as_str).collect();
    args.push("--help");
    let help = easel(folder, &args).stdout();
    let mut name = vec!["easel"];
    name.extend(command.iter().map(String::as_str));
    let level = "#".repeat(command.len() + 2);
    // Every command repeats the global options.
    let is_own = |part: &&str| command.is_empty() || !part.starts_with("Global options:");
    let parts: Vec<_> = help.trim_end().split("\n\n").filter(is_own).collect();
    let (name, text) = (name.join(" "), parts.join("\n\n"));
    writeln!(page, "\n{level} `{name}`\n\n```text\n{text}\n```").unwrap();
    for subcommand in subcommands(&help) {
        write_help(folder, &[command, &[subcommand]].concat(), page);
    }
}

#[test]
fn the_page_of_commands_is_up_to_date() {
    let folder = tempdir().unwrap();
    let mut page =
        "# Commands\n\nThis page is generated from `easel help`. Every command also accepts \
                    the global options of `easel` itself.\n"
            .to_owned();
    write_help(folder.path(), &[], &mut page);
    check_page("commands.md", &page);
}

#[test]
fn the_page_of_settings_is_up_to_date() {
    let example = include_str!("../../../../easel.toml.example");
    let page = format!(
        "# Settings\n\nThis page is generated from `easel.toml.example`. Copy the settings that you change to \
         `easel.toml`.\n\n```toml\n{example}```\n"
    );
    check_page("settings.md", &page);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_the_http_api_is_up_to_date() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let document = Caller::new(&running).get("/v1/openapi.json").await;
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let group = operation["tags"][0].as_str().unwrap();
            let summary = ["summary", "description"]
                .iter()
                .find_map(|member| operation[member].as_str())
                .unwrap();
            let method = method.to_uppercase();
            let row = format!("| `{method} {path}` | {} |", summary.replace('\n', " "));
            groups.entry(group).or_default().push(row);
        }
    }
    let mut page =
        "# HTTP API\n\nThis page is generated from the OpenAPI document. A running server has the \
                    document at `/v1/openapi.json`, with every parameter, answer and error code.\n"
            .to_owned();
    for (group, rows) in groups {
        let rows = rows.join("\n");
        write!(
            page,
            "\n## {group}\n\n| request | what it does |\n| --- | --- |\n{rows}\n"
        )
        .unwrap();
    }
    check_page("http.md", &page);
}
