//! The command blocks of README and `docs/` are run as a reader would run them.
//!
//! Every block with the language `sh` is run by bash, in the order of its page, in a new folder for
//! each page. A server runs on the folder `easel-data` in this folder. In the blocks, the address
//! `127.0.0.1:4567` is replaced by the address of the server, and `127.0.0.1:8080` by the address of a
//! receiver that answers 204. `docs/tables.md` also gets a PostgreSQL server, whose address replaces
//! `127.0.0.1:5432`.
//! A comment `<!-- not run: reason -->` before a block excludes it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use easel_testkit::{Postgres, Receiver};
use hyper::StatusCode;
use tempfile::tempdir;

use crate::easel::Ran;
use crate::running::Running;

/// The settings that the pages assume.
const SETTINGS: &str = "
[[kinesis.keys]]
access_key_id = \"CANVAS\"
secret_access_key = \"the secret of the pair\"
";

/// The page whose commands need a database.
const TABLES_PAGE: &str = "docs/tables.md";

/// The database that this page creates.
const DATABASE_URL: &str = "postgresql://easel_writer:choose-a-password@127.0.0.1:5432/warehouse";

/// A block that is run.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    /// The line of its fence, from 1.
    line: usize,
    code: &'a str,
}

/// Returns the `sh` blocks of `page` that are run.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut line_before = "";
    let mut fence: Option<(&str, Option<Block<'_>>)> = None;
    let mut start = 0;
    for (number, line) in (1..).zip(page.split_inclusive('\n')) {
        let end = start + line.len();
        match fence.take() {
            Some((_language, block)) if line.trim_end() == "```" => blocks.extend(block),
            Some((language, block)) => {
                let block = block.map(|block| Block {
                    code: page.get(start - block.code.len()..end).unwrap(),
                    ..block
                });
                fence = Some((language, block));
            }
            None => {
                if let Some(language) = line.trim_end().strip_prefix("```") {
                    let is_run = language == "sh" && !line_before.starts_with("<!-- not run: ");
                    let block = Block {
                        line: number,
                        code: "",
                    };
                    fence = Some((language, is_run.then_some(block)));
                }
                line_before = line;
            }
        }
        start = end;
    }
    blocks
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns every page: README, and the pages in `docs/`. The pages of the event types, in folders below, have
/// no commands.
fn pages() -> BTreeSet<String> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages = names.filter(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "md")
    });
    let pages = pages.map(|name| format!("docs/{name}"));
    pages.chain(["README.md".to_owned()]).collect()
}

async fn run(page: &str) {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "{page} has no block to run");
    let postgres = match page {
        TABLES_PAGE => match Postgres::start().await {
            None => return,
            started => started,
        },
        _other => None,
    };
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("easel.toml"), SETTINGS).unwrap();
    symlink(root().join("examples"), folder.path().join("examples")).unwrap();
    let running = Running::start(&folder.path().join("easel-data"));
    let receiver = Receiver::start().await;
    receiver.set_status(StatusCode::NO_CONTENT);
    let server_address = running.local().address.to_string();
    let receiver_address = receiver.address().to_string();
    let program = Path::new(env!("CARGO_BIN_EXE_easel")).parent().unwrap();
    let system = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(
        [program.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&system)),
    );
    let path = path.unwrap();
    let port = postgres.as_ref().map_or(5432, Postgres::port).to_string();
    let local = |text: &str| {
        text.replace("127.0.0.1:4567", &server_address)
            .replace("127.0.0.1:8080", &receiver_address)
            .replace("127.0.0.1:5432", &format!("127.0.0.1:{port}"))
    };
    for block in blocks {
        let mut bash = Command::new("bash");
        bash.args(["-eu", "-o", "pipefail", "-c", &local(block.code)])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", &path)
            .env("HOME", folder.path())
            .env("TOKEN", running.local().token.as_ref().unwrap().expose());
        // Without an address, `psql` connects as the administrator.
        bash.envs([
            ("PGHOST", "127.0.0.1"),
            ("PGPORT", &port),
            ("PGUSER", "easel"),
        ])
        .env("DATABASE_URL", local(DATABASE_URL));
        let output = tokio::task::spawn_blocking(move || bash.output().unwrap());
        let ran = Ran::new(&output.await.unwrap());
        assert_eq!(ran.code, Some(0), "{page}:{}: {ran}", block.line);
    }
}

/// Makes a test for each page that has blocks to run.
macro_rules! run {
    ($($test:ident: $page:literal,)*) => {
        const RUN: &[&str] = &[$($page),*];
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                run($page).await;
            }
        )*
    };
}

run! {
    readme: "README.md",
    building_a_consumer: "docs/building-a-consumer.md",
    caliper_checker: "docs/caliper-checker.md",
    catalogue: "docs/catalogue.md",
    data_folder: "docs/data-folder.md",
    delivery: "docs/delivery.md",
    hosted_canvas: "docs/hosted-canvas.md",
    import: "docs/import.md",
    installing: "docs/installing.md",
    operating: "docs/operating.md",
    operator_events: "docs/operator-events.md",
    other_lms: "docs/other-lms.md",
    self_hosted_canvas: "docs/self-hosted-canvas.md",
    sending_events: "docs/sending-events.md",
    subscription_service: "docs/subscription-service.md",
    subscriptions: "docs/subscriptions.md",
    tables: "docs/tables.md",
    verifying: "docs/verifying.md",
}

#[test]
fn every_page_with_blocks_has_its_test() {
    let with_blocks = pages().into_iter().filter(|page| {
        let text = fs::read_to_string(root().join(page)).unwrap();
        !blocks(&text).is_empty()
    });
    let tested: BTreeSet<_> = RUN.iter().copied().map(str::to_owned).collect();
    assert_eq!(with_blocks.collect::<BTreeSet<_>>(), tested);
}

#[test]
fn blocks_are_found_with_their_lines() {
    let page = "text\n```sh\na\nb\n```\n<!-- not run: why -->\n```sh\nc\n```\n```toml\nd\n```\n";
    let expected = Block {
        line: 2,
        code: "a\nb\n",
    };
    assert_eq!(blocks(page), [expected]);
}
