//! The page `docs/triggers.md`.

use std::env;
use std::fs;

#[test]
#[expect(clippy::disallowed_methods, reason = "the page is a file")]
fn the_page_in_docs_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/triggers.md");
    let page = easel_triggers::page();
    if env::var_os("EASEL_WRITE_PAGES").is_some() {
        fs::write(path, &page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/triggers.md is stale; CONTRIBUTING.md says how to write it"
    );
}
