//! Pages in `docs/` that are generated from the program.

use std::path::Path;

/// Checks that the page `name` in `docs/` is `text`. If the variable `EASEL_WRITE_PAGES` is set, writes
/// the page first; `scripts/test` unsets the variable.
#[expect(
    clippy::expect_used,
    reason = "a page that cannot be written fails the test"
)]
#[track_caller]
pub fn check_page(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var_os("EASEL_WRITE_PAGES").is_some() {
        std::fs::write(&path, text).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/{name} is stale; CONTRIBUTING.md says how to write it"
    );
}
